package testserver

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"slices"

	"golang.org/x/crypto/ssh"
)

// newServerConfig offers the methods that cfg has users for. The result is shared by all connections.
func newServerConfig(cfg *SSHConfig, hosts []ssh.Signer) *ssh.ServerConfig {
	server := &ssh.ServerConfig{}
	if len(cfg.Passwords) > 0 {
		server.PasswordCallback = cfg.checkPassword
	}
	if len(cfg.Keys) > 0 || cfg.UserCA != nil {
		checker := cfg.certChecker()
		server.PublicKeyCallback = checker.Authenticate
	}
	if len(cfg.Interactive) > 0 {
		server.KeyboardInteractiveCallback = cfg.checkInteractive
	}
	if len(cfg.AllowNone) > 0 || cfg.open() {
		server.NoClientAuth = true
		server.NoClientAuthCallback = cfg.checkNone
	}
	if cfg.Banner != "" {
		server.BannerCallback = func(ssh.ConnMetadata) string { return cfg.Banner }
	}
	for _, key := range hosts {
		server.AddHostKey(key)
	}
	if cfg.ServerConfig != nil {
		cfg.ServerConfig(server)
	}
	return server
}

// open reports whether nobody is named, so that anybody may come in.
func (cfg *SSHConfig) open() bool {
	return len(cfg.Passwords) == 0 && len(cfg.Keys) == 0 && cfg.UserCA == nil &&
		len(cfg.Interactive) == 0 && len(cfg.AllowNone) == 0
}

func (cfg *SSHConfig) checkNone(conn ssh.ConnMetadata) (*ssh.Permissions, error) {
	if cfg.open() || slices.Contains(cfg.AllowNone, conn.User()) {
		return &ssh.Permissions{}, nil
	}
	return nil, errors.New("user needs to authenticate")
}

func (cfg *SSHConfig) checkPassword(conn ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
	want, known := cfg.Passwords[conn.User()]
	if !known || subtle.ConstantTimeCompare(password, []byte(want)) != 1 {
		return nil, errors.New("wrong user or password")
	}
	return &ssh.Permissions{}, nil
}

// certChecker takes certificates of the user CA and plain keys of the list.
func (cfg *SSHConfig) certChecker() *ssh.CertChecker {
	return &ssh.CertChecker{
		IsUserAuthority: func(authority ssh.PublicKey) bool {
			return cfg.UserCA != nil && sameKey(authority, cfg.UserCA)
		},
		UserKeyFallback: func(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			known := func(k ssh.PublicKey) bool { return sameKey(k, key) }
			if !slices.ContainsFunc(cfg.Keys[conn.User()], known) {
				return nil, errors.New("unknown key")
			}
			return &ssh.Permissions{}, nil
		},
	}
}

// checkInteractive asks unknown users for a password as well, so that they look like known ones.
func (cfg *SSHConfig) checkInteractive(
	conn ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge,
) (*ssh.Permissions, error) {
	wants := cfg.Interactive[conn.User()]
	known := len(wants) > 0
	if !known {
		wants = []string{""}
	}
	prompt, right := "Password: ", known
	for _, want := range wants {
		answers, err := ask("", "", []string{prompt}, []bool{false})
		if err != nil {
			return nil, err
		}
		if len(answers) != 1 || subtle.ConstantTimeCompare([]byte(answers[0]), []byte(want)) != 1 {
			right = false
		}
		prompt = "Code: "
	}
	if !right {
		return nil, errors.New("wrong answer")
	}
	if _, err := ask("", "", nil, nil); err != nil {
		return nil, err
	}
	return &ssh.Permissions{}, nil
}

func sameKey(a, b ssh.PublicKey) bool {
	return bytes.Equal(a.Marshal(), b.Marshal())
}

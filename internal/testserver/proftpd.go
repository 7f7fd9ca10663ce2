package testserver

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// ProFTPDConfig configures [ProFTPD]. The zero value works.
type ProFTPDConfig struct {
	// AuthorizedKeys log in as the server's User.
	AuthorizedKeys []ssh.PublicKey
	// HostKeyTypes are any of ed25519, ecdsa and rsa. Nil means ed25519.
	HostKeyTypes []string
	// Versions are the SFTP versions that the server accepts: one such as "5", or a range such as "4-6". Empty
	// means all that it knows, 1 to 6.
	Versions string
	// Lines go to the end of the configuration.
	Lines []string
}

// ProFTPD starts proftpd with mod_sftp for the length of the test, and skips the test where that cannot be; see
// [Unavailable]. It lets Server.User in by password and public key, and serves SFTP alone: no commands. The user has
// the rights of whoever runs the test; Dir is where it starts, not a prison.
func ProFTPD(t testing.TB, cfg ProFTPDConfig) *Server {
	t.Helper()
	programs := Real(t, "proftpd", "proftpd", "openssl")
	modules, ok := proftpdModules("mod_sftp")
	if !ok {
		Unavailable(t, "proftpd", "mod_sftp is not installed")
	}
	dir := scratch(t, "proftpd")
	s := &Server{User: realUser, Password: rand.Text(), Dir: filepath.Join(dir, "home")}
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	hash := crypted(t, programs[1], s.Password)
	uid, gid := os.Getuid(), os.Getgid()
	put(t, dir, "passwd", fmt.Sprintf("%s:%s:%d:%d::%s:/bin/sh\n", realUser, hash, uid, gid, s.Dir), 0o600)
	put(t, dir, "group", fmt.Sprintf("%s:x:%d:\n", realUser, gid), 0o600)
	keys := makeHostKeys(t, dir, cfg.HostKeyTypes)
	base := cfg.lines(t, dir, modules, keys)
	s.HostKeys = presented(keys)
	d := daemon{name: "proftpd", dir: dir, answers: presents(s.HostKeys), command: func(port uint16) *exec.Cmd {
		conf := put(t, dir, "proftpd.conf", fmt.Sprintf("%s\nPort %d\n", base, port), 0o600)
		return tie(exec.Command(programs[0], "--nodaemon", "--quiet", "--config", conf))
	}}
	d.logs = logs{filepath.Join(dir, "system.log"), filepath.Join(dir, "sftp.log")}
	s.endpoint = d.launch(t)
	return s
}

// proftpdModules finds the directory with modules, which must all be there.
func proftpdModules(modules ...string) (string, bool) {
	for _, dir := range []string{"/usr/lib/proftpd", "/usr/lib64/proftpd", "/usr/libexec/proftpd"} {
		missing := func(name string) bool {
			_, err := os.Stat(filepath.Join(dir, name+".so"))
			return err != nil
		}
		if !slices.ContainsFunc(modules, missing) {
			return dir, true
		}
	}
	return "", false
}

// proftpdBase holds the settings that never change. Without SocketBindTight the server listens on all addresses, and
// mod_delay would slow logins down.
const proftpdBase = `ModulePath %[2]s
ServerType standalone
ServerName hawser
SocketBindTight on
UseReverseDNS off
WtmpLog off
AuthPAM off
AuthOrder mod_auth_file.c
AuthUserFile %[1]s/passwd
AuthGroupFile %[1]s/group
RequireValidShell off
RootLogin on
User %[3]s
Group %[4]s
PidFile %[1]s/proftpd.pid
ScoreboardFile %[1]s/scoreboard
DelayTable none
SystemLog %[1]s/system.log
TransferLog none
MaxInstances 50
MaxLoginAttempts 20
AllowOverwrite on
AllowStoreRestart on
<IfModule mod_delay.c>
DelayEngine off
</IfModule>
`

// proftpdCommon is proftpdBase for dir, as the user who runs the test.
func proftpdCommon(t testing.TB, dir, modules string) string {
	t.Helper()
	self, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(self.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(proftpdBase, dir, modules, self.Username, group.Name)
}

// proftpdSFTP are the settings of mod_sftp that never change.
const proftpdSFTP = `LoadModule mod_sftp.c
DefaultAddress 127.0.0.1
UseIPv6 off
SFTPEngine on
SFTPLog %[1]s/sftp.log
SFTPAuthMethods publickey password
SFTPAuthorizedUserKeys file:%[1]s/authorized_keys
`

// lines is the configuration without the port.
func (cfg ProFTPDConfig) lines(t testing.TB, dir, modules string, keys []hostKey) string {
	t.Helper()
	var authorized strings.Builder
	for _, k := range cfg.AuthorizedKeys {
		authorized.WriteString(rfc4716(k))
	}
	put(t, dir, "authorized_keys", authorized.String(), 0o600)
	lines := []string{proftpdCommon(t, dir, modules), fmt.Sprintf(proftpdSFTP, dir)}
	for _, k := range keys {
		lines = append(lines, "SFTPHostKey "+k.file)
	}
	if cfg.Versions != "" {
		lines = append(lines, `SFTPClientMatch ".*" sftpProtocolVersion `+cfg.Versions)
	}
	return strings.Join(append(lines, cfg.Lines...), "\n")
}

// rfc4716 formats a public key as mod_sftp wants it: base64 in lines of at most 72 bytes (RFC 4716, section 3).
func rfc4716(key ssh.PublicKey) string {
	const width = 64
	var text strings.Builder
	text.WriteString("---- BEGIN SSH2 PUBLIC KEY ----\n")
	encoded := base64.StdEncoding.EncodeToString(key.Marshal())
	for len(encoded) > width {
		text.WriteString(encoded[:width] + "\n")
		encoded = encoded[width:]
	}
	text.WriteString(encoded + "\n---- END SSH2 PUBLIC KEY ----\n")
	return text.String()
}

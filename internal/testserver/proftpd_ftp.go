package testserver

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ProFTPDFTP starts proftpd as an FTP server for the length of the test, and skips the test where that cannot be; see
// [Unavailable]. It lets FTPServer.User in by password, and has MLSD, MFMT, HASH and XCRC with its kin.
//
// As root it locks sessions in Dir. Else sessions run with the rights of whoever runs the test and Dir is where they
// start, not a prison; Anonymous needs root.
func ProFTPDFTP(t testing.TB, cfg FTPServerConfig) *FTPServer {
	t.Helper()
	programs := Real(t, "proftpd", "proftpd", "openssl")
	modules, ok := proftpdModules("mod_tls", "mod_digest")
	if !ok {
		Unavailable(t, "proftpd", "mod_tls or mod_digest is not installed")
	}
	if cfg.Anonymous && os.Geteuid() != 0 {
		Unavailable(t, "proftpd", "it needs root for anonymous logins")
	}
	host := cfg.host(t)
	dir := scratch(t, "proftpd")
	s := newFTPServer(t, dir)
	hash := crypted(t, programs[1], s.Password)
	user := func(name, hash string, uid int) string {
		return fmt.Sprintf("%s:%s:%d:%d::%s:/bin/sh\n", name, hash, uid, s.gid, s.Dir)
	}
	put(t, dir, "passwd", user(realUser, hash, s.uid)+user("ftp", "*", s.uid+1), 0o600)
	put(t, dir, "group", fmt.Sprintf("%s:x:%d:\n", realUser, s.gid), 0o600)

	name := rand.Text()
	lines := append([]string{proftpdCommon(t, dir, modules)}, cfg.proftpd(host, dir, name)...)
	lines = append(lines, cfg.proftpdTLS(dir, s.identify(t, dir, cfg))...)
	base := strings.Join(append(lines, cfg.Lines...), "\n")
	d := daemon{name: "proftpd", dir: dir, host: host, answers: s.greets(cfg, name)}
	d.logs = logs{filepath.Join(dir, "system.log"), filepath.Join(dir, "commands.log"), filepath.Join(dir, "tls.log")}
	d.command = func(port uint16) *exec.Cmd {
		conf := put(t, dir, "proftpd.conf", fmt.Sprintf("%s\nPort %d\n", base, port), 0o600)
		return tie(exec.Command(programs[0], "--nodaemon", "--quiet", "--config", conf))
	}
	s.endpoint = d.launch(t)
	return s
}

// proftpd is what the configuration has besides proftpdCommon, without TLS.
func (cfg FTPServerConfig) proftpd(host, dir, name string) []string {
	lines := []string{
		"LoadModule mod_tls.c", "LoadModule mod_digest.c",
		"DefaultAddress " + host, "UseIPv6 " + on(cfg.IPv6), `ServerIdent on "hawser ` + name + `"`,
		`LogFormat commands "%{iso8601} %r: %s %S"`, "ExtendedLog " + dir + "/commands.log ALL commands",
		"TimesGMT on", "AllowRetrieveRestart on",
	}
	if os.Geteuid() == 0 {
		lines = append(lines, "DefaultRoot ~")
	}
	if cfg.Anonymous {
		lines = append(lines, "<Anonymous "+dir+"/home>", "User ftp", "Group "+realUser, "UserAlias anonymous ftp",
			"</Anonymous>")
	}
	if len(cfg.Deny) > 0 {
		lines = append(lines, "<Limit "+strings.Join(cfg.Deny, " ")+">", "DenyAll", "</Limit>")
	}
	if cfg.PASVAddress != "" {
		lines = append(lines, "MasqueradeAddress "+cfg.PASVAddress)
	}
	if cfg.IdleTimeout != 0 {
		lines = append(lines, fmt.Sprintf("TimeoutIdle %d", cfg.IdleTimeout/time.Second))
	}
	return lines
}

func (cfg FTPServerConfig) proftpdTLS(dir string, files pemFiles) []string {
	if cfg.TLS == "" {
		return nil
	}
	options := "EnableDiags"
	if cfg.TLS == FTPImplicit {
		options += " UseImplicitSSL"
	}
	if cfg.NoReuse {
		options += " NoSessionReuseRequired"
	}
	kind := "EC"
	if files.rsa {
		kind = "RSA"
	}
	lines := []string{
		"TLSEngine on", "TLSLog " + dir + "/tls.log", "TLSOptions " + options, "TLSProtocol " + cfg.protocols(),
		"TLS" + kind + "CertificateFile " + files.certificate, "TLS" + kind + "CertificateKeyFile " + files.key,
		"TLSRequired " + on(cfg.Require), "TLSRenegotiate none",
	}
	if cfg.ClientCA != "" {
		lines = append(lines, "TLSVerifyClient on", "TLSCACertificateFile "+cfg.ClientCA)
	}
	return lines
}

// protocols is a list, for a range has no name there.
func (cfg FTPServerConfig) protocols() string {
	minTLS, maxTLS := cfg.versions()
	var names []string
	if minTLS <= tls.VersionTLS12 {
		names = append(names, "TLSv1.2")
	}
	if maxTLS >= tls.VersionTLS13 {
		names = append(names, "TLSv1.3")
	}
	return strings.Join(names, " ")
}

func on(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

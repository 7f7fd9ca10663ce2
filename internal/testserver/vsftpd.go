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

// VSFTPD starts vsftpd for the length of the test, and skips the test where that cannot be; see [Unavailable]. It
// lets FTPServer.User in by password and locks sessions in Dir. vsftpd knows no MLSD, MLST and MFMT, and accepts
// the user only with the password, client certificate or not.
//
// It needs Linux, root and leave to make namespaces, as [OpenSSH] does and for the same reason: it checks passwords
// through PAM alone.
func VSFTPD(t testing.TB, cfg FTPServerConfig) *FTPServer {
	t.Helper()
	programs := Real(t, "vsftpd", "vsftpd", "openssl", "mount")
	if os.Geteuid() != 0 {
		Unavailable(t, "vsftpd", "it needs root to log users in")
	}
	host := cfg.host(t)
	dir := scratch(t, "vsftpd")
	s := newFTPServer(t, dir)
	putUser(t, dir, s.Dir, crypted(t, programs[1], s.Password), "vsftpd")
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	name := rand.Text()
	lines := append(cfg.vsftpd(host, dir, name), cfg.vsftpdTLS(s.identify(t, dir, cfg))...)
	base := strings.Join(append(lines, cfg.Lines...), "\n")
	versions := put(t, dir, "openssl.cnf", cfg.openssl(), 0o644)
	d := daemon{name: "vsftpd", dir: dir, host: host, answers: s.greets(cfg, name), abrupt: true}
	d.logs = logs{filepath.Join(dir, "vsftpd.log")}
	d.command = func(port uint16) *exec.Cmd {
		conf := put(t, dir, "vsftpd.conf", fmt.Sprintf("%s\nlisten_port=%d\n", base, port), 0o600)
		cmd := isolated("sh", "-c", privateSystem, "sh", dir, "sh", "-c", firstProcess, "sh", programs[0], conf)
		cmd.Env = append(os.Environ(), "OPENSSL_CONF="+versions)
		return cmd
	}
	s.endpoint = d.launch(t)
	return s
}

// firstProcess runs its arguments below itself. vsftpd must not be the first process of a namespace: the kernel would
// give it the orphans of its sessions, and it crashes at the end of a process that it does not know.
const firstProcess = `"$@" & wait $!`

// vsftpd is the configuration without the port and TLS. seccomp_sandbox of 3.0.3 kills sessions on newer kernels.
func (cfg FTPServerConfig) vsftpd(host, dir, name string) []string {
	listen := []string{"listen=YES", "listen_address=" + host}
	if cfg.IPv6 {
		listen = []string{"listen=NO", "listen_ipv6=YES", "listen_address6=" + host}
	}
	lines := append(listen,
		"background=NO", "ftpd_banner=hawser "+name, "tcp_wrappers=NO", "seccomp_sandbox=NO",
		"local_enable=YES", "pam_service_name=vsftpd", "write_enable=YES", "local_umask=022",
		"chroot_local_user=YES", "allow_writeable_chroot=YES", "secure_chroot_dir="+dir+"/empty",
		"anonymous_enable="+yes(cfg.Anonymous), "ftp_username="+realUser+"-guest", "anon_root="+dir+"/home",
		"connect_from_port_20=NO", "delay_failed_login=0", "max_login_fails=20",
		"xferlog_enable=YES", "log_ftp_protocol=YES", "debug_ssl=YES", "vsftpd_log_file="+dir+"/vsftpd.log",
	)
	if len(cfg.Deny) > 0 {
		lines = append(lines, "cmds_denied="+strings.Join(cfg.Deny, ","))
	}
	if cfg.PASVAddress != "" {
		lines = append(lines, "pasv_address="+cfg.PASVAddress)
	}
	if cfg.IdleTimeout != 0 {
		lines = append(lines, fmt.Sprintf("idle_session_timeout=%d", cfg.IdleTimeout/time.Second))
	}
	return lines
}

func (cfg FTPServerConfig) vsftpdTLS(files pemFiles) []string {
	if cfg.TLS == "" {
		return nil
	}
	lines := []string{
		"ssl_enable=YES", "allow_anon_ssl=YES", "ssl_ciphers=HIGH", "implicit_ssl=" + yes(cfg.TLS == FTPImplicit),
		"rsa_cert_file=" + files.certificate, "rsa_private_key_file=" + files.key,
		"require_ssl_reuse=" + yes(!cfg.NoReuse),
		"force_local_logins_ssl=" + yes(cfg.Require), "force_local_data_ssl=" + yes(cfg.Require),
		"force_anon_logins_ssl=" + yes(cfg.Require), "force_anon_data_ssl=" + yes(cfg.Require),
	}
	if cfg.ClientCA != "" {
		lines = append(lines, "ssl_request_cert=YES", "require_cert=YES", "validate_cert=YES",
			"ca_certs_file="+cfg.ClientCA)
	}
	return lines
}

// openssl is a configuration of the library: vsftpd 3.0.3 has no setting of its own for versions.
func (cfg FTPServerConfig) openssl() string {
	names := map[uint16]string{tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3"}
	minTLS, maxTLS := cfg.versions()
	return fmt.Sprintf(`openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = versions
[versions]
MinProtocol = %s
MaxProtocol = %s
`, names[minTLS], names[maxTLS])
}

func yes(b bool) string {
	if b {
		return "YES"
	}
	return "NO"
}

package testserver

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

const (
	realUser = "hawser"
	// realID is the user and group id of realUser under OpenSSH: one that Debian reserves and never assigns.
	realID = 65000
)

// OpenSSHConfig configures [OpenSSH]. The zero value works.
type OpenSSHConfig struct {
	// AuthorizedKeys log in as the server's User, and as root.
	AuthorizedKeys []ssh.PublicKey
	// UserCA, if set, vouches for user certificates that name the user as principal.
	UserCA ssh.PublicKey
	// HostKeyTypes are any of ed25519, ecdsa and rsa. Nil means ed25519.
	HostKeyTypes []string
	// HostCA, if set, signs a certificate for 127.0.0.1 for each host key. Server.HostKeys then lists the
	// certificates as well.
	HostCA ssh.Signer
	// ExternalSFTP runs sftp-server as a program of its own in place of internal-sftp.
	ExternalSFTP bool
	// MaxSessions is the number of channels per connection. Zero means sshd's default of 10.
	MaxSessions int
	// Lines go to the top of sshd_config, where they win over the helper's own.
	Lines []string
}

// OpenSSH starts sshd for the length of the test, and skips the test where that cannot be; see [Unavailable]. It
// lets Server.User in by password, keyboard-interactive, public key and certificate, and accepts every environment
// variable.
//
// It needs Linux, root and leave to make namespaces (CAP_SYS_ADMIN; a container must be privileged), for sshd
// checks passwords only against the system's users and asks keyboard-interactive questions only through PAM. So it
// runs in mount and process namespaces of its own, where /etc/passwd, /etc/shadow and /etc/group are temporary copies
// with one user more, and /etc/pam.d holds one service. Nothing on the machine changes, servers do not see each
// other, and stopping sshd ends every process that its sessions started. Process ids that a command prints are those
// of that namespace.
func OpenSSH(t testing.TB, cfg OpenSSHConfig) *Server {
	t.Helper()
	programs := Real(t, "openssh", "sshd", "openssl", "mount")
	if os.Geteuid() != 0 {
		Unavailable(t, "openssh", "sshd needs root to log users in")
	}
	dir := scratch(t, "openssh")
	s := &Server{User: realUser, Password: rand.Text(), Dir: filepath.Join(dir, "home")}
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(s.Dir, realID, realID); err != nil {
		t.Fatal(err)
	}
	putUser(t, dir, s.Dir, crypted(t, programs[1], s.Password), "sshd")
	keys := makeHostKeys(t, dir, cfg.HostKeyTypes)
	if cfg.HostCA != nil {
		for i := range keys {
			keys[i].certify(t, cfg.HostCA)
		}
	}
	base := cfg.lines(t, dir, keys)
	s.HostKeys = presented(keys)
	d := daemon{name: "openssh", dir: dir, answers: presents(s.HostKeys), command: func(port uint16) *exec.Cmd {
		conf := put(t, dir, "sshd_config", fmt.Sprintf("%s\nPort %d\n", base, port), 0o600)
		return isolated("sh", "-c", privateSystem, "sh", dir, programs[0], "-D", "-e", "-f", conf)
	}}
	s.endpoint = d.launch(t)
	return s
}

// privateSystem runs as the first process of its namespaces: it puts the files of $1 in place and becomes the rest
// of its arguments. /run holds sshd's directory for privilege separation, /var/log its records of logins. Status 77
// is notAllowed.
const privateSystem = `set -e
dir=$1; shift
mount --make-rprivate / || exit 77
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 755 /run/sshd
mount -t tmpfs -o mode=755 tmpfs /var/log
for name in passwd shadow group pam.d; do
	mount --bind "$dir/etc/$name" "/etc/$name"
done
exec "$@"
`

// pamService checks passwords against the shadow file. Without nodelay a wrong one costs two seconds.
const pamService = `auth required pam_unix.so nodelay
account required pam_unix.so
session required pam_permit.so
password required pam_deny.so
`

// putUser makes the copies of the system's files with realUser, and with a guest who has the same home and cannot log
// in, and the service that checks passwords.
func putUser(t testing.TB, dir, home, hash, service string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "etc", "pam.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	add := func(name, line string, mode os.FileMode) {
		system, err := os.ReadFile(filepath.Join("/etc", name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, filepath.Join("etc", name), line+"\n"+string(system), mode)
	}
	add("passwd", fmt.Sprintf("%[1]s:x:%[2]d:%[2]d::%[3]s:/bin/sh\n%[1]s-guest:*:%[4]d:%[2]d::%[3]s:/bin/false",
		realUser, realID, home, realID+1), 0o644)
	add("group", fmt.Sprintf("%s:x:%d:", realUser, realID), 0o644)
	// The password was changed on day 19000 and never expires.
	add("shadow", fmt.Sprintf("%s:%s:19000:0:99999:7:::", realUser, hash), 0o600)
	put(t, dir, filepath.Join("etc/pam.d", service), pamService, 0o644)
}

// lines is the configuration without the port. sshd takes the first of two values, so the caller's come first.
func (cfg OpenSSHConfig) lines(t testing.TB, dir string, keys []hostKey) string {
	t.Helper()
	lines := append([]string(nil), cfg.Lines...)
	for _, k := range keys {
		lines = append(lines, "HostKey "+k.file)
		if k.certFile != "" {
			lines = append(lines, "HostCertificate "+k.certFile)
		}
	}
	var authorized strings.Builder
	for _, k := range cfg.AuthorizedKeys {
		authorized.Write(ssh.MarshalAuthorizedKey(k))
	}
	lines = append(lines, "AuthorizedKeysFile "+put(t, dir, "authorized_keys", authorized.String(), 0o644))
	if cfg.UserCA != nil {
		ca := put(t, dir, "user_ca.pub", string(ssh.MarshalAuthorizedKey(cfg.UserCA)), 0o644)
		lines = append(lines, "TrustedUserCAKeys "+ca)
	}
	if cfg.MaxSessions != 0 {
		lines = append(lines, fmt.Sprintf("MaxSessions %d", cfg.MaxSessions))
	}
	sftp := "internal-sftp"
	if cfg.ExternalSFTP {
		sftp = "/usr/lib/openssh/sftp-server"
	}
	return strings.Join(append(lines,
		"Subsystem sftp "+sftp,
		"ListenAddress 127.0.0.1", "PidFile none", "UsePAM yes", "PasswordAuthentication yes",
		"KbdInteractiveAuthentication yes", "StrictModes no", "PermitRootLogin yes", "AcceptEnv *",
		"MaxStartups 200", "MaxAuthTries 20", "UseDNS no", "PrintMotd no", "LogLevel DEBUG1",
	), "\n")
}

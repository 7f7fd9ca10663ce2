package testserver

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// OpenSMTPD starts OpenSMTPD for the length of the test, and skips the test where that cannot be; see [Unavailable].
// It offers SIZE, DSN and 8BITMIME. It has no PIPELINING and hangs up on who tries it, wants a new session after 100
// messages, and adds Date and Message-ID to the header of a message that has none.
//
// A test that asks it for TLS, and so for logins, fails: version 6.8, which Debian 12 has, completes no handshake with
// OpenSSL 3 (OpenSMTPD issue 1171), and it has logins over TLS alone.
//
// It needs Linux, root and leave to make namespaces (see [OpenSSH]), for the paths and users that it wants are fixed.
// There it has them to itself, so nothing but the program need be installed.
func OpenSMTPD(t testing.TB, cfg SMTPServerConfig) *SMTPServer {
	t.Helper()
	cfg.checkOpenSMTPD(t)
	programs := Real(t, "opensmtpd", "smtpd", "mount")
	if os.Geteuid() != 0 {
		Unavailable(t, "opensmtpd", "it needs root to become the users that it has")
	}
	dir := scratch(t, "opensmtpd")
	s := newSMTPServer(t, filepath.Join(dir, "spool"), "incoming", "queue")
	putSMTPDUsers(t, dir)
	// The greeting has no place for another word.
	name := strings.ToLower(rand.Text()) + ".example"
	// The first process of a namespace does not get a SIGTERM that it is not ready for yet.
	d := daemon{name: "opensmtpd", dir: dir, answers: s.greets(cfg, name), abrupt: true}
	d.command = func(port uint16) *exec.Cmd {
		lines := strings.Join(s.opensmtpd(cfg, name, port), "\n") + "\n"
		conf := put(t, dir, "smtpd.conf", lines, 0o600)
		return isolated("sh", "-c", smtpdSystem, "sh", dir, programs[0], "-d", "-f", conf)
	}
	s.endpoint = d.launch(t)
	return s
}

func (cfg SMTPServerConfig) checkOpenSMTPD(t testing.TB) {
	t.Helper()
	switch {
	case cfg.TLS != "":
		t.Fatal("opensmtpd: its TLS does not work")
	case cfg.Login:
		t.Fatal("opensmtpd: it has no login without TLS")
	case len(cfg.Without) > 0 && !slices.Equal(cfg.Without, []string{"DSN"}):
		t.Fatal("opensmtpd: it can leave out DSN alone")
	}
}

// smtpdSystem runs as the first process of its namespaces: it makes the directories that OpenSMTPD has at fixed paths,
// below others that every machine has, puts the files of $1 in place and becomes the rest of its arguments. Status 77
// is notAllowed.
const smtpdSystem = `set -e
dir=$1; shift
mount --make-rprivate / || exit 77
mount -t proc proc /proc
for path in /run /var/lib /var/spool; do
	mount -t tmpfs -o mode=755 tmpfs "$path"
done
mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd "$dir/spool"
chmod 711 "$dir/spool"
mount --bind "$dir/spool" /var/spool/smtpd
for name in passwd group; do
	mount --bind "$dir/$name" "/etc/$name"
done
exec "$@"
`

// putSMTPDUsers makes copies of the system's files with the users that OpenSMTPD becomes.
func putSMTPDUsers(t testing.TB, dir string) {
	t.Helper()
	add := func(name, lines string) {
		system, err := os.ReadFile(filepath.Join("/etc", name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, name, lines+string(system), 0o644)
	}
	// Beside the two users of OpenSSH. Where the package is installed, the first line of a name wins.
	const user = "%[1]s:x:%[2]d:%[2]d::/var/lib/opensmtpd/empty:/bin/false\n"
	add("passwd", fmt.Sprintf(user, "opensmtpd", realID+2)+fmt.Sprintf(user, "opensmtpq", realID+3))
	add("group", fmt.Sprintf("opensmtpd:x:%d:\nopensmtpq:x:%d:\n", realID+2, realID+3))
}

// opensmtpd is the configuration. The first match of a recipient wins, and so do the caller's lines.
func (s *SMTPServer) opensmtpd(cfg SMTPServerConfig, name string, port uint16) []string {
	// To one host it would hand on 100 messages a connection, and then wait for seconds.
	lines := []string{"mta limit session-mail-max 1000000", "mta limit task-hiwat 1000000"}
	if cfg.MaxSize != 0 {
		lines = append(lines, fmt.Sprintf("smtp max-message-size %d", cfg.MaxSize))
	}
	if cfg.MaxMessages != 0 {
		lines = append(lines, fmt.Sprintf("smtp limit max-mails %d", cfg.MaxMessages))
	}
	listen := fmt.Sprintf("listen on 127.0.0.1 port %d hostname %s", port, name)
	if len(cfg.Without) > 0 {
		listen += " no-dsn"
	}
	lines = append(lines, listen, fmt.Sprintf(`action sink relay host "smtp://127.0.0.1:%d"`, s.sink.Port()))
	lines = append(lines, cfg.Lines...)
	return append(lines,
		fmt.Sprintf("match from any for rcpt-to %q reject", s.Refused),
		fmt.Sprintf("match from any for domain %q action sink", s.Domain),
	)
}

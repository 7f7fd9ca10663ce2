package testserver

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Postfix starts Postfix for the length of the test, and skips the test where that cannot be; see [Unavailable]. It
// offers PIPELINING, SIZE, DSN, 8BITMIME, SMTPUTF8 and CHUNKING, and logins by Cyrus SASL: PLAIN, LOGIN, CRAM-MD5,
// DIGEST-MD5, SCRAM-SHA-1, SCRAM-SHA-256 and others that are of no use to the user. With SMTPExplicit and not
// Require it offers them before STARTTLS too.
//
// It needs Linux, root and leave to make namespaces: its many processes run as users of its own, and a process
// namespace is what ends them all. The package must be installed, for Postfix finds its programs at fixed paths and
// its users in the system's files. Its configuration and queue are temporary, so servers do not see each other.
func Postfix(t testing.TB, cfg SMTPServerConfig) *SMTPServer {
	t.Helper()
	programs := Real(t, "postfix", "/usr/lib/postfix/sbin/master", "saslpasswd2")
	if os.Geteuid() != 0 {
		Unavailable(t, "postfix", "it needs root to become the users that it has")
	}
	dir := scratch(t, "postfix")
	s := newSMTPServer(t, filepath.Join(dir, "spool"), "incoming", "active", "deferred", "hold", "corrupt")
	owners := postfixOwners(t)
	owners.spool(t, dir)
	name := rand.Text()
	lines := append(s.postfix(dir, name), cfg.postfix()...)
	lines = append(lines, cfg.postfixTLS(s.identify(t, dir, cfg))...)
	if cfg.Login {
		lines = append(lines, s.postfixLogin(t, dir, programs[1], owners, cfg)...)
	}
	main := put(t, dir, "main.cf", strings.Join(append(lines, cfg.Lines...), "\n")+"\n", 0o644)
	// Postfix waits for two seconds before it believes in a file that was just written.
	if err := os.Chtimes(main, time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	d := daemon{name: "postfix", dir: dir, answers: s.greets(cfg, name), abrupt: true}
	d.logs = logs{filepath.Join(dir, "mail.log")}
	d.command = func(port uint16) *exec.Cmd {
		put(t, dir, "master.cf", fmt.Sprintf(postfixServices, port), 0o644)
		// Below another process: master becomes another user for a moment, and the kernel then forgets that it is to
		// end with this process.
		return isolated("sh", "-c", firstProcess, "sh", programs[0], "-d", "-c", dir)
	}
	s.endpoint = d.launch(t)
	return s
}

// postfixServices are what runs under master, nothing of it in a chroot.
const postfixServices = `127.0.0.1:%d inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

// postfix is the configuration that no setting changes. Everything that is taken goes to the sink, bounces as well.
func (s *SMTPServer) postfix(dir, name string) []string {
	return []string{
		"compatibility_level = 3.6", "queue_directory = " + s.spool, "data_directory = " + filepath.Join(dir, "data"),
		"maillog_file = " + filepath.Join(dir, "mail.log"), "maillog_file_prefixes = " + dir,
		"inet_interfaces = 127.0.0.1", "inet_protocols = ipv4", "myhostname = postfix.example",
		"smtpd_banner = $myhostname ESMTP " + name,
		"mynetworks =", "local_header_rewrite_clients =", "mydestination =", "alias_maps =", "relay_domains = " + s.Domain,
		"parent_domain_matches_subdomains =",
		fmt.Sprintf("relayhost = [127.0.0.1]:%d", s.sink.Port()),
		"smtp_dns_support_level = disabled", "smtp_host_lookup = native", "smtpd_peername_lookup = no",
		"allow_untrusted_routing = yes", "allow_percent_hack = no", "swap_bangpath = no",
		"smtpd_relay_restrictions = check_recipient_access inline:{ {" + s.Refused + " = 550 5.1.1 no such user} }" +
			" reject_unauth_destination",
		// No pauses for the sake of strangers, and of a busy machine.
		"smtpd_error_sleep_time = 0", "in_flow_delay = 0", "minimal_backoff_time = 1s", "queue_run_delay = 1s",
		"smtpd_client_connection_count_limit = 0",
	}
}

func (cfg SMTPServerConfig) postfix() []string {
	var lines []string
	if len(cfg.Without) > 0 {
		lines = append(lines, "smtpd_discard_ehlo_keywords = "+strings.Join(cfg.Without, ","))
	}
	if cfg.MaxSize != 0 {
		lines = append(lines, fmt.Sprintf("message_size_limit = %d", cfg.MaxSize))
	}
	return lines
}

func (cfg SMTPServerConfig) postfixTLS(files pemFiles) []string {
	if cfg.TLS == "" {
		return nil
	}
	level := "may"
	if cfg.Require || cfg.TLS == SMTPImplicit {
		level = "encrypt"
	}
	wrapped := "no"
	if cfg.TLS == SMTPImplicit {
		wrapped = "yes"
	}
	return []string{
		"smtpd_tls_security_level = " + level, "smtpd_tls_wrappermode = " + wrapped,
		"smtpd_tls_chain_files = " + files.key + " " + files.certificate, "smtpd_tls_loglevel = 1",
	}
}

// postfixLogin makes the database of users, which keeps passwords as they are: CRAM-MD5 and SCRAM need that.
func (s *SMTPServer) postfixLogin(
	t testing.TB, dir, saslpasswd2 string, owners postfixIDs, cfg SMTPServerConfig,
) []string {
	t.Helper()
	const realm = "postfix.example"
	database := filepath.Join(dir, "sasldb2")
	cmd := exec.Command(saslpasswd2, "-p", "-c", "-f", database, "-u", realm, s.User)
	cmd.Stdin = strings.NewReader(s.Password)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("saslpasswd2: %v: %s", err, out)
	}
	owners.own(t, database)
	conf := "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: " + database + "\n"
	if cfg.Mechanisms != nil {
		conf += "mech_list: " + strings.Join(cfg.Mechanisms, " ") + "\n"
	}
	// Debian's Postfix looks here, whatever cyrus_sasl_config_path says.
	if err := os.Mkdir(filepath.Join(dir, "sasl"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "sasl/smtpd.conf", conf, 0o644)
	return []string{
		"smtpd_sasl_auth_enable = yes", "smtpd_sasl_type = cyrus", "smtpd_sasl_path = smtpd",
		"smtpd_sasl_local_domain = " + realm,
		"smtpd_sasl_security_options = noanonymous",
		"smtpd_client_restrictions = permit_sasl_authenticated, reject",
	}
}

// postfixIDs are the user and the group that Debian's package makes.
type postfixIDs struct{ uid, gid, drop int }

func postfixOwners(t testing.TB) postfixIDs {
	t.Helper()
	account, err := user.Lookup("postfix")
	if err != nil {
		Unavailable(t, "postfix", err.Error())
	}
	group, err := user.LookupGroup("postdrop")
	if err != nil {
		Unavailable(t, "postfix", err.Error())
	}
	var ids postfixIDs
	for number, text := range map[*int]string{&ids.uid: account.Uid, &ids.gid: account.Gid, &ids.drop: group.Gid} {
		if *number, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

func (ids postfixIDs) own(t testing.TB, path string) {
	t.Helper()
	if err := os.Chown(path, ids.uid, ids.gid); err != nil {
		t.Fatal(err)
	}
}

// spool makes the directories that Postfix insists on, as the installation does.
func (ids postfixIDs) spool(t testing.TB, dir string) {
	t.Helper()
	mkdir := func(name string, mode os.FileMode, uid, gid int) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	mkdir("spool/pid", 0o755, 0, 0)
	mkdir("spool/public", 0o710|os.ModeSetgid, ids.uid, ids.drop)
	mkdir("spool/maildrop", 0o730|os.ModeSticky, ids.uid, ids.drop)
	for _, name := range strings.Fields("active bounce corrupt defer deferred flush hold incoming private saved trace") {
		mkdir("spool/"+name, 0o700, ids.uid, 0)
	}
	mkdir("data", 0o700, ids.uid, 0)
}

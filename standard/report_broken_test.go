package standard_test

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

// reportSite is ownSite and a server of implicit TLS, with the ports of what a
// definition can lead to by mistake.
func reportSite(t *testing.T) (site, map[string]uint16) {
	t.Helper()
	s := ownSite(t)
	implicit, err := testserver.StartFTP(testserver.FTPConfig{Users: map[string]string{"jobs": password}, TLS: testserver.FTPImplicit})
	require.NoError(t, err)
	mute, err := testserver.StartTCP(func(ctx context.Context, _ net.Conn) { <-ctx.Done() })
	require.NoError(t, err)
	gone, err := testserver.StartTCP(func(context.Context, net.Conn) {})
	require.NoError(t, err)
	post, err := testserver.StartSMTP(testserver.SMTPConfig{})
	require.NoError(t, err)
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(func() {
		web.Close()
		_ = implicit.Close()
		_ = mute.Close()
		_ = gone.Close()
		_ = post.Close()
	})
	c := server("ftp implicit", hawser.FTP, implicit.Port(), "jobs", password)
	c.TLS = hawser.TLSOptions{Mode: hawser.TLSImplicit, Roots: implicit.CA(), ServerName: "localhost"}
	s[c.Name] = c
	ports := map[string]uint16{
		"implicit": implicit.Port(), "mute": mute.Port(), "gone": gone.Port(), "closed": unused(t), "smtp": post.Port(),
		"web": portOf(t, web.Listener.Addr().String()),
	}
	for name, c := range s {
		ports[name] = c.Port
	}
	return s, ports
}

// A broken is one way in which a definition can be wrong, and what is said of it.
type broken struct {
	name   string
	of     string // whose definition, in the site
	change func(c *hawser.Connection)
	phase  hawser.Phase
	hint   string
}

func TestReportOfWhatIsGood(t *testing.T) {
	t.Parallel()
	s, _ := reportSite(t)
	const plain, shell = "lookup secrets resolve connect login", "lookup secrets resolve connect trust login"
	want := map[string]string{
		"ftp": plain + " data probe", "ftp tls": shell + " data probe", "ftp implicit": shell + " data probe",
		"sftp": shell + " probe", "ssh": shell + " probe", "smtp starttls": shell + " probe",
	}
	for name, c := range s {
		m := manage(t, []hawser.Connection{c})
		r := m.TestSaved(t.Context(), name)
		require.NoError(t, r.Err, "%v", r)
		assert.Equal(t, want[name], joinPhases(r), "%v", r)
		assert.Empty(t, r.Hint())
		assert.NotContains(t, r.String(), password)
		data := map[string]string{"ftp": "in the clear", "ftp tls": "TLS 1.3 resumed", "ftp implicit": "TLS 1.3 resumed"}[name]
		if data != "" {
			assert.Regexp(t, `^passive 127\.0\.0\.1:\d+, `+data+`$`, stepOf(r, hawser.PhaseData).Detail)
		}
	}
}

func TestReportOfWhatIsBroken(t *testing.T) {
	t.Parallel()
	s, ports := reportSite(t)
	dir := t.TempDir()
	key := filepath.Join(dir, "id")
	require.NoError(t, os.WriteFile(key, []byte("no key at all"), 0o600))
	for _, row := range brokenBySecrets(dir, key) {
		row.check(t, s)
	}
	for _, row := range brokenByPort(ports) {
		row.check(t, s)
	}
	for _, row := range brokenByLogin() {
		row.check(t, s)
	}
}

// check tests the definition, and that nothing of it is secret in what is said.
func (b broken) check(t *testing.T, s site) {
	t.Helper()
	t.Run(b.of+", "+b.name, func(t *testing.T) {
		t.Parallel()
		c := s[b.of].Clone()
		c.Timeout = 2 * time.Second
		b.change(&c)
		r := manage(t, slices.Collect(maps.Values(s))).Test(t.Context(), c)
		require.Error(t, r.Err)
		last := r.Steps[len(r.Steps)-1]
		assert.Equal(t, b.phase, last.Phase, "%v", r)
		assert.Equal(t, b.hint, last.Hint, "%v", r)
		assert.Equal(t, r.Hint(), last.Hint)
		for _, secret := range c.Secrets() {
			if secret.Reveal() != "" {
				assert.NotContains(t, r.String(), secret.Reveal())
			}
		}
	})
}

func brokenBySecrets(dir, key string) []broken {
	return []broken{
		{"fields", "ftp", func(c *hawser.Connection) { c.Host, c.TLS.Data = "", hawser.ProtectClear }, hawser.PhaseLookup, "correct host, tls.data"},
		{"a via that is not there", "ssh", func(c *hawser.Connection) { c.Via = "jump" }, hawser.PhaseLookup, "correct the name, or save a connection under it"},
		{"a circle", "ssh", func(c *hawser.Connection) { c.Via = "ssh" }, hawser.PhaseLookup, "correct via"},
		{"a protocol", "ftp", func(c *hawser.Connection) { c.Protocol, c.TLS = "gopher", hawser.TLSOptions{} }, hawser.PhaseLookup, "correct protocol, or build the program with a driver for it"},
		{"a variable", "ftp", func(c *hawser.Connection) { c.Auth.Password = hawser.SecretRef("env:HAWSER_NOT_SET") }, hawser.PhaseSecrets, "correct the secret, key or certificate that the error names, or the reference to it"},
		{"a secret file", "ftp", func(c *hawser.Connection) { c.Auth.Password = hawser.SecretRef("file:" + filepath.Join(dir, "none")) }, hawser.PhaseSecrets, "put the file there, on the machine that runs this program, or correct its path"},
		{"a key file", "sftp", func(c *hawser.Connection) { c.Auth.Key.File = filepath.Join(dir, "none") }, hawser.PhaseSecrets, "put the file there, on the machine that runs this program, or correct its path"},
		{"no key", "sftp", func(c *hawser.Connection) { c.Auth.Key.File = key }, hawser.PhaseSecrets, "correct the secret, key or certificate that the error names, or the reference to it"},
		{"a client certificate", "ftp tls", func(c *hawser.Connection) { c.TLS.Certificate.File = filepath.Join(dir, "none") }, hawser.PhaseSecrets, "put the file there, on the machine that runs this program, or correct its path"},
	}
}

// brokenByPort is what is said where a definition leads to a server of another kind.
func brokenByPort(ports map[string]uint16) []broken {
	const (
		refused  = "check port, and whether the server runs: nothing listens there, or a firewall says no"
		silent   = "the server takes the connection and says nothing: it may expect TLS from the first byte (set tls.mode to implicit), or port is that of another service"
		atOnce   = "the server hangs up at once: it may have too many sessions or not admit this machine, or port is that of another service"
		noSSH    = "the server hangs up before the login: it may have too many sessions (OpenSSH: MaxStartups) or not admit this machine, or port is that of another service"
		muteSSH  = "the server takes the connection and does not speak SSH: check port"
		noHands  = "the server takes the connection and shakes no hands: set tls.mode to explicit, or port to that of implicit TLS"
		web      = `a web server answers ("HTTP/1.1 400 Bad Request"): set port to that of the server that is meant`
		isSSH    = `an SSH server answers ("SSH-2.0-Go"): set protocol to sftp or ssh, or port to that of the server that is meant`
		ftpLines = `("220 hawser test server")`
	)
	to := func(port string) func(c *hawser.Connection) {
		return func(c *hawser.Connection) { c.Port = ports[port] }
	}
	rows := []broken{
		{"implicit TLS", "ftp", to("implicit"), hawser.PhaseConnect, silent},
		{"a web server", "ftp", to("web"), hawser.PhaseConnect, silent},
		{"SMTP", "ftp", to("smtp starttls"), hawser.PhaseLogin, "the server does not know how FTP logs in: check protocol and port, or set tls.mode to explicit"},
		{"no TLS", "ftp tls", to("ftp"), hawser.PhaseTrust, "set tls.mode to implicit, with the port of that, or to none if files and password may travel in the clear"},
		{"explicit TLS", "ftp implicit", to("ftp"), hawser.PhaseTrust, "the server begins in the clear " + ftpLines + ": set tls.mode to explicit, or port to that of implicit TLS"},
		{"a web server", "ftp implicit", to("web"), hawser.PhaseTrust, web},
		{"SSH", "ftp implicit", to("ssh"), hawser.PhaseTrust, isSSH},
		{"silence", "ftp implicit", to("mute"), hawser.PhaseTrust, noHands},
		{"FTP", "smtp starttls", to("ftp"), hawser.PhaseConnect, "the server knows neither EHLO nor HELO, so it is none of mail: check protocol and port"},
		{"implicit TLS", "smtp starttls", to("implicit"), hawser.PhaseConnect, silent},
		{"no STARTTLS", "smtp starttls", to("smtp"), hawser.PhaseTrust, "set tls.mode to implicit, with the port of that (465), or to none if mail and password may travel in the clear"},
	}
	for _, of := range []string{"ftp", "ftp tls", "smtp starttls"} {
		rows = append(rows,
			broken{"a port where nobody listens", of, to("closed"), hawser.PhaseConnect, refused},
			broken{"silence", of, to("mute"), hawser.PhaseConnect, silent},
			broken{"an end at once", of, to("gone"), hawser.PhaseConnect, atOnce},
			broken{"SSH", of, to("ssh"), hawser.PhaseConnect, isSSH},
		)
	}
	for _, of := range []string{"ssh", "sftp"} {
		rows = append(rows,
			broken{"a port where nobody listens", of, to("closed"), hawser.PhaseConnect, refused},
			broken{"silence", of, to("mute"), hawser.PhaseTrust, muteSSH},
			broken{"an end at once", of, to("gone"), hawser.PhaseTrust, noSSH},
			broken{"a web server", of, to("web"), hawser.PhaseTrust, web},
			broken{"FTP", of, to("ftp"), hawser.PhaseTrust, "a server of FTP or mail answers " + ftpLines + ": set protocol to ftp or smtp, or port to that of SSH"},
		)
	}
	return rows
}

func brokenByLogin() []broken {
	wrong := func(c *hawser.Connection) { c.Auth.Password = hawser.NewSecret("incorrect-horse-7") }
	const check = "check auth.user and auth.password"
	const certificate = "compare the fingerprint with what the server's operator says, then accept it, set tls.roots to its authority, or allow what is wrong by tls.allow"
	const hostKey = "compare the fingerprint with what ssh-keygen -l says on the server, then accept it or add it to ssh.host_keys"
	return []broken{
		{"a password", "ftp", wrong, hawser.PhaseLogin, check + "; if both are right, the server may want TLS: set tls.mode to explicit"},
		{"a password", "ftp tls", wrong, hawser.PhaseLogin, check},
		{"a password", "ssh", wrong, hawser.PhaseLogin, check},
		{"a password", "sftp", wrong, hawser.PhaseLogin, check},
		{"a password", "smtp starttls", wrong, hawser.PhaseLogin, check},
		{"a method", "ssh", func(c *hawser.Connection) {
			c.Auth.Password, c.Auth.Anonymous = hawser.Secret{}, true
		}, hawser.PhaseLogin, "the server takes a password: set auth.password"},
		{"a mechanism", "smtp starttls", func(c *hawser.Connection) {
			c.SMTP.Auth = []string{"XOAUTH2"}
		}, hawser.PhaseLogin, "set smtp.auth to mechanisms that the server offers and auth.password is for, or leave it out"},
		{"an authority", "ftp tls", func(c *hawser.Connection) { c.TLS.Roots = "" }, hawser.PhaseTrust, certificate},
		{"a name", "smtp starttls", func(c *hawser.Connection) { c.TLS.ServerName = "mail.example.com" }, hawser.PhaseTrust, certificate},
		{"a host key", "ssh", func(c *hawser.Connection) { c.SSH.HostKeys = nil }, hawser.PhaseTrust, hostKey},
		{"a subsystem", "sftp", func(c *hawser.Connection) { c.SFTP.Subsystem = "none" }, hawser.PhaseLogin, ""},
	}
}

// joinPhases are the steps of r, with their hops.
func joinPhases(r hawser.Report) string {
	var all []string
	for _, s := range r.Steps {
		name := string(s.Phase)
		if s.Hop != "" {
			name = s.Hop + ": " + name
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

// stepOf is the first step of phase.
func stepOf(r hawser.Report, phase hawser.Phase) hawser.Step {
	for _, s := range r.Steps {
		if s.Phase == phase {
			return s
		}
	}
	return hawser.Step{}
}

package tlsconf_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/internal/tlsconf"
)

// noEMS makes OpenSSL as servers were before RFC 7627.
const noEMS = `openssl_conf = main
[main]
ssl_conf = ssl
[ssl]
system_default = all
[all]
Options = -ExtendedMasterSecret
`

// openssl starts `openssl s_server` for the length of the test. It answers each
// line with the line reversed.
func openssl(t testing.TB, server *testcert.Pair, options ...string) string {
	t.Helper()
	program := testserver.Real(t, "openssl", "openssl")[0]
	pair := testcert.File(t, "server.pem", append(testcert.PEM(server), testcert.KeyPEM(t, server)...))
	arguments := append([]string{"s_server", "-accept", "127.0.0.1:0", "-cert", pair, "-rev"}, options...)
	cmd := exec.Command(program, arguments...)
	if i := slices.Index(cmd.Args, "-no_ems"); i >= 0 { // an option that OpenSSL has in its configuration alone
		cmd.Args = slices.Delete(cmd.Args, i, i+1)
		cmd.Env = append(os.Environ(), "OPENSSL_CONF="+testcert.File(t, "openssl.cnf", []byte(noEMS)))
	}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	addresses := make(chan string, 1)
	var log strings.Builder
	done := make(chan struct{})
	go func() { // ends with the process, which the cleanup ends
		defer close(done)
		defer close(addresses)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if addr, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok && len(addresses) == 0 {
				addresses <- addr
			}
			log.WriteString(lines.Text() + "\n")
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("openssl %s:\n%s", strings.Join(arguments, " "), log.String())
		}
	})
	addr, ok := <-addresses
	if !ok {
		<-done
		require.Fail(t, "openssl does not start", log.String())
	}
	return addr
}

// converse shakes hands, says a line and reads the answer, so that also what a
// server of TLS 1.3 thinks of the client is known.
func converse(t testing.TB, k *tlsconf.Client, addr string) (*tls.Conn, error) {
	t.Helper()
	c, err := handshake(t, k, addr)
	if err != nil {
		return nil, err
	}
	if _, err := c.Write([]byte("abc\n")); err != nil {
		return nil, k.Explain(err)
	}
	return c, k.Explain(read(c))
}

// A table collects what was seen, for the log.
type table struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (l *table) add(server, options, result string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf("%-58s | %-34s | %s", server, options, result))
}

func TestRealOpenSSL(t *testing.T) {
	t.Parallel()
	program := testserver.Real(t, "openssl", "openssl")[0]
	root, others := testcert.Root(t), testcert.Root(t)
	good, stranger := testcert.Server(t, root, clientFor), testcert.Server(t, others, clientFor)
	rootFile := testcert.File(t, "root.pem", testcert.PEM(root))
	othersFile := testcert.File(t, "others.pem", testcert.PEM(others))
	otherPair := testcert.File(t, "other.pem", append(testcert.PEM(root), testcert.KeyPEM(t, root)...))
	server := rsaServer(t)
	const weak = "-cipher DEFAULT@SECLEVEL=0"
	legacy := func(c *hawser.Connection) { c.TLS.Legacy = true }
	from := func(version string) func(*hawser.Connection) {
		return func(c *hawser.Connection) { c.TLS.MinVersion = version }
	}
	upTo := func(version string) func(*hawser.Connection) {
		return func(c *hawser.Connection) { c.TLS.MaxVersion = version }
	}
	as := func(p *testcert.Pair) func(*hawser.Connection) { return func(c *hawser.Connection) { login(t, c, p) } }
	verify := "-Verify 1 -verify_return_error -CAfile " + rootFile
	foreign := "-Verify 1 -verify_return_error -CAfile " + othersFile + " -verifyCAfile " + rootFile
	const required = "asked for a client certificate and none was sent; set tls.certificate"
	const refused = "refused the client certificate that was sent"

	var seen table
	t.Cleanup(func() { t.Log("server | options | result\n" + strings.Join(seen.lines, "\n")) })
	for _, row := range []struct {
		server  string
		options string
		edit    func(*hawser.Connection)
		version uint16 // 0: it fails
		kind    error
		want    string // in the error, or the cipher
	}{
		{"-tls1 " + weak, "", nil, 0, errors.ErrUnsupported, `set tls.min_version to "1.0"`},
		{"-tls1 " + weak, "min 1.0", from("1.0"), tls.VersionTLS10, nil, ""},
		{"-tls1_1 " + weak, "", nil, 0, errors.ErrUnsupported, `set tls.min_version to "1.0"`},
		{"-tls1_1 " + weak, "min 1.1", from("1.1"), tls.VersionTLS11, nil, ""},
		{"-tls1_2", "", nil, tls.VersionTLS12, nil, ""},
		{"-tls1_2", "min 1.3", from("1.3"), 0, errors.ErrUnsupported, `does not speak TLS 1.3 (tls: protocol version not supported); set tls.min_version to "1.2"`},
		{"-tls1_3", "", nil, tls.VersionTLS13, nil, ""},
		{"-tls1_3", "max 1.2", upTo("1.2"), 0, errors.ErrUnsupported, `set tls.max_version to "1.3"`},
		{"", "", nil, tls.VersionTLS13, nil, ""},
		{"-tls1_2 -cipher AES128-SHA", "", nil, 0, errors.ErrUnsupported, "set tls.legacy"},
		{"-tls1_2 -cipher AES128-SHA", "legacy", legacy, tls.VersionTLS12, nil, "TLS_RSA_WITH_AES_128_CBC_SHA"},
		{"-tls1_2 -cipher AES256-GCM-SHA384", "legacy", legacy, tls.VersionTLS12, nil, "TLS_RSA_WITH_AES_256_GCM_SHA384"},
		{"-tls1 -cipher AES128-SHA@SECLEVEL=0", "min 1.0", from("1.0"), 0, errors.ErrUnsupported, "set tls.legacy"},
		{"-tls1 -cipher AES128-SHA@SECLEVEL=0", "min 1.0, legacy", func(c *hawser.Connection) { from("1.0")(c); legacy(c) }, tls.VersionTLS10, nil, "TLS_RSA_WITH_AES_128_CBC_SHA"},
		{"-tls1_2 -cipher DES-CBC3-SHA@SECLEVEL=0", "legacy", legacy, tls.VersionTLS12, nil, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"},
		{"-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256", "legacy", legacy, 0, errors.ErrUnsupported, "such as DHE"},
		{"-servername a.example.com -servername_fatal -cert2 " + otherPair + " -key2 " + otherPair, "", nil, 0, nil, "set tls.server_name"},
		{"-tls1_2 " + verify, "", nil, 0, hawser.ErrAuth, required},
		{"-tls1_3 " + verify, "", nil, 0, hawser.ErrAuth, required},
		{"-tls1_2 " + verify, "certificate", as(good), tls.VersionTLS12, nil, ""},
		{"-tls1_3 " + verify, "certificate", as(good), tls.VersionTLS13, nil, ""},
		{"-tls1_2 " + verify, "certificate of another CA", as(stranger), 0, hawser.ErrAuth, refused},
		{"-tls1_3 " + verify, "certificate of another CA", as(stranger), 0, hawser.ErrAuth, refused},
		{"-tls1_2 " + foreign, "certificate that the list lacks", as(good), tls.VersionTLS12, nil, ""},
		{"-tls1_3 " + foreign, "certificate that the list lacks", as(good), tls.VersionTLS13, nil, ""},
		{"-tls1_2 -no_ca_names " + verify, "certificate", as(good), tls.VersionTLS12, nil, ""},
		{"-tls1_1 -verify_return_error -Verify 1 -CAfile " + rootFile + " " + weak, "min 1.0", from("1.0"), 0, hawser.ErrAuth, required},
		{"-tls1_1 -verify_return_error -Verify 1 -CAfile " + rootFile + " " + weak, "min 1.0, certificate", func(c *hawser.Connection) { from("1.0")(c); as(good)(c) }, tls.VersionTLS11, nil, ""},
	} {
		shown := row.server
		for _, path := range []string{rootFile, othersFile, otherPair} {
			shown = strings.ReplaceAll(shown, path, filepath.Base(path))
		}
		t.Run(shown+" with "+row.options, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(row.server, "DES-CBC3") && exec.Command(program, "ciphers", "DES-CBC3-SHA@SECLEVEL=0").Run() != nil {
				seen.add(shown, row.options, "skipped: this openssl has no 3DES")
				t.Skip("this openssl has no 3DES")
			}
			c := ftps(t, server)
			if row.edit != nil {
				row.edit(&c)
			}
			conn, err := converse(t, newClient(t, c, tlsconf.Options{}), openssl(t, server, strings.Fields(row.server)...))
			if row.version == 0 {
				require.ErrorContains(t, err, row.want)
				if row.kind != nil {
					require.ErrorIs(t, err, row.kind)
				}
				requireFinal(t, err)
				seen.add(shown, row.options, err.Error())
				return
			}
			require.NoError(t, err)
			state := conn.ConnectionState()
			assert.Equal(t, tls.VersionName(row.version), tls.VersionName(state.Version))
			if row.want != "" {
				assert.Equal(t, row.want, tls.CipherSuiteName(state.CipherSuite))
			}
			seen.add(shown, row.options, tls.VersionName(state.Version)+" "+tls.CipherSuiteName(state.CipherSuite))
		})
	}
}

func TestRealOpenSSLResumes(t *testing.T) {
	t.Parallel()
	var seen table
	t.Cleanup(func() { t.Log("server | options | result\n" + strings.Join(seen.lines, "\n")) })
	for _, row := range []struct {
		server  string
		expired bool
		want    int
	}{
		{"-tls1_2", false, many},
		{"-tls1_2", true, many},
		{"-tls1_2 -no_cache", false, many},
		{"-tls1_2 -no_ticket", false, many}, // by session identifier
		{"-tls1_3", false, many},
		{"-tls1_3", true, many},
		{"-tls1_3 -num_tickets 1", false, many},
		{"-tls1_3 -no_ticket", false, many}, // kept by the server
		{"-tls1_3 -num_tickets 0", false, 0},
		{"-tls1_2 -no_ticket", true, many},
		{"-tls1_2 -no_ticket -no_ems", false, many},
		{"-tls1_2 -no_ticket -no_cache", false, 0},
		{"-no_ticket -no_tls1_3", false, many},
		{"-tls1 -cipher DEFAULT@SECLEVEL=0", false, many},
		{"-tls1 -no_ticket -cipher DEFAULT@SECLEVEL=0", false, many},
	} {
		options := map[bool]string{false: "", true: "expired certificate, accepted"}[row.expired]
		t.Run(row.server+" "+options, func(t *testing.T) {
			t.Parallel()
			server := testcert.Server(t, nil)
			c, o := ftps(t, server), tlsconf.Options{}
			if row.expired {
				server, o.Verifier = testcert.Server(t, nil, testcert.Expired), anyone()
			}
			c.TLS.MinVersion = "1.0"
			k := newClient(t, c, o)
			addr := openssl(t, server, strings.Fields(row.server)...)
			control, err := converse(t, k, addr)
			require.NoError(t, err)
			state := control.ConnectionState()
			_, err = state.ExportKeyingMaterial("EXPERIMENTAL", nil, 1)
			require.Equal(t, strings.Contains(row.server, "-no_ems"), err != nil)
			require.NoError(t, control.Close()) // s_server serves one at a time
			sequential, parallel := resumes(t, k, addr)
			assert.Equal(t, row.want, sequential)
			assert.Equal(t, row.want, parallel)
			seen.add(row.server, options, fmt.Sprintf("%d of %d in turn, %d of %d at once", sequential, many, parallel, many))
		})
	}
}

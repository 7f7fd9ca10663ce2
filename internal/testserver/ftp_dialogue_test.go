package testserver

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dialogue is an FTP client that says what the test tells it to.
type dialogue struct {
	t       *testing.T
	conn    net.Conn
	text    *textproto.Conn
	tls     *tls.Config // nil without TLS
	private bool        // data connections speak TLS
	last    *tls.Conn   // the latest data connection
}

// converse reads the greeting of a server. config is for TLS: from the start if implicit, else for AUTH.
func converse(t *testing.T, addr string, config *tls.Config, implicit bool) *dialogue {
	t.Helper()
	c := connect(t, addr)
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	d := &dialogue{t: t, conn: c, tls: config}
	if implicit {
		d.conn = tls.Client(c, config)
	}
	d.text = textproto.NewConn(d.conn)
	d.answer(220)
	return d
}

// answer wants a reply of code, and returns its text.
func (d *dialogue) answer(code int) string {
	d.t.Helper()
	_, text, err := d.text.ReadResponse(code)
	require.NoError(d.t, err)
	return text
}

// say wants a command to be answered by code, and returns the text.
func (d *dialogue) say(line string, code int) string {
	d.t.Helper()
	require.NoError(d.t, d.text.PrintfLine("%s", line))
	_, text, err := d.text.ReadResponse(code)
	require.NoError(d.t, err, line)
	return text
}

// auth changes to TLS.
func (d *dialogue) auth() {
	d.t.Helper()
	d.say("AUTH TLS", 234)
	d.conn = tls.Client(d.conn, d.tls)
	d.text = textproto.NewConn(d.conn)
}

// protect makes data connections speak TLS.
func (d *dialogue) protect() {
	d.t.Helper()
	d.say("PBSZ 0", 200)
	d.say("PROT P", 200)
	d.private = true
}

func (d *dialogue) login(user, password string) {
	d.t.Helper()
	d.say("USER "+user, 331)
	d.say("PASS "+password, 230)
}

// passive opens a data connection.
func (d *dialogue) passive() net.Conn {
	d.t.Helper()
	found := regexp.MustCompile(`\(\|\|\|(\d+)\|\)`).FindStringSubmatch(d.say("EPSV", 229))
	require.NotNil(d.t, found)
	host, _, err := net.SplitHostPort(d.conn.RemoteAddr().String())
	require.NoError(d.t, err)
	return connect(d.t, net.JoinHostPort(host, found[1]))
}

// move does a transfer over the connection given: it sends content, or returns what comes if that is nil.
func (d *dialogue) move(c net.Conn, line string, content []byte) []byte {
	d.t.Helper()
	require.NoError(d.t, d.text.PrintfLine("%s", line))
	d.answer(1)
	require.NoError(d.t, c.SetDeadline(time.Now().Add(20*time.Second)))
	raw := c
	if d.private {
		d.last = tls.Client(c, d.tls)
		require.NoError(d.t, d.last.Handshake())
		c = d.last
	}
	if content == nil {
		got, err := io.ReadAll(c)
		require.NoError(d.t, err)
		require.NoError(d.t, c.Close())
		d.answer(226)
		return got
	}
	_, err := c.Write(content)
	require.NoError(d.t, err)
	if d.private {
		require.NoError(d.t, d.last.CloseWrite())
	}
	require.NoError(d.t, raw.(*net.TCPConn).CloseWrite())
	_, _ = io.Copy(io.Discard, c)
	require.NoError(d.t, raw.Close())
	d.answer(226)
	return nil
}

func (d *dialogue) download(line string) string {
	d.t.Helper()
	return string(d.move(d.passive(), line, nil))
}

func (d *dialogue) upload(line, content string) {
	d.t.Helper()
	d.move(d.passive(), line, []byte(content))
}

// trusting is a client's configuration for a server of 127.0.0.1 and an authority in a PEM file.
func trusting(t *testing.T, caFile string) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(caFile)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(text))
	return &tls.Config{
		RootCAs: pool, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}
}

// run runs an independent client and returns its output and exit status.
func run(t *testing.T, program string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(Real(t, program, program)[0], args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	t.Logf("%s %v: %d\n%s", program, args, cmd.ProcessState.ExitCode(), stderr.String())
	return stdout.String(), cmd.ProcessState.ExitCode()
}

// pattern is n bytes that no run of equal bytes, shift or cut leaves alike.
func pattern(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		_, _ = fmt.Fprintf(&b, "%d\r\n%d\n\x00\xff", i, i*i)
	}
	return b.Bytes()[:n]
}

package ssh_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// user is that of testserver's real servers too.
const user = "hawser"

// soon is what a busy machine may take for what should take no time; the goal is 100 ms.
const soon = 2 * time.Second

// start starts an in-process server for the length of the test.
func start(t testing.TB, cfg testserver.SSHConfig) *testserver.SSH {
	t.Helper()
	s, err := testserver.StartSSH(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// startTCP starts a server that gives each connection to handle.
func startTCP(t testing.TB, handle testserver.Handler) *testserver.TCP {
	t.Helper()
	s, err := testserver.StartTCP(handle)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// to is a connection without login to the server, whose key it lists. It has
// no keepalive, so that a test sees its own messages alone.
func to(s *testserver.SSH) hawser.Connection {
	return at(s.Host(), s.Port(), s.HostKey())
}

func at(host string, port uint16, keys ...xssh.PublicKey) hawser.Connection {
	c := hawser.Connection{
		Name: "box", Protocol: hawser.SSH, Host: host, Port: port,
		Auth: hawser.Auth{User: user},
		SSH:  hawser.SSHOptions{KeepAlive: -1},
	}
	for _, key := range keys {
		c.SSH.HostKeys = append(c.SSH.HostKeys, xssh.FingerprintSHA256(key))
	}
	return c
}

func withPassword(c hawser.Connection, password string) hawser.Connection {
	c.Auth.Password = hawser.NewSecret(password)
	return c
}

// login opens c for the length of the test.
func login(t testing.TB, c hawser.Connection) *ssh.Session {
	t.Helper()
	return loginBy(t, ssh.Dialer{}, c)
}

func loginBy(t testing.TB, d ssh.Dialer, c hawser.Connection) *ssh.Session {
	t.Helper()
	s, err := d.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// refused opens c, which must fail.
func refused(t testing.TB, d ssh.Dialer, c hawser.Connection) *hawser.Error {
	t.Helper()
	s, err := d.Dial(t.Context(), c)
	return requireError(t, s, err)
}

func requireError(t testing.TB, s hawser.Session, err error) *hawser.Error {
	t.Helper()
	if err == nil {
		_ = s.Close()
		require.Fail(t, "Dial succeeded")
	}
	require.Nil(t, s)
	var e *hawser.Error
	require.ErrorAs(t, err, &e)
	return e
}

// newSigner returns a fresh Ed25519 key.
func newSigner(t testing.TB) xssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return signerOf(t, key)
}

func newRSA(t testing.TB) xssh.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return signerOf(t, key)
}

func signerOf(t testing.TB, key any) xssh.Signer {
	t.Helper()
	signer, err := xssh.NewSignerFromKey(key)
	require.NoError(t, err)
	return signer
}

// A verifier answers by its function and remembers what it was asked.
type verifier struct {
	answer func(ctx context.Context, p hawser.Peer) error // nil: trust
	mu     sync.Mutex                                     // guards peers
	peers  []hawser.Peer
}

func (v *verifier) Verify(ctx context.Context, _ hawser.Connection, p hawser.Peer) error {
	v.mu.Lock()
	v.peers = append(v.peers, p)
	v.mu.Unlock()
	if v.answer == nil {
		return nil
	}
	return v.answer(ctx, p)
}

func (v *verifier) asked() []hawser.Peer {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.peers
}

// trusting dials without looking at host keys.
func trusting() ssh.Dialer { return ssh.Dialer{Verifier: &verifier{}} }

// A pipe is a Transport to a server that does not listen, for synctest.
type pipe struct{ server *testserver.SSH }

func (p pipe) DialNet(context.Context, hawser.Connection, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	go p.server.ServeConn(far) // ends with the connection or the server
	return near, nil
}

// A recorder is a Trace that keeps what it is told.
type recorder struct {
	mu       sync.Mutex // guards all below
	messages []hawser.Message
	lines    []string // "> " or "< " and the text
	steps    []hawser.Step
}

func (r *recorder) trace() *hawser.Trace {
	note := func(direction string) func(hawser.Message) {
		return func(m hawser.Message) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.messages = append(r.messages, m)
			r.lines = append(r.lines, direction+m.Text)
		}
	}
	return &hawser.Trace{Sent: note("> "), Received: note("< "), Step: func(_ string, s hawser.Step) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.steps = append(r.steps, s)
	}}
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

// A tally counts what a server is asked for in logins.
type tally struct {
	mu       sync.Mutex // guards attempts
	attempts map[string]int
}

func (y *tally) config(c *xssh.ServerConfig) {
	c.AuthLogCallback = func(_ xssh.ConnMetadata, method string, _ error) {
		y.mu.Lock()
		defer y.mu.Unlock()
		if y.attempts == nil {
			y.attempts = map[string]int{}
		}
		y.attempts[method]++
	}
}

func (y *tally) of(method string) int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.attempts[method]
}

// A hostKey counts its signatures, of which there is one a key exchange, and
// becomes another key after the first if it has one.
type hostKey struct {
	xssh.Signer
	next   xssh.Signer
	signed atomic.Int64
}

func (k *hostKey) current() xssh.Signer {
	if k.next != nil && k.signed.Load() > 0 {
		return k.next
	}
	return k.Signer
}

func (k *hostKey) PublicKey() xssh.PublicKey { return k.current().PublicKey() }

func (k *hostKey) Sign(random io.Reader, data []byte) (*xssh.Signature, error) {
	signer := k.current()
	k.signed.Add(1)
	return signer.Sign(random, data)
}

// fixture is the path of one of sshkey's test keys, whose passphrase is below.
func fixture(name string) string { return "../internal/sshkey/testdata/" + name }

const passphrase = "correct horse"

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// requireSoon fails t if more than soon has passed since start, and returns what has.
func requireSoon(t testing.TB, start time.Time) time.Duration {
	t.Helper()
	took := time.Since(start)
	require.Less(t, took, soon)
	return took
}

package tlsconf_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/internal/tlsconf"
)

// serverRSA is made once, because that takes long.
var serverRSA = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func rsaServer(t testing.TB, edits ...testcert.Edit) *testcert.Pair {
	t.Helper()
	key, err := serverRSA()
	require.NoError(t, err)
	return testcert.Sign(t, nil, key, edits...)
}

// ftps is a connection to localhost that trusts roots.
func ftps(t testing.TB, roots ...*testcert.Pair) hawser.Connection {
	t.Helper()
	c := hawser.Connection{Protocol: hawser.FTP, Host: "localhost", TLS: hawser.TLSOptions{Mode: hawser.TLSExplicit}}
	if len(roots) > 0 {
		c.TLS.Roots = testcert.File(t, "roots.pem", testcert.PEM(roots...))
	}
	return c
}

// login gives c the client certificate p.
func login(t testing.TB, c *hawser.Connection, p *testcert.Pair) {
	t.Helper()
	c.TLS.Certificate.Content = hawser.NewSecret(string(testcert.PEM(p)) + string(testcert.KeyPEM(t, p)))
}

func newClient(t testing.TB, c hawser.Connection, o tlsconf.Options) *tlsconf.Client {
	t.Helper()
	k, err := tlsconf.New(c, o)
	require.NoError(t, err)
	return k
}

// A verifierFunc is a hawser.Verifier.
type verifierFunc func(ctx context.Context, c hawser.Connection, p hawser.Peer) error

func (f verifierFunc) Verify(ctx context.Context, c hawser.Connection, p hawser.Peer) error {
	return f(ctx, c, p)
}

// anyone is a Verifier that accepts every certificate.
func anyone() hawser.Verifier {
	return verifierFunc(func(context.Context, hawser.Connection, hawser.Peer) error { return nil })
}

// greet is a testserver.Handler that shakes hands, greets and sends back what
// it reads.
func greet(config *tls.Config) testserver.Handler {
	return func(_ context.Context, c net.Conn) {
		conn := tls.Server(c, config)
		if _, err := io.WriteString(conn, "220 ready\r\n"); err != nil {
			return
		}
		_, _ = io.Copy(conn, conn)
	}
}

func start(t testing.TB, handle testserver.Handler) string {
	t.Helper()
	s, err := testserver.StartTCP(handle)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s.Addr()
}

// startTLS starts a server with the certificate p.
func startTLS(t testing.TB, p *testcert.Pair, edits ...func(*tls.Config)) string {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{p.TLS()}}
	for _, edit := range edits {
		edit(config)
	}
	return start(t, greet(config))
}

// patience is far longer than anything takes here.
const patience = 20 * time.Second

// dial connects, for the length of the test, to what speaks no TLS yet.
func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// A closeable notes whether it was closed.
type closeable struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func watch(conn net.Conn) *closeable { return &closeable{Conn: conn, closed: make(chan struct{})} }

func (c *closeable) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func (c *closeable) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// handshake opens the control connection and requires that one that fails is
// closed.
func handshake(t testing.TB, k *tlsconf.Client, addr string) (*tls.Conn, error) {
	t.Helper()
	return shake(t, addr, k.Handshake)
}

func data(t testing.TB, k *tlsconf.Client, addr string) (*tls.Conn, error) {
	t.Helper()
	return shake(t, addr, k.Data)
}

func shake(t testing.TB, addr string, with func(context.Context, net.Conn) (*tls.Conn, error)) (*tls.Conn, error) {
	t.Helper()
	conn := watch(dial(t, addr))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := with(ctx, conn)
	if err != nil {
		require.Nil(t, c)
		require.True(t, conn.isClosed(), "what fails is closed")
		return nil, err
	}
	require.False(t, conn.isClosed())
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	t.Cleanup(func() { _ = c.Close() })
	return c, nil
}

// read reads a little, as far as the session tickets of TLS 1.3 at least.
func read(c *tls.Conn) error {
	n, err := c.Read(make([]byte, 100))
	if n > 0 {
		return nil
	}
	if err == nil {
		err = errors.New("read nothing")
	}
	return err
}

// connect shakes hands and reads; an error of the read is explained.
func connect(t testing.TB, k *tlsconf.Client, addr string) (*tls.Conn, error) {
	t.Helper()
	c, err := handshake(t, k, addr)
	if err != nil {
		return nil, err
	}
	return c, k.Explain(read(c))
}

// requireFinal requires that err is not one that a retry could mend.
func requireFinal(t testing.TB, err error) {
	t.Helper()
	require.Error(t, err)
	require.False(t, opening.IsLoss(err), "a refusal is no loss: %v", err)
	require.NotErrorIs(t, err, hawser.ErrLost)
}

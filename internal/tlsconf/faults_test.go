package tlsconf_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/internal/tlsconf"
)

// A faulty conn delivers the first bytes of a server alone, then it fails in
// the way of what.
type faulty struct {
	*closeable
	what string // "cut", "stall" or "garbage"

	mu   sync.Mutex // guards both
	left int
	read int
}

func (f *faulty) Read(b []byte) (int, error) {
	f.mu.Lock()
	left := f.left
	f.mu.Unlock()
	if left == 0 {
		return f.fail(b)
	}
	n, err := f.closeable.Read(b[:min(len(b), left)])
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left -= n
	f.read += n
	return n, err
}

func (f *faulty) fail(b []byte) (int, error) {
	switch f.what {
	case "cut":
		return 0, io.EOF
	case "stall":
		<-f.closed
		return 0, net.ErrClosed
	}
	n, err := f.closeable.Read(b)
	for i := range n {
		b[i] ^= 0x55
	}
	return n, err
}

// broken shakes hands with a server of which but the first bytes arrive. It
// returns the error, and how many bytes were read.
func broken(t testing.TB, ctx context.Context, k *tlsconf.Client, config *tls.Config, what string, bytes int) (int, error) {
	t.Helper()
	near, far := net.Pipe()
	ended := make(chan struct{})
	go func() { // ends with the pipe, which is closed below
		defer close(ended)
		conn := tls.Server(far, config)
		_ = conn.Handshake()
		_ = conn.Close()
	}()
	conn := &faulty{closeable: watch(near), what: what, left: bytes}
	c, err := k.Handshake(ctx, conn)
	require.Equal(t, err != nil, conn.isClosed(), "closed if and only if it failed")
	require.Equal(t, err != nil, c == nil)
	_ = conn.Close()
	<-ended
	return conn.read, err
}

func TestFaultsAtEveryByteOfAHandshake(t *testing.T) {
	t.Parallel()
	certificates := []tls.Certificate{testcert.Server(t, nil).TLS()}
	k := newClient(t, ftps(t), tlsconf.Options{Verifier: anyone()})
	const enough = 1 << 20
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{
			Certificates: certificates, MaxVersion: version, SessionTicketsDisabled: true,
			CurvePreferences: []tls.CurveID{tls.X25519}, // for a short hello
		}
		whole, err := broken(t, t.Context(), k, config, "cut", enough)
		require.NoError(t, err)
		step := 1
		if racing {
			step = 37
		}
		for _, row := range []struct {
			what  string
			check func(t *testing.T, err error)
		}{
			{"cut", func(t *testing.T, err error) {
				require.ErrorIs(t, err, hawser.ErrLost)
				require.True(t, opening.IsLoss(err))
				require.ErrorContains(t, err, "the server closed the connection during the TLS handshake: ")
			}},
			{"stall", func(t *testing.T, err error) { require.Equal(t, context.DeadlineExceeded, err) }},
			{"garbage", func(t *testing.T, err error) {
				// The two that are no refusal: a record without end, and a
				// server that hangs up because it was not understood.
				if err != context.DeadlineExceeded && !errors.Is(err, hawser.ErrLost) {
					requireFinal(t, err)
					require.True(t, errors.Is(err, hawser.ErrUntrusted) || errors.Is(err, errors.ErrUnsupported), "%v", err)
				}
			}},
		} {
			t.Run(tls.VersionName(version)+" "+row.what, func(t *testing.T) {
				t.Parallel()
				n := 0
				// The length of a signature varies by some bytes.
				for bytes := 0; bytes < whole-8; bytes += step {
					n++
					synctest.Test(t, func(t *testing.T) {
						ctx, cancel := context.WithTimeout(t.Context(), time.Second)
						defer cancel()
						start := time.Now()
						_, err := broken(t, ctx, k, config, row.what, bytes)
						require.Error(t, err, "after %d bytes", bytes)
						row.check(t, err)
						require.LessOrEqual(t, time.Since(start), time.Second)
					})
				}
				t.Logf("%d of %d bytes", n, whole)
			})
		}
	}
}

func TestCancelEndsAHandshakeAtOnce(t *testing.T) {
	t.Parallel()
	// The hello of a server of TLS 1.2 that the client takes, ECDHE_RSA with AES-128-GCM
	// (RFC 5289, section 3.2), and then nothing.
	afterHello := testserver.Say(strings.Replace(helloText(3), "\x00\x2f\x00", "\xc0\x2f\x00", 1))
	for name, handle := range map[string]testserver.Handler{
		"with a silent server":                     testserver.Silent,
		"with one that stops after its hello":      afterHello,
		"with one that announces and says no more": testserver.Say("\x16\x03\x03\x40\x00"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := make(chan struct{})
			addr := start(t, func(ctx context.Context, c net.Conn) {
				_, _ = c.Read(make([]byte, 1)) // the client has begun
				close(said)
				handle(ctx, c)
			})
			ctx, cancel := context.WithCancel(t.Context())
			var cancelled time.Time
			go func() { // ends with said
				<-said
				cancelled = time.Now()
				cancel()
			}()
			conn := watch(dial(t, addr))
			_, err := newClient(t, ftps(t), tlsconf.Options{}).Handshake(ctx, conn)
			require.Equal(t, context.Canceled, err)
			require.True(t, conn.isClosed())
			took := time.Since(cancelled)
			require.Less(t, took, 2*time.Second)
			t.Log(took)
		})
	}
	t.Run("before it begins", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		conn := watch(dial(t, start(t, testserver.Silent)))
		_, err := newClient(t, ftps(t), tlsconf.Options{}).Handshake(ctx, conn)
		require.Equal(t, context.Canceled, err)
		require.True(t, conn.isClosed())
	})
	t.Run("of a data connection", func(t *testing.T) {
		t.Parallel()
		k := newClient(t, ftps(t), tlsconf.Options{Verifier: anyone()})
		_, err := connect(t, k, startTLS(t, testcert.Server(t, nil)))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		conn := watch(dial(t, start(t, testserver.Silent)))
		_, err = k.Data(ctx, conn)
		require.Equal(t, context.DeadlineExceeded, err)
		require.True(t, conn.isClosed())
	})
	t.Run("while the Verifier asks", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		k := newClient(t, ftps(t), tlsconf.Options{Verifier: verifierFunc(func(ctx context.Context, _ hawser.Connection, _ hawser.Peer) error {
			cancel()
			<-ctx.Done()
			return errors.New("given up")
		})})
		conn := watch(dial(t, startTLS(t, testcert.Server(t, nil))))
		_, err := k.Handshake(ctx, conn)
		require.Equal(t, context.Canceled, err)
		require.True(t, conn.isClosed())
	})
}

func TestRefusalDoesNotWaitForAPeerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{testcert.Server(t, nil).TLS()}}
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() { // ends with the pipe; it reads the hello and no more
			_ = tls.Server(deaf{far, new(bool)}, config).Handshake()
			_ = far.Close()
		}()
		k := newClient(t, ftps(t), tlsconf.Options{})
		start := time.Now()
		_, err := k.Handshake(t.Context(), near)
		require.ErrorIs(t, err, hawser.ErrUntrusted)
		require.LessOrEqual(t, time.Since(start), 2*time.Second)
		synctest.Wait()
	})
}

// A deaf conn does not read any more once it has written.
type deaf struct {
	net.Conn
	wrote *bool
}

func (d deaf) Read(b []byte) (int, error) {
	if *d.wrote {
		return 0, io.EOF
	}
	return d.Conn.Read(b)
}

func (d deaf) Write(b []byte) (int, error) {
	*d.wrote = true
	return d.Conn.Write(b)
}

func FuzzServerHello(f *testing.F) {
	f.Add([]byte{22, 3, 1, 0, 45, 2, 0, 0, 41, 3, 1, 0})
	f.Add([]byte("220 ready\r\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		version, session := tlsconf.ReadServerHello(head)
		if len(head) < 11 || head[0] != 22 || head[5] != 2 {
			require.Zero(t, version)
			require.Nil(t, session)
			return
		}
		require.Equal(t, uint16(head[9])<<8|uint16(head[10]), version)
		if session != nil {
			require.Len(t, session, int(head[43]))
		}
	})
}

func TestSilenceAboutSecrets(t *testing.T) {
	t.Parallel()
	c := ftps(t)
	p := testcert.Server(t, nil, clientFor)
	login(t, &c, p)
	c.Auth.Password = hawser.NewSecret("Xyzzy-42")
	addr := startTLS(t, testcert.Server(t, nil), func(c *tls.Config) {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, testcert.Pool(testcert.Root(t))
	})
	_, err := connect(t, newClient(t, c, tlsconf.Options{Verifier: anyone()}), addr)
	require.ErrorIs(t, err, hawser.ErrAuth)
	for _, secret := range []string{"Xyzzy-42", string(testcert.KeyPEM(t, p)), "PRIVATE"} {
		assert.NotContains(t, err.Error(), secret)
	}
}

package tlsconf_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"os/exec"
	"strings"
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

func TestStrict(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	middle := testcert.Intermediate(t, root)
	try := func(t *testing.T, edit func(*hawser.Connection), chain ...*testcert.Pair) error {
		t.Helper()
		addr := startTLS(t, chain[0], func(c *tls.Config) { c.Certificates[0] = chain[0].TLS(chain[1:]...) })
		c := ftps(t, root)
		if edit != nil {
			edit(&c)
		}
		_, err := connect(t, newClient(t, c, tlsconf.Options{}), addr)
		return err
	}
	for _, row := range []struct {
		name  string
		edit  func(*hawser.Connection)
		chain []*testcert.Pair
	}{
		{"a certificate of tls.roots", nil, []*testcert.Pair{testcert.Server(t, root)}},
		{"one with its intermediate", nil, []*testcert.Pair{testcert.Server(t, middle), middle}},
		{"one for an IP address", func(c *hawser.Connection) { c.Host = "127.0.0.1" }, []*testcert.Pair{testcert.Server(t, root)}},
		{"one for tls.server_name", func(c *hawser.Connection) { c.TLS.ServerName = "a.example.com" }, []*testcert.Pair{testcert.Server(t, root, testcert.For("a.example.com"))}},
	} {
		t.Run("accepts "+row.name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, try(t, row.edit, row.chain...))
		})
	}
	for _, row := range []struct {
		name  string
		edit  func(*hawser.Connection)
		chain []*testcert.Pair
		want  string
	}{
		{"an unknown authority", nil, []*testcert.Pair{testcert.Server(t, nil)}, "unknown authority"},
		{"a root that is not the system's", func(c *hawser.Connection) { c.TLS.Roots = "" }, []*testcert.Pair{testcert.Server(t, root)}, "unknown authority"},
		{"a missing intermediate", nil, []*testcert.Pair{testcert.Server(t, middle)}, "unknown authority"},
		{"an expired certificate", nil, []*testcert.Pair{testcert.Server(t, root, testcert.Expired)}, "expired"},
		{"another name", nil, []*testcert.Pair{testcert.Server(t, root, testcert.For("a.example.com"))}, "valid for a.example.com, not localhost"},
		{"another IP address", func(c *hawser.Connection) { c.Host = "127.0.0.2" }, []*testcert.Pair{testcert.Server(t, root)}, "127.0.0.2"},
		{"a certificate of a client", nil, []*testcert.Pair{testcert.Sign(t, root, testcert.NewKey(t), func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		})}, "usage"},
	} {
		t.Run("refuses "+row.name, func(t *testing.T) {
			t.Parallel()
			err := try(t, row.edit, row.chain...)
			require.ErrorIs(t, err, hawser.ErrUntrusted)
			requireFinal(t, err)
			assert.Contains(t, err.Error(), row.want)
			assert.Contains(t, err.Error(), tlsconf.Fingerprint(row.chain[0].Cert))
			assert.Contains(t, err.Error(), "certs.Verifier can allow single faults, ask or pin")
			assert.NotContains(t, err.Error(), "tls.allow")
		})
	}
	t.Run("says that tls.allow and tls.auto_accept need a Verifier", func(t *testing.T) {
		t.Parallel()
		for _, edit := range []func(*hawser.Connection){
			func(c *hawser.Connection) { c.TLS.Allow = []hawser.Anomaly{hawser.SelfSigned} },
			func(c *hawser.Connection) { c.TLS.AutoAccept = true },
		} {
			err := try(t, edit, testcert.Server(t, nil))
			require.ErrorIs(t, err, hawser.ErrUntrusted)
			assert.Contains(t, err.Error(), "without one, tls.allow and tls.auto_accept have no effect")
		}
	})
	t.Run("keeps the cause for errors.As", func(t *testing.T) {
		t.Parallel()
		err := try(t, nil, testcert.Server(t, root, testcert.For("a.example.com")))
		var mismatch x509.HostnameError
		require.ErrorAs(t, err, &mismatch)
	})
	t.Run("escapes what the certificate says", func(t *testing.T) {
		t.Parallel()
		err := try(t, nil, testcert.Server(t, nil, func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: "a\x1b[2J\nb"}
		}))
		require.ErrorIs(t, err, hawser.ErrUntrusted)
		assert.NotContains(t, err.Error(), "\x1b")
		assert.NotContains(t, err.Error(), "\n")
	})
}

func TestFingerprintIsThatOfOpenSSL(t *testing.T) {
	t.Parallel()
	openssl := testserver.Real(t, "openssl", "openssl")[0]
	cert := testcert.Root(t)
	cmd := exec.CommandContext(t.Context(), openssl, "x509", "-noout", "-fingerprint", "-sha256")
	cmd.Stdin = bytes.NewReader(testcert.PEM(cert))
	out, err := cmd.Output()
	require.NoError(t, err)
	_, print, ok := strings.Cut(strings.TrimSpace(string(out)), "=")
	require.True(t, ok)
	require.Equal(t, "SHA256:"+print, tlsconf.Fingerprint(cert.Cert))
}

// piped serves TLS on one end of a pipe, for the length of the test or until
// the other end is closed.
func piped(t testing.TB, config *tls.Config) net.Conn {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = near.Close() })
	go func() { // ends with near, which the test closes
		defer far.Close()
		greet(config)(t.Context(), far)
	}()
	return near
}

func TestPersonMayTakeLongerThanTheTimeout(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{testcert.Server(t, nil).TLS()}}
	c := ftps(t)
	c.Timeout = time.Second
	ask := func(ctx context.Context, took time.Duration, verdict error) hawser.Verifier {
		return verifierFunc(func(ctx context.Context, _ hawser.Connection, _ hawser.Peer) error {
			select {
			case <-time.After(took):
				return verdict
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}
	try := func(t *testing.T, ctx context.Context, took time.Duration, verdict error) error {
		t.Helper()
		o := opening.Start(ctx, c)
		defer o.Close()
		k := newClient(t, c, tlsconf.Options{Verifier: ask(ctx, took, verdict), Unhurried: o.Unhurried})
		conn := watch(piped(t, config))
		_, err := k.Handshake(o.Context(), conn)
		require.Equal(t, err != nil, conn.isClosed())
		_ = conn.Close()
		synctest.Wait()
		return err
	}
	t.Run("and accept", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { require.NoError(t, try(t, t.Context(), time.Hour, nil)) })
	})
	t.Run("and refuse", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			require.ErrorIs(t, try(t, t.Context(), time.Hour, errors.New("no")), hawser.ErrUntrusted)
		})
	})
	t.Run("until the caller gives up", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			start := time.Now()
			require.Equal(t, context.DeadlineExceeded, try(t, ctx, time.Hour, nil))
			require.Equal(t, time.Minute, time.Since(start))
		})
	})
	t.Run("under a context of Unhurried's own, whose end is the error", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			own, cancel := context.WithCancel(t.Context())
			cancel()
			k := newClient(t, c, tlsconf.Options{
				Verifier:  ask(own, time.Hour, nil),
				Unhurried: func(fn func(context.Context) error) error { return fn(own) },
			})
			_, err := k.Handshake(t.Context(), piped(t, config))
			require.Equal(t, context.Canceled, err)
		})
	})
}

func TestServerThatHungUpWhileAPersonAnsweredIsNotAskedAboutAgain(t *testing.T) {
	t.Parallel()
	server := testcert.Server(t, nil)
	config := &tls.Config{Certificates: []tls.Certificate{server.TLS()}}
	other := &tls.Config{Certificates: []tls.Certificate{testcert.Server(t, nil).TLS()}}
	older := &tls.Config{Certificates: config.Certificates, MaxVersion: tls.VersionTLS12}
	for _, row := range []struct {
		name   string
		second *tls.Config
		asked  int
	}{
		{"with the same certificate", config, 1},
		{"but with another one", other, 2},
		{"but with an older version of TLS", older, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			var hangUp net.Conn
			k := newClient(t, ftps(t), tlsconf.Options{Verifier: verifierFunc(func(context.Context, hawser.Connection, hawser.Peer) error {
				if asked++; hangUp != nil {
					_ = hangUp.Close()
				}
				return nil
			})})
			near, far := net.Pipe()
			hangUp = far
			done := make(chan struct{})
			go func() { // ends with far
				defer close(done)
				greet(config)(t.Context(), far)
			}()
			_, err := k.Handshake(t.Context(), near)
			<-done
			require.ErrorIs(t, err, hawser.ErrLost)
			require.True(t, opening.IsLoss(err))
			hangUp = nil
			_, err = connect(t, k, start(t, greet(row.second)))
			require.NoError(t, err)
			require.Equal(t, row.asked, asked)
		})
	}
}

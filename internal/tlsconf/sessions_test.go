package tlsconf_test

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
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

// many is how many data connections a test opens.
const many = 12

// resumes counts the data connections to addr that resume, one after another
// and then all at once.
func resumes(t testing.TB, k *tlsconf.Client, addr string) (sequential, parallel int) {
	t.Helper()
	one := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		conn, err := net.Dial("tcp", addr)
		if !assert.NoError(t, err) {
			return false
		}
		c, err := k.Data(ctx, conn)
		if !assert.NoError(t, err) {
			return false
		}
		defer c.Close()
		_, err = c.Write([]byte("x\n"))
		assert.NoError(t, err)
		assert.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		assert.NoError(t, read(c))
		return c.ConnectionState().DidResume
	}
	for range many {
		if one() {
			sequential++
		}
	}
	var n atomic.Int32
	var wg sync.WaitGroup
	for range many {
		wg.Go(func() {
			if one() {
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return sequential, int(n.Load())
}

func TestEveryDataConnectionResumes(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	for name, row := range map[string]struct {
		host   string
		server *testcert.Pair
		o      tlsconf.Options
	}{
		"":                  {"localhost", testcert.Server(t, root), tlsconf.Options{}},
		" of an IP address": {"127.0.0.1", testcert.Server(t, root), tlsconf.Options{}},
		// crypto/tls itself resumes none with such a server.
		" of a server whose expired certificate was accepted": {
			"localhost", testcert.Server(t, root, testcert.Expired), tlsconf.Options{Verifier: anyone()},
		},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(tls.VersionName(version)+name, func(t *testing.T) {
				t.Parallel()
				addr := startTLS(t, row.server, func(c *tls.Config) { c.MaxVersion = version })
				c := ftps(t, root)
				c.Host = row.host
				k := newClient(t, c, row.o)
				_, err := connect(t, k, addr)
				require.NoError(t, err)
				sequential, parallel := resumes(t, k, addr)
				require.Equal(t, many, sequential)
				require.Equal(t, many, parallel)
			})
		}
	}
}

func TestDataConnectionWithoutASessionIsMadeAnew(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	t.Run("if the server gave none", func(t *testing.T) {
		t.Parallel()
		addr := startTLS(t, testcert.Server(t, root), func(c *tls.Config) { c.SessionTicketsDisabled = true })
		k := newClient(t, ftps(t, root), tlsconf.Options{})
		_, err := connect(t, k, addr)
		require.NoError(t, err)
		sequential, _ := resumes(t, k, addr)
		require.Zero(t, sequential)
	})
	t.Run("if with TLS 1.3 nothing was read yet on the control connection", func(t *testing.T) {
		t.Parallel()
		addr := startTLS(t, testcert.Server(t, root))
		k := newClient(t, ftps(t, root), tlsconf.Options{})
		control, err := handshake(t, k, addr)
		require.NoError(t, err)
		c, err := data(t, k, addr)
		require.NoError(t, err)
		require.False(t, c.ConnectionState().DidResume)
		require.NoError(t, read(control))
		c, err = data(t, k, addr)
		require.NoError(t, err)
		require.True(t, c.ConnectionState().DidResume)
	})
	t.Run("of another control connection", func(t *testing.T) {
		t.Parallel()
		addr := startTLS(t, testcert.Server(t, root))
		one, two := newClient(t, ftps(t, root), tlsconf.Options{}), newClient(t, ftps(t, root), tlsconf.Options{})
		_, err := connect(t, one, addr)
		require.NoError(t, err)
		_, err = handshake(t, two, addr)
		require.NoError(t, err)
		c, err := data(t, two, addr)
		require.NoError(t, err)
		require.False(t, c.ConnectionState().DidResume)
	})
	t.Run("of an earlier control connection of the same Client", func(t *testing.T) {
		t.Parallel()
		addr := startTLS(t, testcert.Server(t, root))
		k := newClient(t, ftps(t, root), tlsconf.Options{})
		_, err := connect(t, k, addr)
		require.NoError(t, err)
		_, err = handshake(t, k, addr)
		require.NoError(t, err)
		c, err := data(t, k, addr)
		require.NoError(t, err)
		require.False(t, c.ConnectionState().DidResume)
	})
}

func TestControlConnectionNeverResumes(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	addr := startTLS(t, testcert.Server(t, root))
	k := newClient(t, ftps(t, root), tlsconf.Options{})
	for range 2 {
		c, err := connect(t, k, addr)
		require.NoError(t, err)
		require.False(t, c.ConnectionState().DidResume)
	}
}

func TestWhichSessionIsResumed(t *testing.T) {
	t.Parallel()
	state := func() *tls.ClientSessionState { return &tls.ClientSessionState{} }
	resumed := func(s *tlsconf.Sessions) *tls.ClientSessionState { return get(s.Cache(false)) }
	t.Run("that of the control connection while it is young", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := tlsconf.NewSessions()
			control, data := s.Cache(true), s.Cache(false)
			first, second, third := state(), state(), state()
			control.Put("", first)
			time.Sleep(time.Minute)
			data.Put("", second)
			require.Same(t, first, resumed(s), "not the newer one of another data connection")
			control.Put("", third)
			require.Same(t, third, resumed(s), "but a newer one of the control connection")
		})
	})
	t.Run("later the newest, because they expire", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := tlsconf.NewSessions()
			control, data := s.Cache(true), s.Cache(false)
			first, second, third := state(), state(), state()
			control.Put("", first)
			time.Sleep(2 * time.Hour)
			require.Same(t, first, resumed(s), "the only one")
			data.Put("", second)
			require.Same(t, second, resumed(s))
			time.Sleep(2 * time.Hour)
			control.Put("", third)
			require.Same(t, third, resumed(s))
			time.Sleep(2 * time.Hour)
			require.Same(t, third, resumed(s), "newer than that of a data connection")
		})
	})
	t.Run("that of a data connection if the control connection has none", func(t *testing.T) {
		t.Parallel()
		s := tlsconf.NewSessions()
		first := state()
		s.Cache(false).Put("", first)
		require.Same(t, first, resumed(s))
	})
	t.Run("none by the control connection itself", func(t *testing.T) {
		t.Parallel()
		s := tlsconf.NewSessions()
		s.Cache(true).Put("", state())
		require.Nil(t, get(s.Cache(true)))
	})
}

func get(cache tls.ClientSessionCache) *tls.ClientSessionState {
	state, _ := cache.Get("")
	return state
}

func TestSessionSurvivesADataConnectionThatBreaks(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	for name, config := range map[string]func(*tls.Config){
		"TLS 1.2": func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
		"TLS 1.3": func(c *tls.Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := startTLS(t, testcert.Server(t, root), config)
			k := newClient(t, ftps(t, root), tlsconf.Options{})
			_, err := connect(t, k, addr)
			require.NoError(t, err)

			cut, err := testserver.StartRelay(addr, testserver.RelayConfig{Down: testserver.Flow{Fault: testserver.Cut, After: 60}})
			require.NoError(t, err)
			defer cut.Close()
			_, err = data(t, k, cut.Addr())
			require.ErrorIs(t, err, hawser.ErrLost)
			require.True(t, opening.IsLoss(err))
			assert.Contains(t, err.Error(), "during the TLS handshake of the data connection")

			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			silent := start(t, func(ctx context.Context, c net.Conn) {
				cancel()
				testserver.Silent(ctx, c)
			})
			_, err = k.Data(ctx, dial(t, silent))
			require.Equal(t, context.Canceled, err)

			sequential, parallel := resumes(t, k, addr)
			require.Equal(t, 2*many, sequential+parallel)
		})
	}
}

func TestSessionThatTheServerRefusesIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	addr := startTLS(t, testcert.Server(t, root))
	k := newClient(t, ftps(t, root), tlsconf.Options{})
	_, err := connect(t, k, addr)
	require.NoError(t, err)
	// 2: an alert, fatal, handshake_failure
	refusing := start(t, testserver.Say("\x15\x03\x03\x00\x02\x02\x28"))
	_, err = data(t, k, refusing)
	requireFinal(t, err)
	c, err := data(t, k, addr)
	require.NoError(t, err)
	require.False(t, c.ConnectionState().DidResume)
}

package hawser_test

import (
	"context"
	"net"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

// listen accepts nothing: what is dialed waits in the backlog of the system.
func listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l.Addr().String()
}

func TestDirect(t *testing.T) {
	t.Parallel()
	t.Run("connects", func(t *testing.T) {
		t.Parallel()
		addr := listen(t)
		conn, err := hawser.Direct{}.DialNet(t.Context(), valid(ftp), "tcp", addr)
		require.NoError(t, err)
		defer conn.Close()
		require.Equal(t, addr, conn.RemoteAddr().String())
	})
	t.Run("reports the end of name resolution, once, to every trace", func(t *testing.T) {
		t.Parallel()
		addr := listen(t)
		_, port, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		var steps [2][]hawser.Step
		ctx := t.Context()
		for i := range steps {
			ctx = hawser.WithTrace(ctx, &hawser.Trace{Step: func(name string, s hawser.Step) {
				if name == "bank" {
					steps[i] = append(steps[i], s)
				}
			}})
		}
		conn, err := hawser.Direct{}.DialNet(ctx, valid(ftp), "tcp4", net.JoinHostPort("localhost", port))
		require.NoError(t, err)
		defer conn.Close()
		for _, list := range steps {
			require.Len(t, list, 1)
			require.Equal(t, hawser.PhaseResolve, list[0].Phase)
			require.Equal(t, addr, list[0].Detail)
			require.NoError(t, list[0].Err)
		}
	})
	t.Run("works with a trace that has no Step", func(t *testing.T) {
		t.Parallel()
		conn, err := hawser.Direct{}.DialNet(hawser.WithTrace(t.Context(), &hawser.Trace{}), valid(ftp), "tcp", listen(t))
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	})
	t.Run("ends with its context", func(t *testing.T) {
		t.Parallel()
		_, err := hawser.Direct{}.DialNet(canceled(t), valid(ftp), "tcp", listen(t))
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("goes around no proxy", func(t *testing.T) {
		t.Parallel()
		c := valid(ftp)
		c.Proxy = hawser.Proxy{Type: hawser.ProxyHTTP, Host: "proxy"}
		_, err := hawser.Direct{}.DialNet(t.Context(), c, "tcp", listen(t))
		requireFieldError(t, err, "proxy.type", "without a transport for proxies")
	})
	t.Run("goes around no jump host", func(t *testing.T) {
		t.Parallel()
		c := valid(ftp)
		c.Via = "jump"
		_, err := hawser.Direct{}.DialNet(t.Context(), c, "tcp", listen(t))
		requireFieldError(t, err, "via", "without a transport for jump hosts")
	})
}

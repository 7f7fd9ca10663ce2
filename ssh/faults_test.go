package ssh_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

// timings are how long after a context's end each call came back.
type timings struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (m *timings) add(name string, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines = append(m.lines, fmt.Sprintf("%-60s %8.1f ms", name, took.Seconds()*1000))
}

// log prints the table when all subtests have ended.
func (m *timings) log(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		slices.Sort(m.lines)
		t.Logf("back after\n%s", strings.Join(m.lines, "\n"))
	})
}

func TestServersThatStopDuringOpening(t *testing.T) {
	t.Parallel()
	keyExchangeOnly, err := testserver.KeyExchangeOnly()
	require.NoError(t, err)
	var table timings
	table.log(t)
	for _, row := range []struct {
		name   string
		handle testserver.Handler
		phase  hawser.Phase
		after  time.Duration
	}{
		{"silent", testserver.Silent, hawser.PhaseTrust, 20 * time.Millisecond},
		{"banner only", testserver.BannerOnly, hawser.PhaseTrust, 20 * time.Millisecond},
		{"key exchange only", keyExchangeOnly, hawser.PhaseLogin, 500 * time.Millisecond},
	} {
		t.Run(row.name+": a context that ends is the error, soon", func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			arrived := make(chan time.Time, 1)
			s := startTCP(t, func(handling context.Context, c net.Conn) {
				stop := time.AfterFunc(row.after, func() { arrived <- time.Now(); cancel() })
				defer stop.Stop()
				row.handle(handling, c)
			})
			c := at(s.Host(), s.Port())
			session, err := trusting().Dial(ctx, c)
			table.add("open, "+row.name, requireSoon(t, <-arrived))
			e := requireError(t, session, err)
			assert.ErrorIs(t, e, context.Canceled)
			assert.Equal(t, row.phase, e.Phase)
		})
		t.Run(row.name+": Timeout is the error where the context has no end", func(t *testing.T) {
			t.Parallel()
			s := startTCP(t, row.handle)
			c := at(s.Host(), s.Port())
			c.Timeout = 500 * time.Millisecond
			begun := time.Now()
			e := refused(t, trusting(), c)
			table.add("open with a Timeout of 500 ms, "+row.name, requireSoon(t, begun)-c.Timeout)
			assert.ErrorIs(t, e, os.ErrDeadlineExceeded)
			assert.ErrorContains(t, e, "500ms")
			assert.Equal(t, row.phase, e.Phase)
			assert.Equal(t, row.phase != hawser.PhaseLogin, hawser.Retryable(e))
		})
	}
}

func TestServersThatAreNoSSH(t *testing.T) {
	t.Parallel()
	var table timings
	table.log(t)
	for _, row := range []struct {
		name   string
		handle testserver.Handler
		lost   bool
	}{
		{"closes at once", testserver.CloseAtOnce, true},
		{"garbage", testserver.Garbage, false},
		{"a long line", testserver.LongLine, false},
		{"HTTP", testserver.Say("HTTP/1.1 400 Bad Request\r\n\r\n" + strings.Repeat("x", 1000)), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := startTCP(t, row.handle)
			c := at(s.Host(), s.Port())
			begun := time.Now()
			e := refused(t, trusting(), c)
			table.add("open, "+row.name, requireSoon(t, begun))
			assert.Equal(t, hawser.PhaseTrust, e.Phase)
			assert.Equal(t, row.lost, hawser.Retryable(e), "Retryable(%v)", e)
			if row.lost {
				assert.ErrorIs(t, e, hawser.ErrLost)
			}
			t.Log(e)
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		addr, err := netip.ParseAddrPort(testserver.ClosedAddr(t))
		require.NoError(t, err)
		e := refused(t, trusting(), at("127.0.0.1", addr.Port()))
		assert.Equal(t, hawser.PhaseConnect, e.Phase)
		assert.True(t, hawser.Retryable(e))
	})
}

// choosy is a server that accepts channels and refuses every request.
func choosy(t testing.TB) *testserver.TCP {
	t.Helper()
	config := &xssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(newSigner(t))
	return startTCP(t, func(_ context.Context, c net.Conn) {
		conn, channels, requests, err := xssh.NewServerConn(c, config)
		if err != nil {
			return
		}
		var running sync.WaitGroup
		running.Go(func() { xssh.DiscardRequests(requests) })
		for offered := range channels {
			_, asked, err := offered.Accept()
			if err != nil {
				break
			}
			running.Go(func() { xssh.DiscardRequests(asked) })
		}
		_ = conn.Wait()
		running.Wait()
	})
}

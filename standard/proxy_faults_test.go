package standard_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/proxy"
)

// at is f where a proxy is reached at another port of this machine.
func (f front) at(port uint16) front {
	f.proxy.Host, f.proxy.Port = "127.0.0.1", port
	return f
}

func (f front) addr() string { return net.JoinHostPort(f.proxy.Host, fmt.Sprint(f.proxy.Port)) }

// way is a Transport that trusts the proxy.
func (f front) way() *proxy.Transport {
	return &proxy.Transport{Verifier: &certs.Verifier{Store: certs.Memory(), Ask: accepting(f.fingerprint)}}
}

// relayed puts a relay in front of f.
func (f front) relayed(t *testing.T, cfg testserver.RelayConfig) (front, *testserver.Relay) {
	t.Helper()
	relay, err := testserver.StartRelay(f.addr(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = relay.Close() })
	return f.at(relay.Port()), relay
}

// answer is how many bytes the proxy says before there is a tunnel.
func (f front) answer(t *testing.T) int64 {
	t.Helper()
	f, relay := f.relayed(t, testserver.RelayConfig{})
	c := server("x", hawser.SSH, tcp(t, testserver.Silent).Port(), "jobs", password)
	c.Proxy = f.proxy
	conn, err := f.way().DialNet(t.Context(), c, "tcp", c.Addr())
	require.NoError(t, err, f.name)
	require.NoError(t, conn.Close())
	_, down := relay.Bytes()
	return down
}

func tcp(t *testing.T, handle testserver.Handler) *testserver.TCP {
	t.Helper()
	s, err := testserver.StartTCP(handle)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// openings opens a connection of each kind through f, all at once and without trying
// again, and has check look at what comes of each.
func (f front) openings(t *testing.T, ctx context.Context, s site, change func(c *hawser.Connection), check func(kind string, err error)) {
	t.Helper()
	m := standardThrough(t, f.way(), s.through(func(c *hawser.Connection) {
		c.Proxy, c.Timeout = f.proxy, 300*time.Millisecond
		change(c)
	}))
	var all sync.WaitGroup
	for _, kind := range kinds() {
		all.Go(func() {
			session, err := m.Open(ctx, kind)
			if err == nil {
				_ = session.Close()
			}
			check(kind, err)
		})
	}
	all.Wait()
}

// A proxy that falls silent is the one that is named, whoever waits for it.
func TestSilentProxyIsNamed(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	for _, f := range ownFronts(t) {
		half, _ := f.relayed(t, testserver.RelayConfig{Down: testserver.Flow{Fault: testserver.Stall, After: f.answer(t) / 2}})
		for name, f := range map[string]front{
			"from the start":              f.at(tcp(t, testserver.Silent).Port()),
			"in the middle of its answer": half,
		} {
			t.Run(f.name+", silent "+name, func(t *testing.T) {
				t.Parallel()
				f.openings(t, t.Context(), s, func(*hawser.Connection) {}, func(kind string, err error) {
					var e *hawser.Error
					if !assert.ErrorAs(t, err, &e, kind) {
						return
					}
					assert.Equal(t, hawser.PhaseProxy, e.Phase, kind)
					assert.True(t, e.Temporary, "%s: %v", kind, err)
					assert.True(t, hawser.Retryable(err), kind)
					assert.ErrorIs(t, err, os.ErrDeadlineExceeded, kind)
					assert.ErrorContains(t, err, f.addr(), kind)
					assert.ErrorContains(t, err, "no answer within 300ms", kind)
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan time.Time, 1)
				time.AfterFunc(50*time.Millisecond, func() { ended <- time.Now(); cancel() })
				patient := func(c *hawser.Connection) { c.Timeout = time.Minute }
				f.openings(t, ctx, s, patient, func(kind string, err error) {
					assert.ErrorIs(t, err, context.Canceled, kind)
					assert.ErrorContains(t, err, f.addr(), kind)
					assert.False(t, hawser.Retryable(err), kind)
				})
				assert.Less(t, time.Since(<-ended), soon)
			})
		}
	}
}

// A server that falls silent behind a proxy is not the proxy's fault.
func TestSilentServerBehindAProxy(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	for _, after := range []int64{0, 10} {
		slow := site{}
		for kind, c := range s {
			relay, err := testserver.StartRelay(c.Addr(), testserver.RelayConfig{Down: testserver.Flow{Fault: testserver.Stall, After: after}})
			require.NoError(t, err)
			t.Cleanup(func() { _ = relay.Close() })
			c.Port = relay.Port()
			slow[kind] = c
		}
		for _, f := range ownFronts(t) {
			t.Run(fmt.Sprintf("%s, after %d bytes", f.name, after), func(t *testing.T) {
				t.Parallel()
				f.openings(t, t.Context(), slow, func(*hawser.Connection) {}, func(kind string, err error) {
					var e *hawser.Error
					if !assert.ErrorAs(t, err, &e, kind) {
						return
					}
					assert.NotErrorIs(t, err, hawser.ErrProxy, kind)
					assert.ErrorIs(t, err, os.ErrDeadlineExceeded, kind)
					assert.NotEqual(t, hawser.PhaseProxy, e.Phase, kind)
					assert.NotContains(t, err.Error(), f.addr(), kind)
				})
			})
		}
	}
}

// In the middle of whatever a connection is for, the proxy dies.
func TestProxyDiesInTheMiddle(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	fill(t, s)
	fronts := ownFronts(t)
	for _, f := range []front{fronts[1], fronts[3], fronts[4], fronts[8]} {
		for _, d := range deeds() {
			t.Run(f.name+", "+d.name, func(t *testing.T) {
				t.Parallel()
				f, relay := f.relayed(t, testserver.RelayConfig{})
				at := newMark()
				m := manage(t, s.through(func(c *hawser.Connection) { c.Proxy = f.proxy }), f.fingerprint)
				done := d.begin(t, m, at)
				begun := time.Now()
				relay.Drop()
				close(at.struck)
				requireLost(t, <-done, begun)
				require.NoError(t, work(t.Context(), m, d.kind, d.kind), "the next one")
			})
			t.Run(f.name+", "+d.name+", by a reset", func(t *testing.T) {
				t.Parallel()
				flow := testserver.Flow{Fault: testserver.Reset, After: 2 << 20} // what work does is less
				f, _ := f.relayed(t, testserver.RelayConfig{Up: flow, Down: flow})
				at := newMark()
				close(at.struck)
				m := manage(t, s.through(func(c *hawser.Connection) { c.Proxy = f.proxy }), f.fingerprint)
				err := d.do(t.Context(), m, d.kind, at)
				if strings.HasPrefix(d.kind, "ftp") { // the control connection lives
					require.Error(t, err)
				} else {
					requireLost(t, err, at.last)
				}
				require.NoError(t, work(t.Context(), m, d.kind, d.kind), "the next one")
			})
		}
	}
}

// apart reaches proxies as they are for the first connection, the control connection
// of ftp, and through a relay for every later one.
type apart struct {
	later string

	mu    sync.Mutex // guards first
	first bool
}

func (a *apart) DialNet(ctx context.Context, c hawser.Connection, network, addr string) (net.Conn, error) {
	a.mu.Lock()
	if a.first {
		addr = a.later
	}
	a.first = true
	a.mu.Unlock()
	return hawser.Direct{}.DialNet(ctx, c, network, addr)
}

// A proxy that cuts the data connection of a download makes it no whole file,
// although that is how a file ends.
func TestCutDownloadIsNotWhole(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	direct := manage(t, []hawser.Connection{s["ftp"], s["ftp tls"]})
	fronts := ownFronts(t)
	for _, kind := range []string{"ftp", "ftp tls"} {
		for _, size := range []int{100, 100_000, 8 << 20} {
			content := make([]byte, size)
			_, _ = rand.Read(content)
			name := fmt.Sprint("size-", size)
			require.NoError(t, hawser.Use(t.Context(), direct, kind, func(ctx context.Context, files hawser.FileSystem) error {
				return put(ctx, files, name, content)
			}))
			for _, f := range []front{fronts[0], fronts[3], fronts[4], fronts[7]} {
				for _, after := range []int{0, 1, size / 2, size - 1} {
					t.Run(fmt.Sprintf("%s, %s %s, cut after %d", f.name, kind, name, after), func(t *testing.T) {
						t.Parallel()
						got, err := f.cutDownload(t, s[kind], name, int64(after))
						if err == nil { // the cut came behind it
							assert.True(t, bytes.Equal(content, got), "%d bytes were called the whole file", len(got))
						}
					})
				}
			}
		}
	}
}

// cutDownload gets a file through f, which cuts the data connection after that many
// bytes of it. What TLS adds counts too.
func (f front) cutDownload(t *testing.T, c hawser.Connection, name string, after int64) (got []byte, err error) {
	t.Helper()
	_, relay := f.relayed(t, testserver.RelayConfig{Down: testserver.Flow{Fault: testserver.Cut, After: f.answer(t) + after}})
	way := f.way()
	way.Base = &apart{later: relay.Addr()}
	c.Proxy, c.FTP.Mode = f.proxy, hawser.Passive
	m := standardThrough(t, way, []hawser.Connection{c})
	begun := time.Now()
	err = hawser.Use(t.Context(), m, c.Name, func(ctx context.Context, files hawser.FileSystem) (err error) {
		got, err = get(ctx, files, name)
		return err
	})
	assert.Less(t, time.Since(begun), 2*soon)
	return got, err
}

// soon is how long what was cut or given up may take.
const soon = 2 * time.Second

package standard_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
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
	"github.com/hawser/hawser/standard"
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
			for _, f := range []front{fronts[0], fronts[4], fronts[7]} {
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

// dials is a Transport that notes where it connects to, and takes every name for
// this machine.
type dials struct {
	mu    sync.Mutex // guards addrs
	addrs []string
}

func (d *dials) DialNet(ctx context.Context, c hawser.Connection, network, addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.addrs = append(d.addrs, addr)
	d.mu.Unlock()
	return hawser.Direct{}.DialNet(ctx, c, network, net.JoinHostPort("127.0.0.1", port))
}

func (d *dials) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.addrs...)
}

// refusedBy opens c through f, and checks what holds of all refusals: they name the
// proxy, and are not tried again.
func (f front) refusedBy(t *testing.T, c hawser.Connection, most int) error {
	t.Helper()
	counted := &dials{}
	c.Proxy = f.proxy
	m := standard.New(hawser.NewMemory(c), standard.Options{Transport: counted, Ask: accepting(f.fingerprint)})
	defer func() { require.NoError(t, m.Close()) }()
	begun := time.Now()
	_, err := m.Open(t.Context(), c.Name)
	const pause = 700 * time.Millisecond // that of Retry is longer
	assert.Less(t, time.Since(begun), pause, f.name)
	require.ErrorIs(t, err, hawser.ErrProxy, f.name)
	assert.ErrorContains(t, err, f.addr(), f.name)
	assert.False(t, hawser.Retryable(err), f.name)
	assert.LessOrEqual(t, len(counted.all()), most, f.name)
	return err
}

func TestWrongProxyPassword(t *testing.T) {
	t.Parallel()
	c := server("box", hawser.SSH, unused(t), "jobs", password)
	t.Run("of proxies in this process", func(t *testing.T) {
		t.Parallel()
		digests := []string{"Digest SHA-256", "Digest MD5", "Basic"}
		for name, cfg := range map[string]testserver.ProxyConfig{
			"Basic": {}, "Basic, 401": {Status401: true}, "Basic, closing": {CloseAfter407: true},
			"Digest": {Schemes: digests}, "Digest, closing": {Schemes: digests, CloseAfter407: true},
		} {
			cfg.User, cfg.Password = "jobs", password
			p, err := testserver.StartProxy(cfg)
			require.NoError(t, err)
			t.Cleanup(func() { _ = p.Close() })
			for i, kind := range []hawser.ProxyType{hawser.ProxyHTTP, hawser.ProxySOCKS5, hawser.ProxySOCKS5H} {
				front{name: fmt.Sprint(name, ", ", kind), proxy: hawser.Proxy{Type: kind, User: "jobs"}}.at(p.Port()).wrongPassword(t, c)
				assert.Equal(t, i+1, logins(p), "%s, %s", name, kind)
			}
		}
	})
	t.Run("of real proxies", func(t *testing.T) {
		t.Parallel()
		for _, f := range realFronts(t) {
			if f.proxy.User != "" {
				f.wrongPassword(t, c)
			}
		}
	})
}

// wrongPassword checks what comes of one. A proxy of HTTP may hang up with its 407, and
// is connected to again to log in.
func (f front) wrongPassword(t *testing.T, c hawser.Connection) {
	t.Helper()
	const wrong = "wrong-sesame-42"
	f.proxy.Password = hawser.NewSecret(wrong)
	most := 1
	if f.proxy.Type == hawser.ProxyHTTP || f.proxy.Type == hawser.ProxyHTTPS {
		most = 2
	}
	err := f.refusedBy(t, c, most)
	require.ErrorIs(t, err, hawser.ErrAuth, f.name)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), wrong, f.name)
	t.Logf("%s: %v", f.name, err)
}

// logins is how often somebody has tried to log in.
func logins(p *testserver.Proxy) int {
	n := 0
	for _, r := range p.Requests() {
		if r.User != "" {
			n++
		}
	}
	return n
}

func TestRefusedByRule(t *testing.T) {
	t.Parallel()
	c := server("box", hawser.SSH, unused(t), "jobs", password)
	check := func(t *testing.T, f front) {
		t.Helper()
		err := f.refusedBy(t, c, 1)
		assert.NotErrorIs(t, err, hawser.ErrAuth)
		assert.ErrorContains(t, err, fmt.Sprint("connect ", c.Addr()))
		t.Logf("%s: %v", f.name, err)
	}
	t.Run("of proxies in this process", func(t *testing.T) {
		t.Parallel()
		p, err := testserver.StartProxy(testserver.ProxyConfig{Deny: func(string) bool { return true }})
		require.NoError(t, err)
		t.Cleanup(func() { _ = p.Close() })
		for _, kind := range []hawser.ProxyType{hawser.ProxyHTTP, hawser.ProxySOCKS5, hawser.ProxySOCKS5H} {
			check(t, front{name: string(kind), proxy: hawser.Proxy{Type: kind}}.at(p.Port()))
		}
	})
	t.Run("of squid and dante", func(t *testing.T) {
		t.Parallel()
		denied := testserver.ProxyServerConfig{DenyPorts: []uint16{c.Port}}
		check(t, front{name: "squid", proxy: hawser.Proxy{Type: hawser.ProxyHTTP}}.at(testserver.Squid(t, denied).Port))
		check(t, front{name: "dante", proxy: hawser.Proxy{Type: hawser.ProxySOCKS5}}.at(testserver.Dante(t, denied).Port))
	})
}

// A proxy that allows the control connection alone is told from a server that is
// wrong, and takes nothing but the data connections.
func TestDataPortsThatAreDenied(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	for _, kind := range []string{"ftp", "ftp tls"} {
		c := s[kind]
		p, err := testserver.StartProxy(testserver.ProxyConfig{Deny: func(target string) bool { return target != c.Addr() }})
		require.NoError(t, err)
		t.Cleanup(func() { _ = p.Close() })
		for i, through := range []hawser.ProxyType{hawser.ProxyHTTP, hawser.ProxySOCKS4, hawser.ProxySOCKS5} {
			c.Proxy = hawser.Proxy{Type: through, Host: "127.0.0.1", Port: p.Port()}
			c.FTP.Mode = hawser.Passive
			m := manage(t, []hawser.Connection{c})
			require.NoError(t, hawser.Use(t.Context(), m, kind, func(ctx context.Context, files hawser.FileSystem) error {
				_, err := get(ctx, files, "any")
				assert.ErrorIs(t, err, hawser.ErrProxy)
				assert.ErrorContains(t, err, "data connection: proxy "+string(through)+" "+p.Addr())
				assert.ErrorContains(t, err, "have the proxy or jump host allow connections to the ports of the server's data")
				assert.ErrorIs(t, put(ctx, files, "any", []byte("x")), hawser.ErrProxy)
				t.Log(err)
				return files.Mkdir(ctx, fmt.Sprint("made-", i))
			}))
		}
	}
}

// Nothing here may run beside another test, which the environment is for as well.
func TestEnvironment(t *testing.T) {
	const name = "behind.example" // known to the proxy alone
	s := ownSite(t)
	p, err := testserver.StartProxy(testserver.ProxyConfig{Hosts: map[string]string{name: "127.0.0.1"}, User: "jobs", Password: password})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	t.Setenv("all_proxy", "socks5h://jobs:"+password+"@"+p.Addr())
	for _, none := range []string{"", "behind.example", ".example", "*"} {
		t.Setenv("no_proxy", none)
		for _, heed := range []bool{true, false} {
			reached := &dials{}
			conns := hawser.NewMemory(s.through(func(c *hawser.Connection) { c.Host = name })...)
			m := standard.New(conns, standard.Options{Environment: heed, Transport: reached})
			before := len(p.Requests())
			for _, kind := range kinds() {
				require.NoError(t, work(t.Context(), m, kind, kind), "%s, no_proxy=%s", kind, none)
			}
			require.NoError(t, m.Close())
			through := heed && none == ""
			assert.Equal(t, through, len(p.Requests()) > before, "no_proxy=%s", none)
			for _, addr := range reached.all() {
				assert.Equal(t, through, addr == p.Addr(), "no_proxy=%s: %s", none, addr)
			}
		}
	}
}

// soon is how long what was cut or given up may take.
const soon = 2 * time.Second

func requireLost(t *testing.T, err error, begun time.Time) {
	t.Helper()
	require.ErrorIs(t, err, hawser.ErrLost)
	assert.NotErrorIs(t, err, hawser.ErrMaybeSent)
	assert.Less(t, time.Since(begun), soon)
}

// bigSize is that of the file "big" and of all else that is interrupted, in bytes.
const bigSize = 16 << 20

// big is the name of a file of bigSize.
var big = fmt.Sprint("size-", bigSize)

// fill puts big on every server of s that has files.
func fill(t *testing.T, s site) {
	t.Helper()
	m := manage(t, s.through(func(*hawser.Connection) {}))
	for _, kind := range []string{"ftp", "ftp tls", "sftp"} {
		require.NoError(t, hawser.Use(t.Context(), m, kind, func(ctx context.Context, files hawser.FileSystem) error {
			return put(ctx, files, big, make([]byte, bigSize))
		}))
	}
}

// A mark is told of the bytes of a transfer. It holds that up in the middle until
// the test has done something to it.
type mark struct {
	bytes   int64
	last    time.Time     // when some of them moved, or could for the first time
	reached chan struct{} // closed by the mark
	struck  chan struct{} // closed by the test
}

func newMark() *mark { return &mark{reached: make(chan struct{}), struck: make(chan struct{})} }

func (m *mark) Write(p []byte) (int, error) {
	const middle = 256 << 10
	before := m.bytes
	m.last = time.Now()
	if m.bytes += int64(len(p)); before < middle && m.bytes >= middle {
		close(m.reached)
		<-m.struck
	}
	return len(p), nil
}

// A deed is something long that a connection of a kind is for.
type deed struct {
	name, kind string
	do         func(ctx context.Context, m *hawser.Manager, kind string, at *mark) error
}

func deeds() []deed {
	var all []deed
	for _, kind := range []string{"ftp", "ftp tls", "sftp"} {
		all = append(all, deed{kind + " download", kind, download}, deed{kind + " upload", kind, upload})
	}
	return append(all, deed{"ssh command", "ssh", echo}, deed{"smtp message", "smtp starttls", letter})
}

// begin returns once d is in its middle. What comes of it is sent then.
func (d deed) begin(t *testing.T, m *hawser.Manager, at *mark) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- d.do(t.Context(), m, d.kind, at) }()
	select {
	case <-at.reached:
	case err := <-done:
		require.NoError(t, err, "before its middle")
		t.Fatal("it has no middle")
	}
	return done
}

func download(ctx context.Context, m *hawser.Manager, kind string, at *mark) error {
	return hawser.Use(ctx, m, kind, func(ctx context.Context, files hawser.FileSystem) error {
		r, err := files.Open(ctx, big, 0)
		if err != nil {
			return err
		}
		_, err = io.Copy(at, struct{ io.Reader }{r})
		if err == nil && at.bytes != bigSize {
			return fmt.Errorf("%d bytes were called the whole file", at.bytes)
		}
		_ = r.Close()
		return settled(ctx, files, err)
	})
}

func upload(ctx context.Context, m *hawser.Manager, kind string, at *mark) error {
	return hawser.Use(ctx, m, kind, func(ctx context.Context, files hawser.FileSystem) error {
		w, err := files.Create(ctx, "in-"+rand.Text(), 0)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, io.TeeReader(zeroes(), at))
		closed := w.Close()
		var partial *hawser.PartialError
		if (err != nil || closed != nil) && !errors.As(closed, &partial) {
			return fmt.Errorf("a file that could not be written ended in %v", closed)
		}
		return settled(ctx, files, closed)
	})
}

// settled is err of a transfer, with what the session says to an operation after it:
// where both connections of ftp break, the data connection may be noticed first.
func settled(ctx context.Context, files hawser.FileSystem, err error) error {
	if err == nil {
		return nil
	}
	_, after := files.Stat(ctx, big)
	return errors.Join(err, after)
}

func zeroes() io.Reader { return bytes.NewReader(make([]byte, bigSize)) }

func echo(ctx context.Context, m *hawser.Manager, kind string, at *mark) error {
	return hawser.Use(ctx, m, kind, func(ctx context.Context, shell hawser.Runner) error {
		at.last = time.Now() // of what was echoed, a reset may leave nothing
		return shell.Run(ctx, &hawser.Command{Line: "cat", Stdin: zeroes(), Stdout: at})
	})
}

func letter(ctx context.Context, m *hawser.Manager, kind string, at *mark) error {
	return hawser.Use(ctx, m, kind, func(ctx context.Context, by hawser.Mailer) error {
		_, err := by.Send(ctx, hawser.Envelope{From: "jobs@inside.example", To: []string{"sink@inside.example"}}, lines{at})
		return err
	})
}

// lines are a message.
type lines struct{ at *mark }

func (l lines) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, io.TeeReader(bytes.NewReader(bytes.Repeat([]byte("Subject: long\r\n"), bigSize/15)), l.at))
}

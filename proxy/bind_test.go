package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

// bind has the proxy open a port for the peer of c.
func bind(t *testing.T, c net.Conn) hawser.Binding {
	t.Helper()
	binder, ok := c.(hawser.Binder)
	require.True(t, ok, "%T", c)
	b, err := binder.Bind(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// connectBack is what the server does: it connects to the port on the proxy.
func connectBack(t *testing.T, b hawser.Binding) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", b.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// socksFronts are the fronts that can bind.
func socksFronts(t *testing.T) []front {
	t.Helper()
	var all []front
	for _, f := range fronts(t) {
		if f.socks() {
			all = append(all, f)
		}
	}
	return all
}

func TestBind(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	for _, f := range socksFronts(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			addr := target
			if f.resolves() {
				addr = name(t, target)
			}
			control := f.dial(t, addr)
			b := bind(t, control)
			assert.True(t, b.Addr().Addr().IsLoopback(), b.Addr())
			assert.NotZero(t, b.Addr().Port())
			server := connectBack(t, b)
			data, err := b.Accept(t.Context())
			require.NoError(t, err)
			assert.Equal(t, server.LocalAddr().String(), data.RemoteAddr().String())
			_, err = io.WriteString(server, "from the server")
			require.NoError(t, err)
			hear(t, data, "from the server")
			_, err = io.WriteString(data, "from here")
			require.NoError(t, err)
			hear(t, server, "from here")
			require.NoError(t, data.(interface{ CloseWrite() error }).CloseWrite())
			_, err = server.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
			works(t, control)
			require.NoError(t, data.Close())
			_ = b.Close() // it is closed with the connection
		})
	}
}

// A server that connects back before Accept is called has to wait, but not long.
func TestBindOfManyAtOnce(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	for _, f := range socksFronts(t) {
		control := f.dial(t, target)
		var all []hawser.Binding
		var servers []net.Conn
		for range 5 {
			b := bind(t, control)
			all, servers = append(all, b), append(servers, connectBack(t, b))
		}
		for i, b := range all {
			data, err := b.Accept(t.Context())
			require.NoError(t, err, f.name)
			assert.Equal(t, servers[i].LocalAddr().String(), data.RemoteAddr().String(), f.name)
			require.NoError(t, data.Close())
		}
	}
}

func TestAcceptEnds(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	for _, f := range socksFronts(t) {
		t.Run(f.name+" with the context", func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := bind(t, f.dial(t, target)).Accept(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, hawser.ErrProxy)
			assert.ErrorContains(t, err, f.addr()+": bind "+target)
			assert.Less(t, time.Since(start), prompt)
		})
		t.Run(f.name+" with Close", func(t *testing.T) {
			t.Parallel()
			b := bind(t, f.dial(t, target))
			ended := make(chan error, 1)
			go func() { // ends with Close
				_, err := b.Accept(t.Context())
				ended <- err
			}()
			require.NoError(t, b.Close())
			require.NoError(t, b.Close())
			select {
			case err := <-ended:
				require.Error(t, err)
			case <-time.After(prompt):
				t.Fatal("Accept still waits")
			}
		})
	}
}

// The port is gone with Close: nobody is let in later.
func TestCloseGivesThePortUp(t *testing.T) {
	t.Parallel()
	for _, f := range socksFronts(t) {
		b := bind(t, f.dial(t, serve(t, echo).Addr()))
		require.NoError(t, b.Close())
		gone := func() bool {
			c, err := net.Dial("tcp", b.Addr().String())
			if err == nil {
				_ = c.Close()
			}
			return err != nil
		}
		assert.Eventually(t, gone, prompt, 5*time.Millisecond, f.name)
		_, err := b.Accept(t.Context())
		require.ErrorIs(t, err, net.ErrClosed, f.name)
	}
}

func TestProxiesThatCannotBind(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	p := start(t, testserver.ProxyConfig{NoBind: true})
	for _, kind := range []hawser.ProxyType{hawser.ProxySOCKS4, hawser.ProxySOCKS5} {
		c, err := dialled(t, kind, p.Addr(), "", target)
		require.NoError(t, err)
		_, err = c.(hawser.Binder).Bind(t.Context())
		require.ErrorIs(t, err, hawser.ErrProxy, kind)
		assert.Contains(t, err.Error(), p.Addr()+": bind "+target, kind)
		// SOCKS4 has one code for all refusals.
		assert.Equal(t, kind == hawser.ProxySOCKS5, errors.Is(err, errors.ErrUnsupported), "%v", err)
		works(t, c)
	}
	c, err := dialled(t, hawser.ProxyHTTP, p.Addr(), "", target)
	require.NoError(t, err)
	_, ok := c.(hawser.Binder)
	assert.False(t, ok, "HTTP has no such thing")
}

// The address that the proxy announces counts, and 0.0.0.0 means that of the proxy.
func TestAddressesOfBindings(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	for want, cfg := range map[string]testserver.ProxyConfig{
		"127.0.0.1": {Unspecified: true},
		"192.0.2.9": {External: netip.MustParseAddr("192.0.2.9")},
	} {
		p := start(t, cfg)
		for _, kind := range []hawser.ProxyType{hawser.ProxySOCKS4, hawser.ProxySOCKS5} {
			c, err := dialled(t, kind, p.Addr(), "", target)
			require.NoError(t, err)
			assert.Equal(t, want, bind(t, c).Addr().Addr().String(), kind)
		}
	}
}

// Whoever else comes is not let through.
func TestStrangersAtTheBoundPort(t *testing.T) {
	t.Parallel()
	target := serve(t, echo)
	p := start(t, testserver.ProxyConfig{Hosts: map[string]string{"127.0.0.7": target.Host()}, External: netip.MustParseAddr("127.0.0.1")})
	_, port, err := net.SplitHostPort(target.Addr())
	require.NoError(t, err)
	c, err := dialled(t, hawser.ProxySOCKS5, p.Addr(), "", "127.0.0.7:"+port)
	require.NoError(t, err)
	b := bind(t, c)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 8)}}
	stranger, err := d.DialContext(t.Context(), "tcp", b.Addr().String())
	if err != nil {
		t.Skipf("this machine has no 127.0.0.8: %v", err)
	}
	defer func() { _ = stranger.Close() }()
	_, err = b.Accept(t.Context())
	require.ErrorIs(t, err, hawser.ErrProxy)
	assert.ErrorContains(t, err, "2 connection not allowed by ruleset")
}

// The answers to a BIND are broken at every byte behind those to a CONNECT, which
// are as long.
func TestAnswersToBindAreBroken(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	const one, two = 2 + 10, 2 + 10 + 10 // bytes of SOCKS5
	f := front{name: "socks5", proxy: to(hawser.ProxySOCKS5, start(t, testserver.ProxyConfig{}).Addr(), "")}
	for _, x := range faults() {
		for after := int64(one + 1); after < two; after++ {
			relay := f.relay(t, testserver.RelayConfig{Down: x.flow(after)})
			b := bind(t, f.at(relay.Addr()).dial(t, target))
			server := connectBack(t, b)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			data, err := b.Accept(ctx)
			cancel()
			_ = server.Close()
			if x.lies && err == nil { // the address of the server, for one
				require.NoError(t, data.Close())
				continue
			}
			require.ErrorIs(t, err, hawser.ErrProxy, "%s after %d bytes", x.name, after)
			assert.ErrorContains(t, err, relay.Addr(), "%s after %d bytes", x.name, after)
			_ = relay.Close()
		}
	}
}

// Bindings leave nothing, accepted or not. It is not parallel, for it counts
// goroutines.
func TestBindingsLeaveNothing(t *testing.T) {
	target := serve(t, echo).Addr()
	all := socksFronts(t)
	now := goleak.IgnoreCurrent()
	for _, f := range all {
		control, err := f.dialer().DialContext(t.Context(), "tcp", target)
		require.NoError(t, err)
		for i := range 4 {
			b := bind(t, control)
			if i%2 == 0 {
				server := connectBack(t, b)
				data, err := b.Accept(t.Context())
				require.NoError(t, err, f.name)
				require.NoError(t, data.Close())
				require.NoError(t, server.Close())
			}
			_ = b.Close()
		}
		require.NoError(t, control.Close())
	}
	require.NoError(t, goleak.Find(now))
}

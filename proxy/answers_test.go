package proxy_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/proxy"
	"github.com/hawser/hawser/ssh"
)

// A proxy that is not wanted by a login may say so by hanging up, and then the
// password is not sent again.
func TestHangingUpOnALoginIsARefusal(t *testing.T) {
	t.Parallel()
	var sent atomic.Int32
	socks := serve(t, func(_ context.Context, c net.Conn) {
		b := make([]byte, 300)
		_, _ = c.Read(b)
		_, _ = c.Write([]byte{5, 2})
		n, _ := c.Read(b)
		if strings.Contains(string(b[:n]), password) {
			sent.Add(1)
		}
	})
	web := serve(t, func(_ context.Context, c net.Conn) {
		for r := bufio.NewReader(c); ; {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if q.Header.Get("Proxy-Authorization") != "" {
				sent.Add(1)
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 2\r\n\r\nno")
		}
	})
	for kind, most := range map[hawser.ProxyType]int32{
		hawser.ProxySOCKS5H: 1,
		hawser.ProxyHTTP:    2, // it may have left after the 407, so that it is told once more
	} {
		addr := socks.Addr()
		if kind == hawser.ProxyHTTP {
			addr = web.Addr()
		}
		sent.Store(0)
		c := hawser.Connection{Name: "x", Protocol: hawser.SSH, Host: "h", Proxy: to(kind, addr, user)}
		c.Auth = hawser.Auth{User: "u", Password: hawser.NewSecret("another-secret")}
		r := hawser.Retry{Dialer: ssh.Dialer{Transport: &proxy.Transport{}}, Pause: time.Millisecond}
		_, err := r.Dial(t.Context(), c)
		assert.Equal(t, proxy.OpLogin, failure(t, err).Op, kind)
		assert.False(t, hawser.Retryable(err), kind)
		assert.LessOrEqual(t, sent.Load(), most, kind)
	}
}

// webProxy answers a request without a login with refusal, and any other with 200 and
// an echo. It closes the connection after a refusal.
func webProxy(t *testing.T, refusal string) string {
	t.Helper()
	return serve(t, func(ctx context.Context, c net.Conn) {
		q, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		if q.Header.Get("Proxy-Authorization") == "" {
			_, _ = io.WriteString(c, refusal)
			if !strings.HasSuffix(refusal, "\r\n") {
				_, _ = io.Copy(io.Discard, c) // the body never comes to its end
			}
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 ok\r\n\r\n")
		echo(ctx, c)
	}).Addr()
}

func TestProxiesThatLeaveAfterARefusal(t *testing.T) {
	t.Parallel()
	const ask = "Proxy-Authenticate: Basic realm=\"x\"\r\n"
	for name, refusal := range map[string]string{
		"without a word":       "HTTP/1.1 407 x\r\n" + ask + "Content-Length: 0\r\n\r\n",
		"in words of old":      "HTTP/1.1 407 x\r\nProxy-Connection: close\r\n" + ask + "Content-Length: 0\r\n\r\n",
		"as version 1.0 does":  "HTTP/1.0 407 x\r\n" + ask + "\r\n",
		"with an endless body": "HTTP/1.1 407 x\r\n" + ask + "Content-Length: 10\r\n\r\nhalf",
		"with no length":       "HTTP/1.1 407 x\r\n" + ask + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &proxy.Dialer{Proxy: to(hawser.ProxyHTTP, webProxy(t, refusal), user)}
			c, err := d.DialContext(t.Context(), "tcp", "h:22")
			require.NoError(t, err)
			works(t, c)
			require.NoError(t, c.Close())
		})
	}
}

// Whatever the fields of a success say of a body, there is none.
func TestOddSuccesses(t *testing.T) {
	t.Parallel()
	for _, head := range []string{
		"HTTP/1.1 200 OK\r\n", "HTTP/1.0 200\r\n", "HTTP/1.1 200 \n", "HTTP/1.1 204 No Content\r\n", "HTTP/1.1 299 x\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n",
		"HTTP/1.1 200 OK\r\nX: \xff\r\n",
	} {
		server := serve(t, func(_ context.Context, c net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = io.WriteString(c, head+"\r\n220 hello")
			_, _ = io.Copy(io.Discard, c)
		})
		c, err := (&proxy.Dialer{Proxy: to(hawser.ProxyHTTP, server.Addr(), "")}).DialContext(t.Context(), "tcp", "h:22")
		require.NoError(t, err, "%q", head)
		hear(t, c, "220 hello")
		require.NoError(t, c.Close())
	}
}

// A proxy is told names as DNS has them.
func TestNamesAreASCII(t *testing.T) {
	t.Parallel()
	p := start(t, proxyConfigOf("xn--bcher-kva.example", serve(t, echo).Addr()))
	for _, kind := range []hawser.ProxyType{hawser.ProxyHTTP, hawser.ProxySOCKS4A, hawser.ProxySOCKS5H} {
		d := &proxy.Dialer{Proxy: to(kind, p.Addr(), "")}
		c, err := d.DialContext(t.Context(), "tcp", "bücher.example:22")
		require.NoError(t, err, kind)
		assert.Equal(t, "bücher.example:22", c.RemoteAddr().String())
		works(t, c)
		require.NoError(t, c.Close())
		_, err = d.DialContext(t.Context(), "tcp", "\xff\xfe:22")
		require.Error(t, err)
	}
}

// What a Default chooses is checked, and so is the proxy of a Dialer.
func TestProxiesAreValidated(t *testing.T) {
	t.Parallel()
	c := hawser.Connection{Protocol: hawser.SSH, Host: "good.example"}
	for _, p := range []hawser.Proxy{
		{Type: hawser.ProxyHTTP},
		{Type: hawser.ProxySOCKS4A, Host: "127.0.0.1", User: "u\x00evil.example\x00"},
		{Type: "gopher", Host: "127.0.0.1"},
	} {
		way := &proxy.Transport{Default: func(hawser.Connection, string) (hawser.Proxy, error) { return p, nil }}
		_, err := way.DialNet(t.Context(), c, "tcp", "good.example:22")
		require.ErrorIs(t, err, hawser.ErrInvalid, "%v", p)
		_, err = (&proxy.Dialer{Proxy: p}).DialNet(t.Context(), c, "tcp", "good.example:22")
		require.ErrorIs(t, err, hawser.ErrInvalid, "%v", p)
		_, err = (&proxy.Dialer{Proxy: p}).DialContext(t.Context(), "tcp", "good.example:22")
		require.ErrorIs(t, err, hawser.ErrInvalid, "%v", p)
	}
	_, err := (&proxy.Dialer{}).DialNet(t.Context(), c, "tcp", "good.example:22")
	require.ErrorIs(t, err, hawser.ErrInvalid)
}

// The second answer to a BIND says who has connected, in whatever words.
func TestWhoHasConnected(t *testing.T) {
	t.Parallel()
	for want, answer := range map[string][]byte{
		"0.0.0.0:0":       {5, 0, 0, 1, 0, 0, 0, 0, 0, 0},
		"192.0.2.7:20":    {5, 0, 0, 1, 192, 0, 2, 7, 0, 20},
		"[2001:db8::]:20": append([]byte{5, 0, 0, 4, 0x20, 1, 0xd, 0xb8, 13: 0}, 0, 0, 0, 0, 0, 0, 0, 20),
		"evil.example:20": append(append([]byte{5, 0, 0, 3, 12}, "evil.example"...), 0, 20),
	} {
		var asked atomic.Int32
		server := serve(t, func(_ context.Context, c net.Conn) {
			b := make([]byte, 300)
			_, _ = c.Read(b)
			_, _ = c.Write([]byte{5, 0})
			_, _ = c.Read(b)
			_, _ = c.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 9, 9})
			if asked.Add(1) == 2 {
				_, _ = c.Write(answer)
			}
			_, _ = io.Copy(io.Discard, c)
		})
		c, err := (&proxy.Dialer{Proxy: to(hawser.ProxySOCKS5, server.Addr(), "")}).DialContext(t.Context(), "tcp", "192.0.2.7:21")
		require.NoError(t, err)
		b, err := c.(hawser.Binder).Bind(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "127.0.0.1:2313", b.Addr().String())
		d, err := b.Accept(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, d.RemoteAddr().String())
		require.NoError(t, d.Close())
		require.NoError(t, c.Close())
	}
}

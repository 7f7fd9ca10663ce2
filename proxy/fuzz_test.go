package proxy_test

import (
	"bytes"
	"context"
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
	"github.com/hawser/hawser/proxy"
)

// A parrot is a proxy in memory that says the same on each connection, whatever it is
// asked, and hangs up.
type parrot struct {
	words   []byte
	talking sync.WaitGroup
}

func (p *parrot) DialContext(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p.talking.Go(func() { _, _ = io.Copy(io.Discard, far) }) // ends with far
	p.talking.Go(func() {
		_, _ = far.Write(p.words)
		_ = far.Close()
	})
	return near, nil
}

// dial is through a proxy of kind that says words. It checks the error.
func (p *parrot) dial(t *testing.T, kind hawser.ProxyType) net.Conn {
	d := &proxy.Dialer{Proxy: hawser.Proxy{Type: kind, Host: "p.example", User: user}, Forward: p, Timeout: 10 * time.Second}
	if kind != hawser.ProxySOCKS4 && kind != hawser.ProxySOCKS4A {
		d.Proxy.Password = hawser.NewSecret(password)
	}
	c, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:22")
	p.typed(t, err)
	if err != nil {
		require.Nil(t, c)
	}
	return c
}

// typed checks that err, unless it is nil, says what it should and no more.
func (p *parrot) typed(t *testing.T, err error) {
	if err == nil {
		return
	}
	e := failure(t, err)
	assert.Contains(t, e.Proxy, "p.example")
	assert.Equal(t, "192.0.2.1:22", e.Target)
	assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it waits for more, though there is none")
	assert.Equal(t, hawser.Printable(err.Error()), err.Error())
	assert.Less(t, len(err.Error()), 2<<10)
	if !bytes.Contains(p.words, []byte(password)) {
		assert.NotContains(t, err.Error(), password)
	}
}

func FuzzHTTPAnswer(f *testing.F) {
	for _, words := range []string{
		"HTTP/1.1 200 OK\r\n\r\n220 hello", "HTTP/1.0 200\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 x\r\nContent-Length: 3\r\n\r\n",
		"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 2\r\n\r\nnoHTTP/1.1 200 x\r\n\r\n",
		"HTTP/1.1 407 x\r\nProxy-Authenticate: Digest realm=\"x\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256, stale=true\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 407 x\r\nTransfer-Encoding: chunked\r\nProxy-Authenticate: Digest nonce=\"n\", Basic\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		"HTTP/1.1 503 x\r\nX-Squid-Error: ERR_CONNECT_FAIL 111\r\n\r\n", "HTTP/1.1 502 x\r\nProxy-Status: p; error=dns_error\r\n\r\n",
		"HTTP/1.1 401 x\r\n\r\n", "HTTP/9.9 abc", "HTTP/1.1 2xx \x1b[2J\n\n", "SSH-2.0-x\r\n", "\x05\xff", "",
	} {
		f.Add([]byte(words))
	}
	f.Fuzz(func(t *testing.T, words []byte) {
		p := &parrot{words: words}
		if c := p.dial(t, hawser.ProxyHTTP); c != nil {
			got, err := io.ReadAll(c)
			require.NoError(t, err)
			assert.True(t, bytes.HasSuffix(words, got), "what follows the answer is the target's")
			require.NoError(t, c.Close())
		}
		p.talking.Wait()
	})
}

func FuzzSOCKSAnswer(f *testing.F) {
	for _, words := range []string{
		"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x16\x05\x00\x00\x01\x7f\x00\x00\x02\x00\x17220 hello",
		"\x05\x02\x01\x00\x05\x00\x00\x03\x05proxy\x00\x16\x05\x00\x00\x03\x03a\nb\x00\x17",
		"\x05\x02\x01\x01", "\x05\xff", "\x05\x00\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00", "\x05\x00\x05\x00\x00\x04" + strings.Repeat("\x00", 18),
		"\x00\x5a\x00\x16\x7f\x00\x00\x01\x00\x5a\x00\x16\x7f\x00\x00\x01", "\x00\x5b\x00\x00\x00\x00\x00\x00", "\x04\x5a\x00\x00\x00\x00\x00\x00", "HTTP/1.1 400 x", "",
	} {
		for version := range byte(4) {
			f.Add(version, []byte(words))
		}
	}
	kinds := []hawser.ProxyType{hawser.ProxySOCKS4, hawser.ProxySOCKS4A, hawser.ProxySOCKS5, hawser.ProxySOCKS5H}
	f.Fuzz(func(t *testing.T, version byte, words []byte) {
		p := &parrot{words: words}
		if c := p.dial(t, kinds[int(version)%len(kinds)]); c != nil {
			p.bind(t, c)
			got, err := io.ReadAll(c)
			require.NoError(t, err)
			assert.True(t, bytes.HasSuffix(words, got), "what follows the answer is the target's")
			require.NoError(t, c.Close())
		}
		p.talking.Wait()
	})
}

// bind has the proxy say its words to a BIND, too.
func (p *parrot) bind(t *testing.T, c net.Conn) {
	b, err := c.(hawser.Binder).Bind(t.Context())
	p.typed(t, err)
	if err != nil {
		return
	}
	assert.NotZero(t, b.Addr().Port())
	data, err := b.Accept(t.Context())
	p.typed(t, err)
	if err == nil {
		addr := data.RemoteAddr().String()
		assert.Equal(t, hawser.Printable(addr), addr)
		require.NoError(t, data.Close())
	}
	_ = b.Close()
}

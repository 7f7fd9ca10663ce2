package testserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startOwnProxy starts a proxy in this process for the length of the test.
func startOwnProxy(t *testing.T, cfg ProxyConfig) *Proxy {
	t.Helper()
	p, err := StartProxy(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// proxyPeer is a client that speaks word by word.
type proxyPeer struct {
	net.Conn
	in *bufio.Reader
}

// dialProxy connects for the length of the test, by TLS where the proxy wants it.
func dialProxy(t *testing.T, p *Proxy) *proxyPeer {
	t.Helper()
	c := connect(t, p.Addr())
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	if p.CA() != "" {
		c = tls.Client(c, trusting(t, p.CA()))
	}
	return &proxyPeer{Conn: c, in: bufio.NewReader(c)}
}

func (c *proxyPeer) say(t *testing.T, words string) {
	t.Helper()
	_, err := io.WriteString(c.Conn, words)
	require.NoError(t, err)
}

// hear reads n bytes.
func (c *proxyPeer) hear(t *testing.T, n int) string {
	t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(c.in, b)
	require.NoError(t, err)
	return string(b)
}

// hearAll reads to the end.
func (c *proxyPeer) hearAll(t *testing.T) string {
	t.Helper()
	b, err := io.ReadAll(c.in)
	require.NoError(t, err)
	return string(b)
}

// connectTo asks for a tunnel by HTTP, with header lines that end in CR LF, and returns the answer and its page.
func (c *proxyPeer) connectTo(t *testing.T, target, header string) (*http.Response, string) {
	t.Helper()
	c.say(t, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n"+header+"\r\n")
	answer, err := http.ReadResponse(c.in, &http.Request{Method: http.MethodConnect})
	require.NoError(t, err)
	if answer.StatusCode == http.StatusOK {
		return answer, ""
	}
	page, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer, string(page)
}

// echoToTheEnd says the end of one direction and wants what it sent before back before the end of the other.
func (c *proxyPeer) echoToTheEnd(t *testing.T) {
	t.Helper()
	c.say(t, "to the end")
	half, ok := c.Conn.(halfConn)
	require.True(t, ok)
	require.NoError(t, half.CloseWrite())
	require.Equal(t, "to the end", c.hearAll(t))
}

// greetAndEcho is a target that speaks first.
func greetAndEcho(_ context.Context, c net.Conn) {
	_, _ = io.WriteString(c, "220 ready\r\n")
	_, _ = io.Copy(c, c)
}

func TestProxyPassesTheEndOfOneDirectionOn(t *testing.T) {
	t.Parallel()
	target := startTCP(t, echoAfterEOF)
	id, err := NewIdentity()
	require.NoError(t, err)
	for name, identity := range map[string]*Identity{"in clear": nil, "through TLS": id} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startOwnProxy(t, ProxyConfig{Identity: identity})
			c := dialProxy(t, p)
			answer, _ := c.connectTo(t, target.Addr(), "")
			require.Equal(t, http.StatusOK, answer.StatusCode)
			require.Equal(t, 1, p.Open())
			c.echoToTheEnd(t)
			require.NoError(t, c.Close())
			require.Eventually(t, func() bool { return p.Open() == 0 }, patience, poll)
		})
	}
}

func TestProxyDeliversWhatTheClientSentTooEarly(t *testing.T) {
	t.Parallel()
	target := startTCP(t, echoAfterEOF)
	c := dialProxy(t, startOwnProxy(t, ProxyConfig{}))
	c.say(t, "CONNECT "+target.Addr()+" HTTP/1.1\r\nHost: x\r\n\r\nearly, ")
	answer, err := http.ReadResponse(c.in, &http.Request{Method: http.MethodConnect})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	c.say(t, "late")
	require.NoError(t, c.Conn.(*net.TCPConn).CloseWrite())
	require.Equal(t, "early, late", c.hearAll(t))
}

func TestProxySendsItsAnswerTogetherWithTheGreeting(t *testing.T) {
	t.Parallel()
	target := startTCP(t, greetAndEcho)
	id, err := NewIdentity()
	require.NoError(t, err)
	// A Read of TLS returns one record, which is one write.
	p := startOwnProxy(t, ProxyConfig{
		Together: true, Identity: id, Hosts: map[string]string{"mail.example": target.Addr()},
	})
	for name, row := range map[string]struct{ ask, answer string }{
		"http": {"CONNECT mail.example:25 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 Connection established\r\n\r\n"},
		"socks4a": {
			"\x04\x01\x00\x19\x00\x00\x00\x01\x00mail.example\x00", "\x00\x5a", // followed by address and port
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dialProxy(t, p)
			c.say(t, row.ask)
			first := make([]byte, 1<<10)
			n, err := c.Conn.Read(first)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(first[:n]), row.answer))
			require.True(t, strings.HasSuffix(string(first[:n]), "220 ready\r\n"), "%q", first[:n])
			c.say(t, "on")
			require.Equal(t, "on", c.hear(t, 2))
		})
	}
}

func TestProxyLosesNoRefusalOfAClientThatStillSends(t *testing.T) {
	t.Parallel()
	c := dialProxy(t, startOwnProxy(t, ProxyConfig{}))
	c.say(t, socks4Ask(1, "\x00\x00\x00\x01", 1, "no.example")+string(make([]byte, 64<<10)))
	require.Equal(t, "\x00\x5b", c.hearAll(t)[:2])
}

func TestProxySaysWhatAnswerSays(t *testing.T) {
	t.Parallel()
	p := startOwnProxy(t, ProxyConfig{Answer: func(target string) []byte {
		if target == "garbage.example:1" {
			return []byte("garbage\r\n\r\n")
		}
		return nil
	}})
	c := dialProxy(t, p)
	c.say(t, "CONNECT garbage.example:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	require.Equal(t, "garbage\r\n\r\n", c.hearAll(t))
	require.Equal(t, http.StatusBadGateway, p.Requests()[0].Status, "what it would have said")

	answer, _ := dialProxy(t, p).connectTo(t, "other.example:1", "")
	require.Equal(t, http.StatusBadGateway, answer.StatusCode)
}

func TestProxySpeaksWhatItIsToldTo(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		protocols []string
		ask, want string
	}{
		"socks4a without socks4a": {
			[]string{ProxySOCKS4}, "\x04\x01\x00\x19\x00\x00\x00\x01me\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00",
		},
		"socks4 without socks4": {
			[]string{ProxySOCKS4a}, "\x04\x01\x00\x19\x7f\x00\x00\x01me\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00",
		},
		"socks5 without socks5": {[]string{ProxySOCKS4}, "\x05\x01\x00", ""},
		"http without http":     {[]string{ProxySOCKS5}, "CONNECT a:1 HTTP/1.1\r\n\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dialProxy(t, startOwnProxy(t, ProxyConfig{Protocols: row.protocols}))
			c.say(t, row.ask)
			got, err := io.ReadAll(c.in)
			require.Equal(t, row.want, string(got))
			if row.want != "" {
				require.NoError(t, err)
			}
		})
	}
	c := dialProxy(t, startOwnProxy(t, ProxyConfig{Protocols: []string{ProxyHTTP}}))
	c.say(t, "\x05\x01\x00\n\n")
	require.True(t, strings.HasPrefix(c.hearAll(t), "HTTP/1.1 400 Bad Request\r\n"))
}

func TestProxyCutsTunnels(t *testing.T) {
	t.Parallel()
	target := startTCP(t, greetAndEcho)
	p := startOwnProxy(t, ProxyConfig{})
	open := func() *proxyPeer {
		c := dialProxy(t, p)
		answer, _ := c.connectTo(t, target.Addr(), "")
		require.Equal(t, http.StatusOK, answer.StatusCode)
		return c
	}
	dropped := open()
	p.Drop()
	_, _ = io.Copy(io.Discard, dropped.in)
	require.Eventually(t, func() bool { return p.Open() == 0 && target.Open() == 0 }, patience, poll)

	closed := open()
	waiting := dialProxy(t, p)
	waiting.say(t, "\x05\x01\x00")
	require.Equal(t, "\x05\x00", waiting.hear(t, 2))
	require.NoError(t, p.Close())
	_, _ = io.Copy(io.Discard, closed.in)
	require.Zero(t, p.Open())
	require.NoError(t, p.Close(), "closing twice")
}

func TestProxyPresentsItsIdentityAndRemovesTheFile(t *testing.T) {
	t.Parallel()
	id, err := NewIdentity()
	require.NoError(t, err)
	p, err := StartProxy(ProxyConfig{Identity: id})
	require.NoError(t, err)
	require.Same(t, id, p.Identity())
	require.FileExists(t, p.CA())
	require.NoError(t, p.Close())
	_, err = os.Stat(p.CA())
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestProxyRefusesAConfigurationThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	_, err := StartProxy(ProxyConfig{Protocols: []string{"gopher"}})
	require.ErrorContains(t, err, `Protocols has "gopher"`)
	_, err = StartProxy(ProxyConfig{Schemes: []string{"Digest SHA-1"}})
	require.ErrorContains(t, err, `Schemes has "Digest SHA-1"`)
}

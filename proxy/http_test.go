package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/proxy"
)

// A server that speaks first may be heard in the same segment as the proxy.
func TestBytesBehindTheAnswerAreKept(t *testing.T) {
	t.Parallel()
	const greeting = "220 ready\r\n"
	target := serve(t, func(ctx context.Context, c net.Conn) {
		_, _ = io.WriteString(c, greeting)
		echo(ctx, c)
	})
	p := start(t, testserver.ProxyConfig{Together: true})
	for _, kind := range []hawser.ProxyType{hawser.ProxyHTTP, hawser.ProxySOCKS4, hawser.ProxySOCKS5} {
		c, err := (&proxy.Dialer{Proxy: to(kind, p.Addr(), "")}).DialContext(t.Context(), "tcp", target.Addr())
		require.NoError(t, err, kind)
		plain := c.(interface{ TCPConn() *net.TCPConn })
		if kind == hawser.ProxyHTTP {
			assert.Nil(t, plain.TCPConn(), "the kernel would pass over what was read")
		}
		hear(t, c, greeting[:4])
		hear(t, c, greeting[4:])
		assert.NotNil(t, plain.TCPConn(), kind)
		works(t, c)
		require.NoError(t, c.Close())
	}
}

// refused is the error of a dial through a proxy that answers every request so.
func refused(t *testing.T, answer, user string) (*proxy.Error, error) {
	t.Helper()
	server := serve(t, func(_ context.Context, c net.Conn) {
		for r := bufio.NewReader(c); ; {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	})
	d := &proxy.Dialer{Proxy: to(hawser.ProxyHTTP, server.Addr(), user)}
	_, err := d.DialContext(t.Context(), "tcp", "box.example:2222")
	e := failure(t, err)
	assert.Equal(t, "http "+server.Addr(), e.Proxy)
	assert.Equal(t, "box.example:2222", e.Target)
	assert.ErrorContains(t, err, e.Proxy)
	return e, err
}

// What a proxy says decides whose fault it is, and whether later may be better.
func TestHTTPRefusals(t *testing.T) {
	t.Parallel()
	for head, row := range map[string]struct {
		cause     error // of the target; nil: it is the proxy's fault
		temporary bool
		text      string
	}{
		"403 Forbidden":                                 {nil, false, "403 Forbidden; have the proxy allow CONNECT to port 2222"},
		"405 Method Not Allowed":                        {nil, false, "have the proxy allow CONNECT to port 2222"},
		"400 Bad Request":                               {nil, false, "400 Bad Request"},
		"404 Not Found":                                 {nil, false, "404 Not Found"},
		"302 Found\r\nLocation: /login":                 {nil, false, "302 Found"},
		"500 Unable to connect":                         {nil, true, "500 Unable to connect"},
		"503 Service Unavailable":                       {nil, true, "503 Service Unavailable"},
		"429 Too Many":                                  {nil, true, "429 Too Many"},
		"408 Request Timeout":                           {nil, true, "408 Request Timeout"},
		"502 Bad Gateway":                               {syscall.EHOSTUNREACH, true, "box.example:2222: 502 Bad Gateway, says the proxy http"},
		"504 Gateway Timeout":                           {syscall.EHOSTUNREACH, true, "504 Gateway Timeout"},
		"999 Odd":                                       {nil, false, "999 Odd"},
		"503":                                           {nil, true, "503"},
		"500 a\x1b[2Jb":                                 {nil, true, `500 a\x1b[2Jb`},
		"503 x\r\n" + squid("CONNECT_FAIL 111"):         {syscall.ECONNREFUSED, true, "503 x (ERR_CONNECT_FAIL 111)"},
		"503 x\r\n" + squid("CONNECT_FAIL 110"):         {syscall.ETIMEDOUT, true, ""},
		"503 x\r\n" + squid("CONNECT_FAIL 101"):         {syscall.ENETUNREACH, true, ""},
		"503 x\r\n" + squid("CONNECT_FAIL 113"):         {syscall.EHOSTUNREACH, true, ""},
		"503 x\r\n" + squid("CONNECT_FAIL"):             {syscall.EHOSTUNREACH, true, ""},
		"503 x\r\n" + squid("CANNOT_FORWARD 0"):         {syscall.EHOSTUNREACH, true, ""},
		"503 x\r\n" + squid("DNS_FAIL 0"):               {errNoName, false, ""},
		"503 x\r\n" + squid("READ_ERROR 104"):           {nil, true, ""},
		"403 x\r\n" + squid("ACCESS_DENIED 0"):          {nil, false, "403 x (ERR_ACCESS_DENIED 0)"},
		"502 x\r\n" + said("connection_refused"):        {syscall.ECONNREFUSED, true, `502 x (p.example; error=connection_refused; details="x")`},
		"504 x\r\n" + said("connection_timeout"):        {syscall.ETIMEDOUT, true, ""},
		"502 x\r\n" + said("dns_error"):                 {errNoName, false, ""},
		"502 x\r\n" + said("dns_timeout"):               {errNoName, false, ""},
		"503 x\r\n" + said("destination_ip_unroutable"): {syscall.EHOSTUNREACH, true, ""},
		"500 x\r\n" + said("proxy_internal_error"):      {nil, true, ""},
	} {
		t.Run(strings.ReplaceAll(head, "\r\n", " "), func(t *testing.T) {
			t.Parallel()
			e, err := refused(t, "HTTP/1.1 "+head+"\r\nContent-Length: 4\r\n\r\npage", "")
			assert.ErrorContains(t, err, "box.example:2222")
			assert.ErrorContains(t, err, row.text)
			assert.Equal(t, row.temporary, e.Temporary(), "%v", err)
			assert.Equal(t, row.cause == nil, errors.Is(err, hawser.ErrProxy), "%v", err)
			assert.NotErrorIs(t, err, hawser.ErrAuth)
			switch row.cause {
			case nil:
			case errNoName:
				var dns *net.DNSError
				require.ErrorAs(t, err, &dns)
				assert.True(t, dns.IsNotFound)
				assert.Equal(t, "box.example", dns.Name)
			default:
				assert.ErrorIs(t, err, row.cause)
			}
			assert.Equal(t, head[:3], strconv.Itoa(e.Code))
		})
	}
}

// errNoName stands for a *net.DNSError.
var errNoName = errors.New("no such name")

func squid(kind string) string { return "X-Squid-Error: ERR_" + kind }

// said is a field of RFC 9209.
func said(kind string) string { return `Proxy-Status: p.example; error=` + kind + `; details="x"` }

// The cure for ftp names its second port.
func TestRefusedPortOfFTP(t *testing.T) {
	t.Parallel()
	p := start(t, testserver.ProxyConfig{Deny: func(string) bool { return true }})
	c := hawser.Connection{Name: "x", Protocol: hawser.FTP, Host: "127.0.0.1", Proxy: to(hawser.ProxyHTTP, p.Addr(), "")}
	_, err := new(proxy.Transport).DialNet(t.Context(), c, "tcp", "127.0.0.1:21")
	require.ErrorIs(t, err, hawser.ErrProxy)
	assert.ErrorContains(t, err, "have the proxy allow CONNECT to port 21, and to the ports of ftp's data")
}

// Who takes another server for an HTTP proxy is told what it is.
func TestServersThatAreNoHTTPProxy(t *testing.T) {
	t.Parallel()
	for first, cure := range map[string]string{
		"\x05\xff":                            "set proxy.type to socks5h or socks4a",
		"\x00\x5b\x00\x00\x00\x00\x00\x00":    "set proxy.type to socks5h or socks4a",
		"SSH-2.0-x\r\n":                       "it may be a server and no proxy",
		"220 mail.example ESMTP\r\n":          "it may be a server and no proxy",
		"\x15\x03\x01\x00\x02\x02\x16":        "set proxy.type to https",
		"HTTP/1.1 OK\r\n\r\n":                 "its answer is malformed",
		"HTTPS/1.1 200 OK\r\n\r\n":            "its answer begins with",
		"HTTP/1.1 200 OK\r\nno field\r\n\r\n": "",
	} {
		server := serve(t, testserver.Say(first))
		d := &proxy.Dialer{Proxy: to(hawser.ProxyHTTP, server.Addr(), "")}
		c, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:9")
		if cure == "" { // a field of a success does not matter
			require.NoError(t, err, "%q", first)
			require.NoError(t, c.Close())
			continue
		}
		require.ErrorIs(t, err, hawser.ErrProxy, "%q", first)
		assert.ErrorContains(t, err, cure, "%q", first)
		assert.ErrorContains(t, err, "it does not speak HTTP", "%q", first)
		assert.False(t, failure(t, err).Temporary(), "%q", first)
	}
}

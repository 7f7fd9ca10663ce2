package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/proxy"
)

// saying is a proxy that answers each message of a client with the next answer, and
// then says what else is to be said.
func saying(t *testing.T, answers ...string) string {
	t.Helper()
	return serve(t, func(_ context.Context, c net.Conn) {
		message := make([]byte, 1<<10)
		for _, answer := range answers {
			if _, err := c.Read(message); err != nil {
				return
			}
			_, _ = io.WriteString(c, answer)
		}
		_, _ = io.Copy(io.Discard, c)
	}).Addr()
}

// dialled is what comes of a dial of addr by kind through the proxy at proxyAddr.
func dialled(t *testing.T, kind hawser.ProxyType, proxyAddr, user, addr string) (net.Conn, error) {
	t.Helper()
	c, err := (&proxy.Dialer{Proxy: to(kind, proxyAddr, user)}).DialContext(t.Context(), "tcp", addr)
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

const nowhere = "\x01\x00\x00\x00\x00\x00\x00" // 0.0.0.0:0 of SOCKS5

func TestRepliesOfSOCKS5(t *testing.T) {
	t.Parallel()
	for code, row := range map[byte]struct {
		cause     error // of the target; nil: it is the proxy's fault
		temporary bool
		text      string
	}{
		1:   {nil, true, "connect 192.0.2.1:22: 1 general SOCKS server failure"},
		2:   {nil, false, "connect 192.0.2.1:22: 2 connection not allowed by ruleset"},
		3:   {syscall.ENETUNREACH, true, "192.0.2.1:22: 3 network unreachable, says the proxy socks5 127."},
		4:   {syscall.EHOSTUNREACH, true, "192.0.2.1:22: 4 host unreachable"},
		5:   {syscall.ECONNREFUSED, true, "192.0.2.1:22: 5 connection refused"},
		6:   {syscall.EHOSTUNREACH, true, "192.0.2.1:22: 6 TTL expired"},
		7:   {nil, false, "7 command not supported"},
		8:   {nil, false, "8 address type not supported"},
		9:   {nil, false, "9 a reply that RFC 1928 does not know"},
		255: {nil, false, "255 a reply that RFC 1928 does not know"},
	} {
		_, err := dialled(t, hawser.ProxySOCKS5, saying(t, "\x05\x00", "\x05"+string([]byte{code})+"\x00"+nowhere), "", "192.0.2.1:22")
		e := failure(t, err)
		assert.Equal(t, int(code), e.Code)
		assert.Equal(t, proxy.OpConnect, e.Op)
		assert.ErrorContains(t, err, row.text)
		assert.Equal(t, row.temporary, e.Temporary(), "%v", err)
		assert.Equal(t, row.cause == nil, errors.Is(err, hawser.ErrProxy), "%v", err)
		assert.NotErrorIs(t, err, hawser.ErrAuth)
		assert.Equal(t, code == 7 || code == 8, errors.Is(err, errors.ErrUnsupported), "%v", err)
		if row.cause != nil {
			assert.ErrorIs(t, err, row.cause)
		}
	}
}

func TestRepliesOfSOCKS4(t *testing.T) {
	t.Parallel()
	for code, row := range map[byte]struct {
		auth, temporary bool
		text            string
	}{
		91: {false, true, "connect 192.0.2.1:22: 91 rejected or failed; SOCKS4 does not tell"},
		92: {true, false, "login: 92 the proxy asked this machine's identd"},
		93: {true, false, "login: 93 the proxy asked this machine's identd"},
		94: {false, false, "connect 192.0.2.1:22: 94 no reply of SOCKS4"},
		0:  {false, false, "no reply of SOCKS4"},
	} {
		_, err := dialled(t, hawser.ProxySOCKS4, saying(t, "\x00"+string([]byte{code})+"\x00\x00\x00\x00\x00\x00"), user, "192.0.2.1:22")
		e := failure(t, err)
		assert.Equal(t, int(code), e.Code)
		assert.ErrorContains(t, err, row.text)
		assert.ErrorIs(t, err, hawser.ErrProxy)
		assert.Equal(t, row.auth, errors.Is(err, hawser.ErrAuth), "%v", err)
		assert.Equal(t, row.temporary, e.Temporary(), "%v", err)
	}
	_, err := dialled(t, hawser.ProxySOCKS4A, saying(t, "\x00\x5b\x00\x00\x00\x00\x00\x00"), "", "box.example:22")
	assert.ErrorContains(t, err, "if the proxy does not know SOCKS4a, set proxy.type to socks4 or socks5h")
}

// What the proxy says of its own end does not matter to a CONNECT, but is read.
func TestAddressesInReplies(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]string{
		"IPv4":          "\x01\x7f\x00\x00\x01\x00\x16",
		"IPv6":          "\x04" + strings.Repeat("\x00", 15) + "\x01\x00\x16",
		"a name":        "\x03\x05proxy\x00\x16",
		"an empty name": "\x03\x00\x00\x16",
		"a long name":   "\x03\xff" + strings.Repeat("x", 255) + "\x00\x16",
	} {
		c, err := dialled(t, hawser.ProxySOCKS5, saying(t, "\x05\x00", "\x05\x00\x00"+reply+"220 hello"), "", "192.0.2.1:22")
		require.NoError(t, err, name)
		hear(t, c, "220 hello")
		assert.Equal(t, "192.0.2.1:22", c.RemoteAddr().String(), name)
	}
	_, err := dialled(t, hawser.ProxySOCKS5, saying(t, "\x05\x00", "\x05\x00\x00\x02\x00\x00"), "", "192.0.2.1:22")
	require.ErrorIs(t, err, hawser.ErrProxy)
	assert.ErrorContains(t, err, "an address of no known type")
}

func TestMethodsOfSOCKS5(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		user, method, text string
	}{
		"none, and there is no user": {"", "\x05\xff", "login: 255 the proxy wants a login; set proxy.user and proxy.password"},
		"none, and there is a user":  {user, "\x05\xff", "login: 255 the proxy takes neither a password nor nobody"},
		"GSSAPI":                     {user, "\x05\x01", "login: 1 the proxy chose a method that it was not offered"},
		"a password of nobody":       {"", "\x05\x02", "login: 2 the proxy chose a method that it was not offered"},
	} {
		_, err := dialled(t, hawser.ProxySOCKS5H, saying(t, row.method), row.user, "box.example:22")
		require.ErrorIs(t, err, hawser.ErrProxy, name)
		require.ErrorIs(t, err, hawser.ErrAuth, name)
		assert.ErrorContains(t, err, row.text, name)
		assert.False(t, failure(t, err).Temporary(), name)
	}
}

func TestRefusedPasswordOfSOCKS5IsSentOnce(t *testing.T) {
	t.Parallel()
	p := start(t, testserver.ProxyConfig{User: user, Password: "another-word"})
	_, err := dialled(t, hawser.ProxySOCKS5H, p.Addr(), user, "localhost:9")
	require.ErrorIs(t, err, hawser.ErrProxy)
	require.ErrorIs(t, err, hawser.ErrAuth)
	assert.ErrorContains(t, err, "login: 1 the proxy refuses proxy.user or proxy.password")
	assert.False(t, failure(t, err).Temporary())
	assert.Equal(t, "password", logins(p))
}

// A name with two addresses here is no reason to send a refused password twice.
func TestRefusedLoginEndsTheAddressesOfAName(t *testing.T) {
	t.Parallel()
	p := start(t, testserver.ProxyConfig{User: user, Password: "another-word"})
	for _, kind := range []hawser.ProxyType{hawser.ProxySOCKS5, hawser.ProxySOCKS4} {
		before := len(p.Requests())
		_, err := dialled(t, kind, p.Addr(), "somebody", "localhost:9")
		require.ErrorIs(t, err, hawser.ErrAuth, kind)
		assert.Len(t, p.Requests(), before+1, kind)
	}
}

// Where the proxy is to resolve, it is told the name, which is not looked up here,
// where nobody knows it.
func TestNamesAreResolvedByTheProxy(t *testing.T) {
	t.Parallel()
	p := start(t, testserver.ProxyConfig{Hosts: map[string]string{behind: "127.0.0.1"}})
	addr := name(t, serve(t, echo).Addr())
	for _, kind := range []hawser.ProxyType{hawser.ProxyHTTP, hawser.ProxySOCKS4A, hawser.ProxySOCKS5H} {
		c, err := dialled(t, kind, p.Addr(), "", addr)
		require.NoError(t, err, kind)
		works(t, c)
		assert.Equal(t, addr, c.RemoteAddr().String(), kind)
		assert.Equal(t, "tcp", c.RemoteAddr().Network(), kind)
	}
	for _, r := range p.Requests() {
		assert.Equal(t, addr, r.Target, r.Protocol)
	}
}

// Where it is not, it is told an address, and an unknown name is the target's fault.
func TestNamesAreResolvedHere(t *testing.T) {
	t.Parallel()
	p := start(t, testserver.ProxyConfig{})
	target := serve(t, echo)
	_, port, err := net.SplitHostPort(target.Addr())
	require.NoError(t, err)
	for _, kind := range []hawser.ProxyType{hawser.ProxySOCKS4, hawser.ProxySOCKS5} {
		c, err := dialled(t, kind, p.Addr(), "", "localhost:"+port)
		require.NoError(t, err, kind)
		works(t, c)
		assert.Equal(t, target.Addr(), c.RemoteAddr().String(), kind)

		before := len(p.Requests())
		_, err = dialled(t, kind, p.Addr(), "", strings.Repeat("x", 70)+".invalid:22") // no label is so long
		var dns *net.DNSError
		require.ErrorAs(t, err, &dns, kind)
		assert.Equal(t, proxy.OpResolve, failure(t, err).Op, kind)
		assert.NotErrorIs(t, err, hawser.ErrProxy, kind)
		assert.Len(t, p.Requests(), before, kind)
	}
	for _, r := range p.Requests() {
		assert.NotContains(t, r.Target, "localhost", r.Protocol)
	}
}

func TestLongNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(strings.Repeat("x", 62)+".", 4) + "xyz" // 255 bytes
	require.Len(t, long, 255)
	p := start(t, testserver.ProxyConfig{Hosts: map[string]string{long: "127.0.0.1"}})
	_, port, err := net.SplitHostPort(serve(t, echo).Addr())
	require.NoError(t, err)
	for _, kind := range []hawser.ProxyType{hawser.ProxyHTTP, hawser.ProxySOCKS4A, hawser.ProxySOCKS5H} {
		c, err := dialled(t, kind, p.Addr(), "", long+":"+port)
		require.NoError(t, err, kind)
		works(t, c)
		before := len(p.Requests())
		_, err = dialled(t, kind, p.Addr(), "", "x"+long+":"+port)
		require.ErrorContains(t, err, "the host is longer than 255 bytes", kind)
		assert.Len(t, p.Requests(), before, kind)
	}
}

// IPv6 goes by what has room for it, and by the rest is refused before anything is
// sent.
func TestIPv6(t *testing.T) {
	t.Parallel()
	target := serve(t, echo)
	p := start(t, testserver.ProxyConfig{Hosts: map[string]string{"2001:db8::1": target.Host()}})
	_, port, err := net.SplitHostPort(target.Addr())
	require.NoError(t, err)
	addr := "[2001:db8::1]:" + port
	for _, kind := range []hawser.ProxyType{hawser.ProxyHTTP, hawser.ProxySOCKS5, hawser.ProxySOCKS5H} {
		c, err := dialled(t, kind, p.Addr(), "", addr)
		require.NoError(t, err, kind)
		works(t, c)
		assert.Equal(t, addr, c.RemoteAddr().String(), kind)
	}
	for _, kind := range []hawser.ProxyType{hawser.ProxySOCKS4, hawser.ProxySOCKS4A} {
		var reached atomic.Bool
		d := &proxy.Dialer{Proxy: to(kind, p.Addr(), ""), Forward: forward(func(context.Context, string, string) (net.Conn, error) {
			reached.Store(true)
			return nil, io.EOF
		})}
		for network, addr := range map[string]string{"tcp": addr, "tcp6": "localhost:22"} {
			_, err := d.DialContext(t.Context(), network, addr)
			require.ErrorIs(t, err, errors.ErrUnsupported, kind)
			require.ErrorIs(t, err, hawser.ErrProxy, kind)
			assert.ErrorContains(t, err, "SOCKS4 has no IPv6 addresses", kind)
			assert.ErrorContains(t, err, "set proxy.type to socks5", kind)
			assert.False(t, failure(t, err).Temporary(), kind)
		}
		assert.False(t, reached.Load(), kind)
	}
}

// Who takes another server for a SOCKS proxy is told what it is.
func TestServersThatAreNoSOCKSProxy(t *testing.T) {
	t.Parallel()
	for first, cure := range map[string]string{
		"HTTP/1.1 400 Bad Request\r\n\r\n": "set proxy.type to http",
		"SSH-2.0-x\r\n":                    "it may be a server and no proxy",
		"220 mail.example ESMTP\r\n":       "it may be a server and no proxy",
		"\x15\x03\x01\x00\x02\x02\x16":     "set proxy.type to https",
		"\x07":                             "its answer begins with the byte 0x07",
	} {
		for _, kind := range []hawser.ProxyType{hawser.ProxySOCKS4A, hawser.ProxySOCKS5} {
			_, err := dialled(t, kind, serve(t, testserver.Say(first)).Addr(), "", "192.0.2.1:22")
			require.ErrorIs(t, err, hawser.ErrProxy, "%q", first)
			assert.ErrorContains(t, err, cure, "%q", first)
			assert.ErrorContains(t, err, "it does not speak "+string(kind), "%q", first)
		}
	}
	_, err := dialled(t, hawser.ProxySOCKS4, serve(t, testserver.Say("\x05\xff")).Addr(), "", "192.0.2.1:22")
	assert.ErrorContains(t, err, "set proxy.type to socks5 or socks5h")
	_, err = dialled(t, hawser.ProxySOCKS5, serve(t, testserver.Say("\x00\x5b\x00\x00\x00\x00\x00\x00")).Addr(), "", "192.0.2.1:22")
	assert.ErrorContains(t, err, "set proxy.type to socks4 or socks4a")
}

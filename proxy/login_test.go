package proxy_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/proxy"
)

// counted is a Dialer whose connections to the proxy are counted.
func counted(p hawser.Proxy) (*proxy.Dialer, *atomic.Int32) {
	var dials atomic.Int32
	return &proxy.Dialer{Proxy: p, Forward: forward(func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	})}, &dials
}

// logins are the schemes by which each request logged in, "-" for none.
func logins(p *testserver.Proxy) string {
	var all []string
	for _, r := range p.Requests() {
		if r.Scheme == "" {
			r.Scheme = "-"
		}
		all = append(all, r.Scheme)
	}
	return strings.Join(all, ", ")
}

func TestHTTPLogin(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	for name, row := range map[string]struct {
		cfg    testserver.ProxyConfig
		logins string // of the first dial
		dials  int32
		later  string // of the second
	}{
		"Basic":                          {testserver.ProxyConfig{}, "-, Basic", 1, "Basic"},
		"Basic after the proxy hangs up": {testserver.ProxyConfig{CloseAfter407: true}, "-, Basic", 2, "Basic"},
		"Digest without an algorithm":    {testserver.ProxyConfig{Schemes: []string{"Digest"}}, "-, Digest", 1, "Digest"},
		"Digest MD5":                     {testserver.ProxyConfig{Schemes: []string{"Digest MD5"}}, "-, Digest MD5", 1, "Digest MD5"},
		"Digest SHA-256":                 {testserver.ProxyConfig{Schemes: []string{"Digest SHA-256"}}, "-, Digest SHA-256", 1, "Digest SHA-256"},
		"Digest SHA-512-256":             {testserver.ProxyConfig{Schemes: []string{"Digest SHA-512-256"}}, "-, Digest SHA-512-256", 1, "Digest SHA-512-256"},
		"Digest after it hangs up": {
			testserver.ProxyConfig{Schemes: []string{"Digest SHA-256"}, CloseAfter407: true}, "-, Digest SHA-256", 2, "Digest SHA-256",
		},
		"the strongest of many": {
			testserver.ProxyConfig{Schemes: []string{"Basic", "Digest MD5", "Digest SHA-256"}}, "-, Digest SHA-256", 1, "Digest SHA-256",
		},
		"the strongest of many in one line": {
			testserver.ProxyConfig{Schemes: []string{"Basic", "Digest MD5", "Digest SHA-256"}, OneLine: true}, "-, Digest SHA-256", 1, "Digest SHA-256",
		},
		"a nonce that serves once": {
			testserver.ProxyConfig{Schemes: []string{"Digest SHA-256"}, NonceUses: 1}, "-, Digest SHA-256", 1, "Digest SHA-256, Digest SHA-256",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row.cfg.User, row.cfg.Password = user, password
			p := start(t, row.cfg)
			d, dials := counted(to(hawser.ProxyHTTP, p.Addr(), user))
			connect := func() {
				c, err := d.DialContext(t.Context(), "tcp", target)
				require.NoError(t, err)
				works(t, c)
				require.NoError(t, c.Close())
			}
			connect()
			assert.Equal(t, row.logins, logins(p))
			assert.Equal(t, row.dials, dials.Load(), "connections to the proxy")
			connect()
			assert.Equal(t, row.logins+", "+row.later, logins(p), "what it wants is known by then")
		})
	}
}

// A password that was refused may lock an account if it is sent again.
func TestRefusedLoginIsSentOnce(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]testserver.ProxyConfig{
		"Basic":           {},
		"Basic, hangs up": {CloseAfter407: true},
		"Basic, 401":      {Status401: true},
		"Digest MD5":      {Schemes: []string{"Digest MD5"}},
		"Digest SHA-256":  {Schemes: []string{"Digest SHA-256", "Basic"}, NonceUses: 1},
		"many":            {Schemes: []string{"Basic", "Digest SHA-512-256", "Digest MD5"}, CloseAfter407: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.User, cfg.Password = user, "another-word"
			p := start(t, cfg)
			d := &proxy.Dialer{Proxy: to(hawser.ProxyHTTP, p.Addr(), user)}
			_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:9")
			require.ErrorIs(t, err, hawser.ErrProxy)
			require.ErrorIs(t, err, hawser.ErrAuth)
			e := failure(t, err)
			assert.Equal(t, proxy.OpLogin, e.Op)
			assert.False(t, e.Temporary())
			assert.ErrorContains(t, err, "the proxy refuses proxy.user or proxy.password")
			assert.NotContains(t, err.Error(), password)
			sent := strings.Split(logins(p), ", ")
			require.Len(t, sent, 2)
			assert.Equal(t, "-", sent[0])
			assert.NotEqual(t, "-", sent[1])
		})
	}
}

// Who offers a digest is not shown the password, whatever else it offers.
func TestPasswordIsNotShownToWhoWantsADigest(t *testing.T) {
	t.Parallel()
	p := start(t, testserver.ProxyConfig{User: user, Password: password, Schemes: []string{"Basic", "Digest MD5"}})
	d := &proxy.Dialer{Proxy: to(hawser.ProxyHTTP, p.Addr(), user)}
	c, err := d.DialContext(t.Context(), "tcp", serve(t, echo).Addr())
	require.NoError(t, err)
	require.NoError(t, c.Close())
	for _, r := range p.Requests() {
		assert.NotContains(t, r.Header.Get("Proxy-Authorization"), "Basic")
	}
}

// Nobody is sent a login that does not ask for one.
func TestLoginIsSentToWhoAsks(t *testing.T) {
	t.Parallel()
	p := start(t, testserver.ProxyConfig{})
	d := &proxy.Dialer{Proxy: to(hawser.ProxyHTTP, p.Addr(), user)}
	for range 2 {
		c, err := d.DialContext(t.Context(), "tcp", serve(t, echo).Addr())
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	for _, r := range p.Requests() {
		assert.NotContains(t, r.Header, "Proxy-Authorization")
		assert.Equal(t, "hawser", r.Header.Get("User-Agent"))
	}
}

func TestLoginThatIsWantedAndNotThere(t *testing.T) {
	t.Parallel()
	for cure, row := range map[string]struct {
		user      string
		challenge string
	}{
		"the proxy wants a login: set proxy.user and proxy.password":    {"", `Basic realm="x"`},
		"the proxy offers no login that is known here: Negotiate, NTLM": {user, "Negotiate, NTLM"},
		"the proxy offers no login that is known here: none at all":     {user, ""},
		`the proxy offers no login that is known here: Digest`:          {user, `Digest realm="x", nonce="y", algorithm=SHA3`},
		"proxy.user and proxy.password":                                 {"", `Digest realm="x", nonce="y"`},
		`the proxy offers no login that is known here: \xffred`:         {user, "\xffred"},
		"the proxy offers no login that is known here: Bearer":          {user, `Bearer realm="x"`},
	} {
		head := "HTTP/1.1 407 Login\r\n"
		if row.challenge != "" {
			head += "Proxy-Authenticate: " + row.challenge + "\r\n"
		}
		e, err := refused(t, head+"Content-Length: 0\r\n\r\n", row.user)
		require.ErrorIs(t, err, hawser.ErrAuth)
		assert.ErrorContains(t, err, cure)
		assert.Equal(t, http.StatusProxyAuthRequired, e.Code)
	}
}

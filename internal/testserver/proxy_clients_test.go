package testserver

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// curlProxy is a way for curl to reach host through a proxy.
type curlProxy struct {
	cfg    ProxyConfig
	args   []string // PROXY stands for the address of the proxy
	host   string
	scheme string // how curl logs in
}

func curlProxies(t *testing.T) map[string]curlProxy {
	t.Helper()
	id, err := NewIdentity()
	require.NoError(t, err)
	return map[string]curlProxy{
		"http":           {ProxyConfig{}, []string{"--proxy", "http://PROXY"}, "a.example", ""},
		"http and Basic": {ProxyConfig{User: "ann"}, []string{"--proxy", "http://ann:secret@PROXY"}, "a.example", "Basic"},
		"http and Digest MD5": {
			ProxyConfig{User: "ann", Schemes: []string{"Digest", "Basic"}},
			[]string{"--proxy", "http://ann:secret@PROXY", "--proxy-anyauth"},
			"a.example", "Digest",
		},
		"http and Digest SHA-256, a connection each": {
			ProxyConfig{User: "ann", Schemes: []string{"Digest SHA-256"}, CloseAfter407: true},
			[]string{"--proxy", "http://ann:secret@PROXY", "--proxy-digest"},
			"a.example", "Digest SHA-256",
		},
		// Not SHA-512-256, whose response curl 7.88 gets wrong.
		"http and Digest MD5, with Basic in the same line": {
			ProxyConfig{User: "ann", Schemes: []string{"Digest MD5", "Basic"}, OneLine: true},
			[]string{"--proxy", "http://ann:secret@PROXY", "--proxy-digest"},
			"a.example", "Digest MD5",
		},
		"https": {ProxyConfig{Identity: id}, []string{"--proxy", "https://PROXY"}, "a.example", ""},
		"socks4": {
			ProxyConfig{User: "ann"}, []string{"--proxy", "socks4://ann@PROXY"}, "127.0.0.1", "userid",
		},
		"socks4a": {
			ProxyConfig{User: "ann"}, []string{"--proxy", "socks4a://ann@PROXY"}, "a.example", "userid",
		},
		"socks5":           {ProxyConfig{}, []string{"--proxy", "socks5://PROXY"}, "127.0.0.1", ""},
		"socks5h":          {ProxyConfig{}, []string{"--proxy", "socks5h://PROXY"}, "a.example", ""},
		"socks5 and login": {ProxyConfig{User: "ann"}, []string{"--proxy", "socks5://ann:secret@PROXY"}, "127.0.0.1", "password"},
		"socks5h and login": {
			ProxyConfig{User: "ann"}, []string{"--proxy", "socks5h://ann:secret@PROXY"}, "a.example", "password",
		},
	}
}

func TestProxyServesCurl(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "served")
	}))
	t.Cleanup(web.Close)
	addr := strings.TrimPrefix(web.URL, "http://")
	for name, row := range curlProxies(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := row.cfg
			cfg.Password, cfg.Hosts = "secret", map[string]string{"a.example": "127.0.0.1"}
			p := startOwnProxy(t, cfg)
			args := []string{"-sS", "--proxytunnel", "--noproxy", ""}
			if p.CA() != "" {
				args = append(args, "--proxy-cacert", p.CA())
			}
			for _, arg := range row.args {
				args = append(args, strings.ReplaceAll(arg, "PROXY", p.Addr()))
			}
			_, port, err := net.SplitHostPort(addr)
			require.NoError(t, err)
			out, status := run(t, "curl", append(args, "http://"+net.JoinHostPort(row.host, port)+"/")...)
			require.Zero(t, status)
			require.Equal(t, "served", out)
			last := p.Requests()[len(p.Requests())-1]
			require.False(t, last.Refused)
			require.Equal(t, net.JoinHostPort(row.host, port), last.Target)
			require.Equal(t, row.scheme, last.Scheme)
		})
	}
}

func TestProxyRefusesCurl(t *testing.T) {
	t.Parallel()
	const proxyRefused, cannotConnect = 97, 56
	for name, row := range map[string]struct {
		proxy  string
		status int
	}{
		"a wrong password of Basic":  {"http://ann:wrong@", cannotConnect},
		"a wrong password of SOCKS5": {"socks5h://ann:wrong@", proxyRefused},
		"a wrong user of SOCKS4":     {"socks4a://bob@", proxyRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startOwnProxy(t, ProxyConfig{User: "ann", Password: "secret"})
			_, status := run(t, "curl", "-sS", "--proxytunnel", "--noproxy", "", "--proxy", row.proxy+p.Addr(), "http://a.example/")
			require.Equal(t, row.status, status)
			require.True(t, p.Requests()[0].Refused)
		})
	}
}

func TestProxyCarriesMuchBothWaysAtOnce(t *testing.T) {
	t.Parallel()
	target := startTCP(t, func(_ context.Context, c net.Conn) { _, _ = io.Copy(c, c) })
	c := dialProxy(t, startOwnProxy(t, ProxyConfig{}))
	answer, _ := c.connectTo(t, target.Addr(), "")
	require.Equal(t, http.StatusOK, answer.StatusCode)
	want := pattern(4 << 20)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(want)
		if err == nil {
			err = c.Conn.(*net.TCPConn).CloseWrite()
		}
		sent <- err
	}()
	require.Equal(t, string(want), c.hearAll(t))
	require.NoError(t, <-sent)
}

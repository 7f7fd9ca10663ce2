package testserver

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// basicHeader is the line of a login by Basic.
func basicHeader(user, password string) string {
	return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)) + "\r\n"
}

// digestHeader answers a challenge for target, the nc-th time; edit changes the parameters before the response is made.
func digestHeader(t *testing.T, challenge, scheme, target string, nc int, edit func(map[string]string)) string {
	t.Helper()
	params, ok := authParams(strings.TrimPrefix(challenge, "Digest "))
	require.True(t, ok)
	params["username"], params["uri"] = "ann", target
	params["nc"], params["cnonce"] = fmt.Sprintf("%08x", nc), "0a4f113b"
	if edit != nil {
		edit(params)
	}
	params["response"] = digestResponse(proxyHash(scheme), http.MethodConnect, "secret", params)
	line := "Proxy-Authorization: Digest "
	for name, value := range params {
		line += fmt.Sprintf("%s=%q, ", name, value)
	}
	return strings.TrimSuffix(line, ", ") + "\r\n"
}

func TestProxyRefusesByHTTP(t *testing.T) {
	t.Parallel()
	closed := ClosedAddr(t)
	cfg := ProxyConfig{Deny: func(target string) bool { return target == "denied.example:1" }}
	squid := cfg
	squid.Squid = true
	plain, likeSquid := startOwnProxy(t, cfg), startOwnProxy(t, squid)
	for name, row := range map[string]struct {
		target                string
		status, statusOfSquid int
		squid                 string
	}{
		"a port that is closed":       {closed, 502, 503, "ERR_CONNECT_FAIL 111"},
		"a name that is unknown":      {"no.example:1", 502, 503, "ERR_DNS_FAIL 0"},
		"what the list denies":        {"denied.example:1", 403, 403, "ERR_ACCESS_DENIED 0"},
		"an address beyond loopback":  {"192.0.2.1:1", 502, 503, "ERR_CONNECT_FAIL 101"},
		"an IPv6 one beyond loopback": {"[2001:db8::1]:1", 502, 503, "ERR_CONNECT_FAIL 101"},
		"a target without a port":     {"a.example", 400, 400, "ERR_INVALID_URL 0"},
		"port zero":                   {"a.example:0", 400, 400, "ERR_INVALID_URL 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, page := dialProxy(t, plain).connectTo(t, row.target, "")
			require.Equal(t, row.status, answer.StatusCode)
			require.Contains(t, page, http.StatusText(row.status))
			require.Empty(t, answer.Header.Get("X-Squid-Error"))

			answer, _ = dialProxy(t, likeSquid).connectTo(t, row.target, "")
			require.Equal(t, row.statusOfSquid, answer.StatusCode)
			require.Equal(t, row.squid, answer.Header.Get("X-Squid-Error"))
		})
	}
}

func TestProxyAnswersTheNextRequestOnTheSameConnection(t *testing.T) {
	t.Parallel()
	target := startTCP(t, echoAfterEOF)
	p := startOwnProxy(t, ProxyConfig{User: "ann", Password: "secret"})
	c := dialProxy(t, p)
	answer, _ := c.connectTo(t, target.Addr(), "")
	require.Equal(t, http.StatusProxyAuthRequired, answer.StatusCode)
	answer, _ = c.connectTo(t, "no.example:1", basicHeader("ann", "secret"))
	require.Equal(t, http.StatusBadGateway, answer.StatusCode)
	c.say(t, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n"+basicHeader("ann", "secret")+"\r\n")
	answer, err := http.ReadResponse(c.in, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusMethodNotAllowed, answer.StatusCode)
	_, err = c.in.Discard(int(answer.ContentLength))
	require.NoError(t, err)
	answer, _ = c.connectTo(t, target.Addr(), basicHeader("ann", "secret"))
	require.Equal(t, http.StatusOK, answer.StatusCode)
	c.echoToTheEnd(t)

	var got []ProxyRequest
	for _, r := range p.Requests() {
		r.Header = nil
		got = append(got, r)
	}
	require.Equal(t, []ProxyRequest{
		{Protocol: ProxyHTTP, Method: "CONNECT", Target: target.Addr(), Status: 407, Refused: true},
		{Protocol: ProxyHTTP, Method: "CONNECT", Target: "no.example:1", User: "ann", Scheme: "Basic", Status: 502, Refused: true},
		{Protocol: ProxyHTTP, Method: "GET", Target: "http://a.example/", User: "ann", Scheme: "Basic", Status: 405, Refused: true},
		{Protocol: ProxyHTTP, Method: "CONNECT", Target: target.Addr(), User: "ann", Scheme: "Basic", Status: 200},
	}, got)
}

func TestProxyEndsTheConnectionWithARefusal(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		close bool
		ask   string
	}{
		"when it is to":      {true, "CONNECT a.example:1 HTTP/1.1\r\nHost: a.example:1\r\n\r\n"},
		"when the client is": {false, "CONNECT a.example:1 HTTP/1.1\r\nHost: a.example:1\r\nConnection: close\r\n\r\n"},
		"of HTTP/1.0":        {false, "CONNECT a.example:1 HTTP/1.0\r\nHost: a.example:1\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dialProxy(t, startOwnProxy(t, ProxyConfig{User: "ann", CloseAfter407: row.close}))
			c.say(t, row.ask)
			all := c.hearAll(t)
			require.True(t, strings.HasPrefix(all, "HTTP/1.1 407 "), all)
			require.Contains(t, all, "\r\nConnection: close\r\n")
		})
	}
}

func TestProxyOffersItsSchemesInOneLineOrInMany(t *testing.T) {
	t.Parallel()
	cfg := ProxyConfig{User: "ann", Schemes: []string{"Digest SHA-512-256", "Digest SHA-256", "Digest", "Basic"}}
	answer, _ := dialProxy(t, startOwnProxy(t, cfg)).connectTo(t, "a.example:1", "")
	many := answer.Header.Values("Proxy-Authenticate")
	require.Len(t, many, 4)
	require.Contains(t, many[0], "algorithm=SHA-512-256")
	require.Contains(t, many[1], "algorithm=SHA-256")
	require.NotContains(t, many[2], "algorithm")
	require.Equal(t, `Basic realm="hawser"`, many[3])

	cfg.OneLine = true
	answer, _ = dialProxy(t, startOwnProxy(t, cfg)).connectTo(t, "a.example:1", "")
	one := answer.Header.Values("Proxy-Authenticate")
	require.Len(t, one, 1)
	require.Equal(t, 3, strings.Count(one[0], "Digest realm="))
	require.True(t, strings.HasSuffix(one[0], `, Basic realm="hawser"`))
}

func TestProxyRefusesAWrongLoginByTheStatusThatItIsToldTo(t *testing.T) {
	t.Parallel()
	p := startOwnProxy(t, ProxyConfig{User: "ann", Password: "secret", Status401: true})
	answer, _ := dialProxy(t, p).connectTo(t, "a.example:1", "")
	require.Equal(t, http.StatusProxyAuthRequired, answer.StatusCode)
	answer, _ = dialProxy(t, p).connectTo(t, "a.example:1", basicHeader("ann", "wrong"))
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	require.Empty(t, answer.Header.Get("Proxy-Authenticate"))
	answer, _ = dialProxy(t, p).connectTo(t, "a.example:1", basicHeader("ann", "secret"))
	require.Equal(t, http.StatusBadGateway, answer.StatusCode, "let in, to a name that is unknown")
}

func TestProxyVerifiesDigest(t *testing.T) {
	t.Parallel()
	target := startTCP(t, echoAfterEOF).Addr()
	for _, scheme := range []string{"Digest", "Digest MD5", "Digest SHA-256", "Digest SHA-512-256"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			p := startOwnProxy(t, ProxyConfig{User: "ann", Password: "secret", Schemes: []string{scheme}, NonceUses: 2})
			refused := func(c *proxyPeer, header string) string {
				answer, _ := c.connectTo(t, target, header)
				require.Equal(t, http.StatusProxyAuthRequired, answer.StatusCode)
				return answer.Header.Get("Proxy-Authenticate")
			}
			for _, name := range []string{"nonce", "opaque", "realm", "uri", "username", "qop", "algorithm", "nc", "cnonce"} {
				c := dialProxy(t, p)
				challenge := refused(c, "")
				edited := digestHeader(t, challenge, scheme, target, 1, func(params map[string]string) {
					if params[name] += "x"; name == "cnonce" {
						params[name] = ""
					}
				})
				require.NotContains(t, refused(c, edited), "stale", name)
			}
			granted := func(challenge string, nc int) {
				answer, _ := dialProxy(t, p).connectTo(t, target, digestHeader(t, challenge, scheme, target, nc, nil))
				require.Equal(t, http.StatusOK, answer.StatusCode)
			}
			c := dialProxy(t, p)
			challenge := refused(c, "")
			granted(challenge, 1)
			again := refused(c, digestHeader(t, challenge, scheme, target, 1, nil))
			require.Contains(t, again, "stale=true", "a count that came before")
			granted(challenge, 2)
			third := refused(c, digestHeader(t, challenge, scheme, target, 3, nil))
			require.Contains(t, third, "stale=true", "a nonce that has served twice")
			granted(third, 1)
			require.Equal(t, scheme, p.Requests()[len(p.Requests())-1].Scheme)
		})
	}
}

// The examples of RFC 7616, sections 3.9.1 and, with the response of erratum 4897, 3.9.2.
func TestDigestResponseIsThatOfTheRFC(t *testing.T) {
	t.Parallel()
	mufasa := map[string]string{
		"username": "Mufasa", "realm": "http-auth@example.org", "uri": "/dir/index.html", "qop": "auth",
		"nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "nc": "00000001",
		"cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
	}
	jason := map[string]string{
		"username": "J\u00e4s\u00f8n Doe", "realm": "api@example.org", "uri": "/doe.json", "qop": "auth",
		"nonce": "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", "nc": "00000001",
		"cnonce": "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
	}
	for scheme, row := range map[string]struct {
		params         map[string]string
		password, want string
	}{
		"Digest MD5": {mufasa, "Circle of Life", "8ca523f5e9506fed4657c9700eebdbec"},
		"Digest SHA-256": {
			mufasa, "Circle of Life", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
		},
		"Digest SHA-512-256": {
			jason, "Secret, or not?", "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
		},
	} {
		require.Equal(t, row.want, digestResponse(proxyHash(scheme), "GET", row.password, row.params), scheme)
	}
}

func TestAuthParams(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		words string
		want  map[string]string
	}{
		"tokens and quoted strings":  {`a=b,C="d"`, map[string]string{"a": "b", "c": "d"}},
		"commas and escapes within":  {`a="x, \"y\\", b=1`, map[string]string{"a": `x, "y\`, "b": "1"}},
		"space around":               {` a = "b" , c=d `, map[string]string{"a": "b", "c": "d"}},
		"a value of nothing":         {`a="", b=`, map[string]string{"a": "", "b": ""}},
		"nothing at all":             {``, map[string]string{}},
		"a name that comes twice":    {`a=b, A=c`, nil},
		"a string that does not end": {`a="b`, nil},
		"an escape that ends it":     {`a="b\`, nil},
		"a name without a value":     {`a, b=c`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			params, ok := authParams(row.words)
			require.Equal(t, row.want != nil, ok)
			if ok {
				require.Equal(t, row.want, params)
			}
		})
	}
}

package proxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
)

func TestChallenges(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fields []string
		want   []challenge
	}{
		"none":             {nil, nil},
		"one":              {[]string{`Basic realm="a"`}, []challenge{{"Basic", `realm="a"`}}},
		"one a line":       {[]string{`Basic realm="a"`, `Digest nonce="b"`}, []challenge{{"Basic", `realm="a"`}, {"Digest", `nonce="b"`}}},
		"two in a line":    {[]string{`Digest realm="a, b", nonce="c", qop="auth", Basic realm="d"`}, []challenge{{"Digest", `realm="a, b", nonce="c", qop="auth"`}, {"Basic", `realm="d"`}}},
		"without values":   {[]string{`Negotiate, NTLM`}, []challenge{{"Negotiate", ""}, {"NTLM", ""}}},
		"with a token":     {[]string{`NTLM TlRM==, Basic realm="x"`}, []challenge{{"NTLM", "TlRM=="}, {"Basic", `realm="x"`}}},
		"quoted quotes":    {[]string{`Basic realm="a\", Digest nonce=\"b"`}, []challenge{{"Basic", `realm="a\", Digest nonce=\"b"`}}},
		"spaces around =":  {[]string{`Digest realm = "a", nonce = "b"`}, []challenge{{"Digest", `realm = "a", nonce = "b"`}}},
		"parameters alone": {[]string{`realm="a"`}, nil},
		"empty parts":      {[]string{`, Basic realm="a",, Digest nonce="b",`}, []challenge{{"Basic", `realm="a"`}, {"Digest", `nonce="b"`}}},
		"an open quote":    {[]string{`Basic realm="a, Digest nonce=b`}, []challenge{{"Basic", `realm="a, Digest nonce=b`}}},
	} {
		assert.Equal(t, row.want, challenges(row.fields), name)
	}
}

func TestStrongest(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		field string
		want  string // an algorithm, "Basic", or "none"
	}{
		"Basic alone":               {`Basic realm="a"`, "Basic"},
		"a digest before Basic":     {`Basic realm="a", Digest realm="a", nonce="b"`, ""},
		"SHA-256 before MD5":        {`Digest realm="a", nonce="b", algorithm=MD5, Digest realm="a", nonce="c", algorithm=SHA-256`, "SHA-256"},
		"SHA-512-256 before that":   {`Digest nonce="b", algorithm=SHA-512-256, Digest nonce="c", algorithm=SHA-256`, "SHA-512-256"},
		"what is not known is left": {`Digest nonce="b", algorithm=MD5-sess, Basic realm="a"`, "Basic"},
		"nothing that is known":     {`Negotiate, NTLM`, "none"},
		"a digest that is broken":   {`Digest nonce, Basic realm="a"`, "Basic"},
	} {
		got, ok := strongest(challenges([]string{row.field}))
		switch {
		case row.want == "none":
			assert.False(t, ok, name)
		case row.want == "Basic":
			assert.True(t, ok && got.basic && got.digest == nil, name)
		default:
			require.True(t, ok && got.digest != nil, name)
			assert.Equal(t, row.want, got.digest.Algorithm, name)
		}
	}
}

// refusalOf is an answer that asks for a login.
func refusalOf(status int, challenges ...string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Proxy-Authenticate": challenges}}
}

// What a proxy has refused is never sent to it again, but what was only too old is
// sent once more.
func TestLoginIsSentOnce(t *testing.T) {
	t.Parallel()
	const (
		basic  = `Basic realm="r"`
		md5    = `Digest realm="r", nonce="n1", qop="auth"`
		stale  = `Digest realm="r", nonce="n2", qop="auth", stale=true`
		later  = `Digest realm="r", nonce="n3", qop="auth"`
		wrong  = `Digest realm="r", nonce="n4", qop="auth", stale=false`
		unable = `NTLM`
	)
	user := hawser.Proxy{Type: hawser.ProxyHTTP, Host: "p", User: "u", Password: hawser.NewSecret("secret")}
	for name, row := range map[string]struct {
		p       hawser.Proxy
		before  string // the scheme of an earlier dial
		answers []string
		want    string // what each request began with
	}{
		"nobody":                                   {hawser.Proxy{Type: hawser.ProxyHTTP, Host: "p"}, "", []string{basic}, "-"},
		"Basic":                                    {user, "", []string{basic, basic}, "- Basic"},
		"a digest":                                 {user, "", []string{md5, md5}, "- n1"},
		"a digest that grows old":                  {user, "", []string{md5, stale, later}, "- n1 n2"},
		"a digest that is always old":              {user, "", []string{md5, stale, stale, stale}, "- n1 n2"},
		"nothing that is known":                    {user, "", []string{unable}, "-"},
		"Basic that is known":                      {user, basic, []string{basic}, "Basic"},
		"a digest that is known":                   {user, md5, []string{stale}, "n1 n2"},
		"one whose age the proxy does not tell":    {user, md5, []string{later, later}, "n1 n3"},
		"one that the proxy says is not old":       {user, md5, []string{wrong, wrong}, "n1"},
		"a proxy that has changed to digests":      {user, basic, []string{later, later}, "Basic n3"},
		"a proxy that has changed to Basic":        {user, md5, []string{basic, basic}, "n1 Basic"},
		"a proxy that changes its mind all along":  {user, "", []string{basic, later, basic}, "- Basic"},
		"a stronger one is not tried after a weak": {user, "", []string{md5, basic}, "- n1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m memory
			if row.before != "" {
				s, ok := strongest(challenges([]string{row.before}))
				require.True(t, ok)
				m.keep(&way{p: row.p}, &login{scheme: s, sent: true})
			}
			l := m.login(&way{p: row.p})
			var sent []string
			for _, answer := range row.answers {
				header, err := l.header(row.p, "h:1")
				require.NoError(t, err)
				sent = append(sent, abridged(header))
				if !l.again(row.p, refusalOf(http.StatusProxyAuthRequired, answer)) {
					break
				}
			}
			if len(sent) < len(row.answers) || row.want == strings.Join(sent, " ") {
				assert.Equal(t, row.want, strings.Join(sent, " "))
				return
			}
			header, err := l.header(row.p, "h:1")
			require.NoError(t, err)
			assert.Equal(t, row.want, strings.Join(append(sent, abridged(header)), " "))
		})
	}
}

// abridged is the scheme of a header, or the nonce of a digest.
func abridged(header string) string {
	if header == "" {
		return "-"
	}
	if _, rest, found := strings.Cut(header, `nonce="`); found {
		nonce, _, _ := strings.Cut(rest, `"`)
		return nonce
	}
	scheme, _, _ := strings.Cut(header, " ")
	return scheme
}

func TestMemoryCountsTheUsesOfANonce(t *testing.T) {
	t.Parallel()
	p := hawser.Proxy{Type: hawser.ProxyHTTP, Host: "p", User: "u", Password: hawser.NewSecret("secret")}
	var m memory
	l := m.login(&way{p: p})
	require.True(t, l.again(p, refusalOf(http.StatusProxyAuthRequired, `Digest realm="r", nonce="n", qop="auth"`)))
	for _, want := range []string{"nc=00000001", "nc=00000002", "nc=00000003"} {
		header, err := l.header(p, "h:1")
		require.NoError(t, err)
		assert.Contains(t, header, want)
		m.keep(&way{p: p}, l)
		l = m.login(&way{p: p})
	}
	m.forget(&way{p: p})
	header, err := m.login(&way{p: p}).header(p, "h:1")
	require.NoError(t, err)
	assert.Empty(t, header)
	assert.NotContains(t, l.String(), "secret")
}

// Behind another jump host, or with another password, nothing is known yet.
func TestMemoryIsOfOneWay(t *testing.T) {
	t.Parallel()
	near := &way{p: hawser.Proxy{Type: hawser.ProxyHTTP, Host: "p", User: "u", Password: hawser.NewSecret("secret")}}
	var m memory
	m.keep(near, &login{scheme: scheme{basic: true}, sent: true})
	assert.True(t, m.login(near).scheme.basic)
	far := *near
	far.c.Via, far.c.Hops = "hop", []hawser.Connection{{Name: "hop", Protocol: hawser.SSH, Host: "h"}}
	assert.False(t, m.login(&far).scheme.basic)
	other := *near
	other.p.Password = hawser.NewSecret("another")
	assert.False(t, m.login(&other).scheme.basic)
}

func FuzzChallenges(f *testing.F) {
	f.Add(`Digest realm="a, b", nonce="c", qop="auth", Basic realm="d"`)
	f.Add(`NTLM TlRM==, Negotiate, Basic realm="a\", b"`)
	f.Fuzz(func(t *testing.T, field string) {
		all := challenges([]string{field})
		for _, c := range all {
			assert.NotEmpty(t, c.scheme)
			assert.Equal(t, hawser.Printable(c.scheme), c.scheme)
		}
		p := hawser.Proxy{Type: hawser.ProxyHTTP, Host: "p", User: "u", Password: hawser.NewSecret("secret")}
		l := new(memory).login(&way{p: p})
		for range 5 {
			if !l.again(p, refusalOf(http.StatusProxyAuthRequired, field)) {
				break
			}
			header, err := l.header(p, "h:1")
			if err == nil {
				assert.NotContains(t, header, "secret")
			}
		}
	})
}

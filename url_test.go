package hawser_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseURLSchemes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		url      string
		protocol hawser.Protocol
		mode     hawser.TLSMode
		addr     string
	}{
		{"ftp://h", ftp, "", "h:21"},
		{"ftpes://h", ftp, hawser.TLSExplicit, "h:21"},
		{"ftps://h", ftp, hawser.TLSImplicit, "h:990"},
		{"sftp://h", sftp, "", "h:22"},
		{"ssh://h", ssh, "", "h:22"},
		{"smtp://h", smtp, "", "h:587"},
		{"smtps://h", smtp, hawser.TLSImplicit, "h:465"},
		{"ours://h", "ours", "", "h:0"},
	} {
		t.Run(row.url, func(t *testing.T) {
			t.Parallel()
			c, err := hawser.ParseURL(row.url)
			require.NoError(t, err)
			assert.Equal(t, row.protocol, c.Protocol)
			assert.Equal(t, row.mode, c.TLS.Mode)
			assert.Equal(t, row.addr, c.Addr())
			assert.Equal(t, row.url, c.URL())
		})
	}
}

func TestParseURLReads(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, url string
		want      hawser.Connection
	}{
		{"a port", "sftp://h:2222", hawser.Connection{Protocol: sftp, Host: "h", Port: 2222}},
		{"a slash at the end", "sftp://h/", hawser.Connection{Protocol: sftp, Host: "h"}},
		{"a scheme in capitals", "SFTP://h", hawser.Connection{Protocol: sftp, Host: "h"}},
		{"an IPv6 address", "sftp://[2001:db8::1]", hawser.Connection{Protocol: sftp, Host: "2001:db8::1"}},
		{"an IPv6 address with port", "sftp://[::1]:22", hawser.Connection{Protocol: sftp, Host: "::1", Port: 22}},
		{"an IPv6 address with zone", "sftp://[fe80::1%25eth0]", hawser.Connection{Protocol: sftp, Host: "fe80::1%eth0"}},
		{"user and password", "ftp://me:hush@h", login("me", "hush")},
		{"user and password that are percent-encoded", "ftp://m%40e:a%2Fb%23c%3Ad%25@h", login("m@e", "a/b#c:d%")},
		{"a password with an @", "ftp://me:a@b@h", login("me", "a@b")},
		{"a password alone", "ftp://:hush@h", login("", "hush")},
		{"a text", "ftp://h?name=bank", hawser.Connection{Name: "bank", Protocol: ftp, Host: "h"}},
		{"a duration", "ftp://h?timeout=1m30s", hawser.Connection{Protocol: ftp, Host: "h", Timeout: 90 * time.Second}},
		{"true", "ftp://h?auth.anonymous=true", hawser.Connection{Protocol: ftp, Host: "h", Auth: hawser.Auth{Anonymous: true}}},
		{"false, which is not true", "ftp://h?auth.anonymous=false", hawser.Connection{Protocol: ftp, Host: "h"}},
		{"a list", "ftp://h?tls.allow=expired&tls.allow=weak-key", hawser.Connection{Protocol: ftp, Host: "h", TLS: hawser.TLSOptions{Allow: []hawser.Anomaly{"expired", "weak-key"}}}},
		{"a reference", "ftp://h?auth.password.ref=env:BANK", hawser.Connection{Protocol: ftp, Host: "h", Auth: hawser.Auth{Password: hawser.SecretRef("env:BANK")}}},
		{"an @ in a parameter", "ftp://h?name=a@b", hawser.Connection{Name: "a@b", Protocol: ftp, Host: "h"}},
		{"settings of other drivers", "ours://h?extra.ours.a=1&extra_secrets.ours.b.ref=env:B", hawser.Connection{
			Protocol: "ours", Host: "h", Extra: map[string]string{"ours.a": "1"}, ExtraSecrets: map[string]hawser.Secret{"ours.b": hawser.SecretRef("env:B")},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := hawser.ParseURL(row.url)
			require.NoError(t, err)
			requireSame(t, row.want, got)
		})
	}
}

func login(user, password string) hawser.Connection {
	return hawser.Connection{Protocol: ftp, Host: "h", Auth: hawser.Auth{User: user, Password: hawser.NewSecret(password)}}
}

func TestURLRoundTrip(t *testing.T) {
	t.Parallel()
	roundTrip := func(t *testing.T, c hawser.Connection) {
		t.Helper()
		got, err := hawser.ParseURL(c.URL())
		require.NoError(t, err, c.URL())
		requireSame(t, c, got)
		require.Equal(t, c.URL(), got.URL())
	}
	for _, l := range leaves() {
		t.Run("of "+l.name+" alone", func(t *testing.T) {
			t.Parallel()
			c := hawser.Connection{Protocol: ftp, Host: "h"}
			l.fill(&c)
			c.Protocol = hawser.Protocol(strings.ToLower(string(c.Protocol))) // as schemes are
			roundTrip(t, c)
		})
	}
	t.Run("of all fields together", func(t *testing.T) {
		t.Parallel()
		c := full()
		c.Protocol = ftp
		roundTrip(t, c)
	})
	t.Run("of each TLS mode with each protocol", func(t *testing.T) {
		t.Parallel()
		for _, protocol := range knownProtocols() {
			for _, mode := range []hawser.TLSMode{"", hawser.TLSNone, hawser.TLSExplicit, hawser.TLSImplicit} {
				roundTrip(t, hawser.Connection{Protocol: protocol, Host: "h", TLS: hawser.TLSOptions{Mode: mode}})
			}
		}
	})
	t.Run("of users and hosts that need quoting", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"a b", "a@b", "a:b", "a/b?c#d", "100%", "ü", "%41", `DOMAIN\me`, "a+b&c=d"} {
			roundTrip(t, hawser.Connection{Protocol: ftp, Host: "h", Auth: hawser.Auth{User: text}})
		}
		for _, host := range []string{"::1", "fe80::1%eth0", "192.0.2.1", "bücher.example"} {
			for _, port := range []uint16{0, 1, 65535} {
				roundTrip(t, hawser.Connection{Protocol: ftp, Host: host, Port: port})
			}
		}
	})
	t.Run("without literal secrets, Hops and Revision", func(t *testing.T) {
		t.Parallel()
		c := hawser.Connection{Protocol: ftp, Host: "h", Revision: "7", Hops: []hawser.Connection{full()}}
		literals(&c)
		require.Equal(t, "ftp://h", c.URL())
	})
}

func TestParseURLRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, url, field, problem string }{
		{"what is no URL", "://", "url", "not a URL"},
		{"nothing", "", "url", "not a URL"},
		{"a name alone", "bank", "url", "write scheme://user@host:port"},
		{"a URL without a host part", "ftp:bank", "url", "not a URL"},
		{"a path", "sftp://h/in/x.csv", "url", "has no path"},
		{"a fragment", "sftp://h#x", "url", "no fragment"},
		{"an IPv6 address without brackets", "sftp://2001:db8::1", "host", "write an IPv6 address in brackets"},
		{"port 0", "sftp://h:0", "port", "want a port number, 1 to 65535"},
		{"a port that is too high", "sftp://h:65536", "port", "want a port number, 1 to 65535"},
		{"a parameter that is misspelt", "ftp://h?tls.mod=none", "tls.mod", `unknown field; did you mean "tls.mode"?`},
		{"a parameter in another case", "ftp://h?Timeout=1s", "Timeout", `did you mean "timeout"?`},
		{"a parameter like none", "ftp://h?hush=1", "hush", "unknown field"},
		{"a group as parameter", "ftp://h?tls=none", "tls", "unknown field"},
		{"a map as parameter", "ftp://h?extra=1", "extra", "extra.driver.setting"},
		{"a map of secrets as parameter", "ftp://h?extra_secrets=1", "extra_secrets", "extra_secrets.driver.setting.ref"},
		{"a reference of what is no secret", "ftp://h?name.ref=env:X", "name.ref", "unknown field"},
		{"parameters that are no pairs", "ftp://h?a;b", "url", "name=value"},
		{"a parameter with a bad escape", "ftp://h?name=%zz", "url", "name=value"},
		{"a parameter that stands elsewhere", "ftp://h?host=x", "host", "stands before the ?"},
		{"a parameter given twice", "ftp://h?timeout=1s&timeout=2s", "timeout", "given twice"},
		{"a reference given twice", "ftp://h?auth.token.ref=env:A&auth.token.ref=env:B", "auth.token.ref", "given twice"},
		{"an extra setting given twice", "ftp://h?extra.a.b=1&extra.a.b=2", "extra.a.b", "given twice"},
		{"an extra secret given twice", "ftp://h?extra_secrets.a.b.ref=env:1&extra_secrets.a.b.ref=env:2", "extra_secrets.a.b", "given twice"},
		{"an empty reference", "ftp://h?auth.password.ref=", "auth.password.ref", "is empty; want a reference such as env:NAME"},
		{"an empty extra reference", "ftp://h?extra_secrets.a.b.ref=", "extra_secrets.a.b.ref", "is empty"},
		{"a password and its reference", "ftp://u:hush@h?auth.password.ref=env:A", "auth.password", "given twice"},
		{"a literal secret as parameter", "ftp://h?auth.password=hush", "auth.password", "write auth.password.ref=env:NAME"},
		{"a literal extra secret as parameter", "ftp://h?extra_secrets.a.b=hush", "extra_secrets.a.b", "write extra_secrets.a.b.ref=env:NAME"},
		{"a number that is none", "ftp://h?limits.sessions=hush", "limits.sessions", "want a whole number"},
		{"a port of a proxy that is none", "ftp://h?proxy.port=hush", "proxy.port", "want a port number"},
		{"a truth that is none", "ftp://h?auth.agent=yes", "auth.agent", "want true or false"},
		{"a duration without a unit", "ftp://h?timeout=45", "timeout", "is not a duration"},
		{"a TLS mode other than the scheme's", "ftps://h?tls.mode=none", "tls.mode", `contradicts the scheme, which means implicit`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, err := hawser.ParseURL(row.url)
			requireFieldError(t, err, row.field, row.problem)
			requireSame(t, hawser.Connection{}, c)
		})
	}
	t.Run("not the TLS mode that its scheme means", func(t *testing.T) {
		t.Parallel()
		c, err := hawser.ParseURL("ftps://h?tls.mode=implicit")
		require.NoError(t, err)
		require.Equal(t, hawser.TLSImplicit, c.TLS.Mode)
	})
}

// TestParseURLErrorsHoldNoPassword has the passwords that people forget to
// percent-encode, which net/url quotes in its own errors.
func TestParseURLErrorsHoldNoPassword(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"ftp://u:p4711/ss4711@h", "ftp://u:p4711#w4711@h", "sftp://u:%zz4711@h", "sftp://u:4711%@h", "sftp://u:47 11 4711@h",
		"sftp://u:4711\n@h", "sftp://u:4711[@h", "ftp://u:1?4711@h", "ftp://u:1?x=4711@h", "ftp://u:1?timeout=4711@h",
		"ftp://u:1@x?4711@h", "ftp://u:1#4711@h", "ftp://u:1/4711@h", "ftp://u:4711@h:x", "ftp://u:4711@h/path",
		"ftp://u:4711@h#f", "ftp://u:4711@h?x=1", "ftp://u:4711@h:0", "ftp://u:4711@[h", "ftp:u:4711@h", "//u:4711@h",
		"u:4711@h", "ftp://u:1?a;4711@h", "ftp://u:1?a&4711=&b@h", "ftp://u:4711@h?timeout=x", "ftp://u:4711@h?auth.password.ref=env:A",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			_, err := hawser.ParseURL(text)
			require.Error(t, err)
			fieldErrors(t, err)
			assert.NotContains(t, err.Error(), "4711")
		})
	}
}

// FuzzParseURL asks that what is read is written and read again as the same,
// and that no error holds what may be a password.
func FuzzParseURL(f *testing.F) {
	all := full()
	all.Protocol = smtp
	for _, text := range []string{
		all.URL(), "ftp://u:p@h:21?timeout=45s", "ftps://[::1]:990", "sftp://h?extra.a.b=c", "smtps://h?tls.mode=none",
		"ftp://[fe80::1%25eth0]?name=%00", "ftp://%ff@%C3%BC", "ours+x://h?extra.=&extra_secrets..ref=", "ssh://h?limits.sessions=9223372036854775807",
	} {
		f.Add(text, "")
	}
	f.Add("A://[::%25\x9a]", "")
	f.Add("1?x=", "y")
	f.Add("1@h?timeout=", "#")
	f.Fuzz(func(t *testing.T, text, behind string) {
		if c, err := hawser.ParseURL(text); err == nil {
			again, err := hawser.ParseURL(c.URL())
			require.NoError(t, err, c.URL())
			c.Auth.Password = hawser.SecretRef(c.Auth.Password.Ref()) // URL gives no literal
			requireSame(t, c, again)
			require.Equal(t, c.URL(), again.URL())
		} else {
			fieldErrors(t, err)
		}
		// The same text as what stands around a password in a URL.
		const password = "Hush4711"
		for _, s := range []string{"ftp://u:" + text + password + behind + "@h", "ftp://u:" + url.QueryEscape(password) + "@" + text + behind} {
			if c, err := hawser.ParseURL(s); err != nil {
				require.NotContains(t, err.Error(), password, s)
			} else if c.Auth.Password.Reveal() == password {
				require.NotContains(t, c.URL(), password, s)
			}
		}
	})
}

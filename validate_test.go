package hawser_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	ftp  = hawser.FTP
	sftp = hawser.SFTP
	ssh  = hawser.SSH
	smtp = hawser.SMTP
)

func knownProtocols() []hawser.Protocol { return []hawser.Protocol{ftp, sftp, ssh, smtp} }

type (
	protocols = []hawser.Protocol
	change    = func(*hawser.Connection)
)

// secure turns TLS on, so that options of TLS have an effect.
func secure(c *hawser.Connection) { c.TLS.Mode = hawser.TLSExplicit }

func TestValidateAccepts(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		protocol hawser.Protocol
		change   change
	}{
		{"the shortest ftp connection", ftp, func(*hawser.Connection) {}},
		{"the shortest sftp connection", sftp, func(*hawser.Connection) {}},
		{"the shortest ssh connection", ssh, func(*hawser.Connection) {}},
		{"the shortest smtp connection", smtp, func(*hawser.Connection) {}},
		{"a connection without a name, which is not stored yet", ssh, func(c *hawser.Connection) { c.Name = "" }},
		{"a protocol of a driver outside this module, with options of any", "ours", func(c *hawser.Connection) { c.SSH.AutoAccept = true; c.FTP.Account = hawser.NewSecret("x") }},
		{"an IPv4 address", ssh, func(c *hawser.Connection) { c.Host = "192.0.2.1" }},
		{"an IPv6 address", ssh, func(c *hawser.Connection) { c.Host = "2001:db8::1" }},
		{"an IPv6 address with a zone", ssh, func(c *hawser.Connection) { c.Host = "fe80::1%eth0" }},
		{"a description of many lines", ssh, func(c *hawser.Connection) { c.Description = "one\ntwo" }},
		{"anonymous ftp", ftp, func(c *hawser.Connection) { c.Auth = hawser.Auth{Anonymous: true} }},
		{"anonymous ftp with an address as password", ftp, func(c *hawser.Connection) {
			c.Auth = hawser.Auth{Anonymous: true, Password: hawser.NewSecret("me@example.com")}
		}},
		{"ssh login method none", ssh, func(c *hawser.Connection) { c.Auth = hawser.Auth{User: "u", Anonymous: true} }},
		{"a key of many lines as content", ssh, func(c *hawser.Connection) {
			c.Auth = hawser.Auth{User: "u", Key: hawser.Key{Content: hawser.NewSecret("-----BEGIN\nx\n")}}
		}},
		{"a certificate of many lines as content", ftp, func(c *hawser.Connection) {
			secure(c)
			c.TLS.Certificate.Content = hawser.NewSecret("-----BEGIN\nx\n")
		}},
		{"smtp with a token", smtp, func(c *hawser.Connection) { c.Auth = hawser.Auth{User: "u", Token: hawser.NewSecret("t")} }},
		{"smtp options of TLS without a mode, because its zero mode is explicit", smtp, func(c *hawser.Connection) { c.TLS.MinVersion = "1.3" }},
		{"every TLS version", ftp, func(c *hawser.Connection) { secure(c); c.TLS.MinVersion, c.TLS.MaxVersion = "1.0", "1.3" }},
		{"one TLS version alone", ftp, func(c *hawser.Connection) { secure(c); c.TLS.MinVersion, c.TLS.MaxVersion = "1.1", "1.1" }},
		{"every anomaly that may be allowed", ftp, func(c *hawser.Connection) {
			secure(c)
			for _, a := range hawser.Anomalies() {
				if a != hawser.BadSignature && a != hawser.Revoked {
					c.TLS.Allow = append(c.TLS.Allow, a)
				}
			}
		}},
		{"a proxy", ssh, func(c *hawser.Connection) { c.Proxy = hawser.Proxy{Type: hawser.ProxySOCKS5H, Host: "::1", User: "u"} }},
		{"active mode with ports and external address", ftp, func(c *hawser.Connection) {
			c.FTP = hawser.FTPOptions{Mode: hawser.Active, Ports: "50000-50100", External: "192.0.2.1"}
		}},
		{"auto mode with one port", ftp, func(c *hawser.Connection) { c.FTP = hawser.FTPOptions{Mode: hawser.Auto, Ports: "50000"} }},
		{"sftp version 3 by name", sftp, func(c *hawser.Connection) { c.SFTP.MinVersion, c.SFTP.MaxVersion = 3, 3 }},
		{"no keepalive", ssh, func(c *hawser.Connection) { c.SSH.KeepAlive = -1 }},
		{"a host key fingerprint", ssh, func(c *hawser.Connection) { c.SSH.HostKeys = []string{fingerprint} }},
		{"smtp with a user whom a certificate proves", smtp, func(c *hawser.Connection) {
			c.Auth.User, c.TLS.Certificate.File = "u", "u.pem"
		}},
		{"smtp with a certificate that names its user", smtp, func(c *hawser.Connection) {
			c.SMTP.Auth, c.TLS.Certificate.File = []string{"EXTERNAL"}, "u.pem"
		}},
		{"smtp that logs in as nobody", smtp, func(c *hawser.Connection) {
			c.Auth.Anonymous, c.SMTP.Auth = true, []string{"ANONYMOUS"}
		}},
		{"every smtp mechanism", smtp, func(c *hawser.Connection) {
			c.SMTP.Auth = []string{"EXTERNAL", "OAUTHBEARER", "XOAUTH2", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN", "ANONYMOUS"}
		}},
		{"settings of other drivers", ssh, func(c *hawser.Connection) {
			c.Extra = map[string]string{"ours.a": "any\ntext"}
			c.ExtraSecrets = map[string]hawser.Secret{"ours.b": hawser.NewSecret("any\ntext")}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := valid(row.protocol)
			row.change(&c)
			require.NoError(t, c.Validate())
		})
	}
}

const fingerprint = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		protocol hawser.Protocol
		change   change
		field    string
		problem  string
	}{
		{"a name with space around", ssh, func(c *hawser.Connection) { c.Name = " bank" }, "name", "begins or ends with a space"},
		{"a name with a control character", ssh, func(c *hawser.Connection) { c.Name = "a\nb" }, "name", `holds the control character '\n'`},
		{"text that is not UTF-8", ssh, func(c *hawser.Connection) { c.Description = "caf\xe9" }, "description", "is not UTF-8"},
		{"a setting of another driver that is not UTF-8", ssh, func(c *hawser.Connection) { c.Extra = map[string]string{"ours.x": "\xff"} }, "extra", "is not UTF-8"},
		{"the name of one that is not UTF-8", ssh, func(c *hawser.Connection) {
			c.ExtraSecrets = map[string]hawser.Secret{"ours.\xff": hawser.NewSecret("x")}
		}, "extra_secrets", "is not UTF-8"},
		{"no protocol", "", func(*hawser.Connection) {}, "protocol", "want one of ftp, sftp, ssh, smtp"},
		{"a negative timeout", ssh, func(c *hawser.Connection) { c.Timeout = -time.Second }, "timeout", "is negative; leave it out for 30s"},
		{"via itself", ssh, func(c *hawser.Connection) { c.Via = "bank" }, "via", "leads in a circle"},

		{"no host", ssh, func(c *hawser.Connection) { c.Host = "" }, "host", "is empty; want a DNS name or an IP address"},
		{"a URL as host", ssh, func(c *hawser.Connection) { c.Host = "ssh://bank" }, "host", "ParseURL"},
		{"a host in brackets", ssh, func(c *hawser.Connection) { c.Host = "[::1]" }, "host", "without them"},
		{"a host with a port", ssh, func(c *hawser.Connection) { c.Host = "bank:22" }, "host", "write it in the field port"},
		{"a host with a login", ssh, func(c *hawser.Connection) { c.Host = "me@bank" }, "host", "auth.user"},
		{"a host with a path", ssh, func(c *hawser.Connection) { c.Host = "bank/in" }, "host", `"bank/in" is not a DNS name`},
		{"a host with many colons that is no IPv6 address", ssh, func(c *hawser.Connection) { c.Host = "a:b:c" }, "host", `"a:b:c" is not a DNS name`},
		{"a host with a control character", ssh, func(c *hawser.Connection) { c.Host = "bank\x00" }, "host", "control character"},

		{"no user for ssh", ssh, func(c *hawser.Connection) { c.Auth.User = "" }, "auth.user", "is empty; want the login name"},
		{"no login method for ssh", ssh, func(c *hawser.Connection) { c.Auth.Agent = false }, "auth", "has no login method"},
		{"no user for ftp", ftp, func(c *hawser.Connection) { c.Auth.User = "" }, "auth.user", "set auth.anonymous"},
		{"a password without a user for smtp", smtp, func(c *hawser.Connection) { c.Auth.Password = hawser.NewSecret("x") }, "auth.user", "that auth.password or auth.token is for"},
		{"none and a method at once for ssh", ssh, func(c *hawser.Connection) { c.Auth.Anonymous = true }, "auth.anonymous", "contradicts"},
		{"a user without a proof for smtp", smtp, func(c *hawser.Connection) { c.Auth.User = "u" }, "auth", "nothing to prove it with; set auth.password or auth.token"},
		{"an smtp name with a space", smtp, func(c *hawser.Connection) { c.SMTP.Hello = "a b" }, "smtp.hello", "holds a space"},
		{"none and a password at once for smtp", smtp, func(c *hawser.Connection) {
			c.Auth = hawser.Auth{Anonymous: true, User: "u", Password: hawser.NewSecret("x")}
		}, "auth.anonymous", "contradicts"},
		{"CR LF in a password", ftp, func(c *hawser.Connection) { c.Auth.Password = hawser.NewSecret("a\r\nDELE b") }, "auth.password", "holds CR, LF or NUL"},
		{"NUL in a proxy's password", ssh, func(c *hawser.Connection) {
			c.Proxy = hawser.Proxy{Type: hawser.ProxyHTTP, Host: "p", User: "u", Password: hawser.NewSecret("a\x00")}
		}, "proxy.password", "holds CR, LF or NUL"},
		{"CR LF in an ftp account", ftp, func(c *hawser.Connection) { c.FTP.Account = hawser.NewSecret("a\n") }, "ftp.account", "holds CR, LF or NUL"},
		{"CR LF in a user", ftp, func(c *hawser.Connection) { c.Auth.User = "a\r\nDELE b" }, "auth.user", "control character"},
		{"a key as file and as content", ssh, func(c *hawser.Connection) { c.Auth.Key = hawser.Key{File: "f", Content: hawser.NewSecret("x")} }, "auth.key", "has both file and content"},
		{"a passphrase without a key", ssh, func(c *hawser.Connection) { c.Auth.Key.Passphrase = hawser.NewSecret("x") }, "auth.key.passphrase", "has no private key"},
		{"an ssh certificate without a key", ssh, func(c *hawser.Connection) { c.Auth.Key.Certificate = "f" }, "auth.key.certificate", "has no private key"},

		{"a TLS mode that is misspelt", ftp, func(c *hawser.Connection) { c.TLS.Mode = "explict" }, "tls.mode", `unknown mode "explict"; did you mean "explicit"?`},
		{"a protection that there is not", ftp, func(c *hawser.Connection) { secure(c); c.TLS.Data = "x" }, "tls.data", "want one of private, clear"},
		{"ssl3 as least version", ftp, func(c *hawser.Connection) { secure(c); c.TLS.MinVersion = "ssl3" }, "tls.min_version", `"ssl3" is broken and forbidden (RFC 7568); set "1.0" and tls.legacy`},
		{"SSLv2 as highest version", ftp, func(c *hawser.Connection) { secure(c); c.TLS.MaxVersion = "SSLv2" }, "tls.max_version", "RFC 7568"},
		{"a TLS version that there is not", ftp, func(c *hawser.Connection) { secure(c); c.TLS.MinVersion = "1.4" }, "tls.min_version", "unknown TLS version"},
		{"a highest version below the least", ftp, func(c *hawser.Connection) { secure(c); c.TLS.MinVersion, c.TLS.MaxVersion = "1.3", "1.2" }, "tls.max_version", "1.2 is below the lowest version, 1.3"},
		{"a highest version below the default least", ftp, func(c *hawser.Connection) { secure(c); c.TLS.MaxVersion = "1.1" }, "tls.max_version", "1.1 is below the lowest version, 1.2"},
		{"an anomaly that is misspelt", ftp, func(c *hawser.Connection) { secure(c); c.TLS.Allow = []hawser.Anomaly{"expired", "expred"} }, "tls.allow[1]", `unknown anomaly "expred"; did you mean "expired"?`},
		{"an empty anomaly", ftp, func(c *hawser.Connection) { secure(c); c.TLS.Allow = []hawser.Anomaly{""} }, "tls.allow[0]", "is empty"},
		{"to allow a bad signature", ftp, func(c *hawser.Connection) { secure(c); c.TLS.Allow = []hawser.Anomaly{hawser.BadSignature} }, "tls.allow[0]", "is never allowed"},
		{"to allow a revoked certificate", ftp, func(c *hawser.Connection) { secure(c); c.TLS.Allow = []hawser.Anomaly{hawser.Revoked} }, "tls.allow[0]", "is never allowed"},
		{"an option of TLS for ftp without TLS", ftp, func(c *hawser.Connection) { c.TLS.AutoAccept = true }, "tls.auto_accept", "set tls.mode to explicit or implicit"},
		{"an option of TLS for smtp with TLS off", smtp, func(c *hawser.Connection) { c.TLS = hawser.TLSOptions{Mode: hawser.TLSNone, Legacy: true} }, "tls.legacy", "has no effect without TLS"},
		{"a certificate as file and as content", ftp, func(c *hawser.Connection) {
			secure(c)
			c.TLS.Certificate = hawser.Certificate{File: "f", Content: hawser.NewSecret("x")}
		}, "tls.certificate", "has both file and content"},

		{"a proxy type that is misspelt", ssh, func(c *hawser.Connection) { c.Proxy = hawser.Proxy{Type: "sock5", Host: "p"} }, "proxy.type", `did you mean "socks5"?`},
		{"a proxy without a host", ssh, func(c *hawser.Connection) { c.Proxy.Type = hawser.ProxyHTTP }, "proxy.host", "is empty"},
		{"a proxy whose host has a port", ssh, func(c *hawser.Connection) { c.Proxy = hawser.Proxy{Type: hawser.ProxyHTTP, Host: "p:8080"} }, "proxy.host", "write it in the field port"},
		{"a password for SOCKS4", ssh, func(c *hawser.Connection) {
			c.Proxy = hawser.Proxy{Type: hawser.ProxySOCKS4A, Host: "p", User: "u", Password: hawser.NewSecret("x")}
		}, "proxy.password", "which has no passwords; set proxy.type to socks5"},
		{"a proxy's password without a user", ssh, func(c *hawser.Connection) {
			c.Proxy = hawser.Proxy{Type: hawser.ProxySOCKS5, Host: "p", Password: hawser.NewSecret("x")}
		}, "proxy.user", "is empty, but there is a proxy.password"},
		{"a password that is too long for SOCKS5", ssh, func(c *hawser.Connection) {
			c.Proxy = hawser.Proxy{Type: hawser.ProxySOCKS5H, Host: "p", User: "u", Password: hawser.NewSecret(strings.Repeat("x", 256))}
		}, "proxy.user", "255 bytes"},
		{"a colon in the user of an HTTP proxy", ssh, func(c *hawser.Connection) {
			c.Proxy = hawser.Proxy{Type: hawser.ProxyHTTPS, Host: "p", User: "a:b"}
		}, "proxy.user", "holds a colon"},
		{"active mode through an HTTP proxy", ftp, func(c *hawser.Connection) {
			c.Proxy, c.FTP.Mode = hawser.Proxy{Type: hawser.ProxyHTTP, Host: "p"}, hawser.Active
		}, "ftp.mode", "set ftp.mode to passive, or reach the server through a SOCKS proxy"},
		{"active mode through a jump host", ftp, func(c *hawser.Connection) { c.Via, c.FTP.Mode = "hop", hawser.Active }, "ftp.mode", "through a jump host"},
		{"a proxy option without a type", ssh, func(c *hawser.Connection) { c.Proxy.Host = "p" }, "proxy.host", "has no effect without proxy.type"},

		{"an ftp mode that is misspelt", ftp, func(c *hawser.Connection) { c.FTP.Mode = "activ" }, "ftp.mode", `did you mean "active"?`},
		{"a range of ports that runs down", ftp, func(c *hawser.Connection) { c.FTP = hawser.FTPOptions{Mode: hawser.Active, Ports: "2-1"} }, "ftp.ports", "is not a range of ports"},
		{"port 0", ftp, func(c *hawser.Connection) { c.FTP = hawser.FTPOptions{Mode: hawser.Active, Ports: "0"} }, "ftp.ports", "is not a range of ports"},
		{"a port that is too high", ftp, func(c *hawser.Connection) { c.FTP = hawser.FTPOptions{Mode: hawser.Active, Ports: "1-65536"} }, "ftp.ports", "is not a range of ports"},
		{"ports in passive mode", ftp, func(c *hawser.Connection) { c.FTP.Ports = "1-2" }, "ftp.ports", "has no effect in passive mode"},
		{"an external address that is a name", ftp, func(c *hawser.Connection) { c.FTP = hawser.FTPOptions{Mode: hawser.Active, External: "me"} }, "ftp.external", `"me" is not an IP address`},
		{"an external address in passive mode", ftp, func(c *hawser.Connection) { c.FTP.External = "192.0.2.1" }, "ftp.external", "has no effect in passive mode"},
		{"a time zone that there is not", ftp, func(c *hawser.Connection) { c.FTP.TimeZone = "Europe/Nowhere" }, "ftp.time_zone", `unknown time zone "Europe/Nowhere"`},

		{"an algorithm profile that is misspelt", ssh, func(c *hawser.Connection) { c.SSH.Algorithms = "legcay" }, "ssh.algorithms", `did you mean "legacy"?`},
		{"a fingerprint that is MD5", ssh, func(c *hawser.Connection) { c.SSH.HostKeys = []string{fingerprint, "MD5:00:11"} }, "ssh.host_keys[1]", "is not a fingerprint"},
		{"a fingerprint that is too short", ssh, func(c *hawser.Connection) { c.SSH.HostKeys = []string{"SHA256:AAAA"} }, "ssh.host_keys[0]", "ssh-keygen -l"},
		{"accepting any host key and only some", ssh, func(c *hawser.Connection) { c.SSH.HostKeys, c.SSH.AutoAccept = []string{fingerprint}, true }, "ssh.auto_accept", "contradicts ssh.host_keys"},

		{"sftp version 2", sftp, func(c *hawser.Connection) { c.SFTP.MinVersion = 2 }, "sftp.min_version", "there is no version 2 to speak"},
		{"sftp version 4", sftp, func(c *hawser.Connection) { c.SFTP.MinVersion = 4 }, "sftp.min_version", "version 4 is not spoken yet; leave it out for version 3, which nearly all servers speak"},
		{"sftp version 6", sftp, func(c *hawser.Connection) { c.SFTP.MaxVersion = 6 }, "sftp.max_version", "version 6 is not spoken yet"},
		{"sftp version 7", sftp, func(c *hawser.Connection) { c.SFTP.MaxVersion = 7 }, "sftp.max_version", "there is no version 7 to speak"},
		{"sftp version -1", sftp, func(c *hawser.Connection) { c.SFTP.MaxVersion = -1 }, "sftp.max_version", "there is no version -1 to speak"},

		{"an smtp mechanism that is misspelt", smtp, func(c *hawser.Connection) { c.SMTP.Auth = []string{"PLAIN", "LOGN"} }, "smtp.auth[1]", `did you mean "LOGIN"?`},
		{"an smtp mechanism in lower case", smtp, func(c *hawser.Connection) { c.SMTP.Auth = []string{"plain"} }, "smtp.auth[0]", `did you mean "PLAIN"?`},
		{"an empty smtp mechanism", smtp, func(c *hawser.Connection) { c.SMTP.Auth = []string{""} }, "smtp.auth[0]", "is empty"},

		{"negative sessions", ssh, func(c *hawser.Connection) { c.Limits.Sessions = -1 }, "limits.sessions", "leave it out for 8"},
		{"a negative idle time", ssh, func(c *hawser.Connection) { c.Limits.Idle = -1 }, "limits.idle", "leave it out for 1m"},
		{"a negative lifetime", ssh, func(c *hawser.Connection) { c.Limits.Lifetime = -1 }, "limits.lifetime", "leave it out for no limit"},

		{"an extra key without a driver", ssh, func(c *hawser.Connection) { c.Extra = map[string]string{"a": ""} }, "extra", `key "a" is not of the form driver.setting`},
		{"an extra secret's key without a setting", ssh, func(c *hawser.Connection) { c.ExtraSecrets = map[string]hawser.Secret{"a.": {}} }, "extra_secrets", "driver.setting"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := valid(row.protocol)
			row.change(&c)
			requireFieldError(t, c.Validate(), row.field, row.problem)
		})
	}
}

func TestValidateReportsEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	c := hawser.Connection{
		Protocol: sftp, Timeout: -1,
		FTP:    hawser.FTPOptions{Mode: "pasive"},
		SFTP:   hawser.SFTPOptions{MaxVersion: 5},
		Limits: hawser.Limits{Sessions: -1},
		Extra:  map[string]string{"c": "", "a": "", "b": ""},
	}
	t.Run("in the order of its rules", func(t *testing.T) {
		t.Parallel()
		var fields []string
		for _, problem := range fieldErrors(t, c.Validate()) {
			fields = append(fields, problem.Field)
		}
		require.Equal(t, []string{"host", "timeout", "ftp.mode", "auth.user", "auth", "ftp.mode", "sftp.max_version", "limits.sessions", "extra", "extra", "extra"}, fields)
	})
	t.Run("in the same order each time", func(t *testing.T) {
		t.Parallel()
		want := c.Validate().Error()
		for range 20 {
			require.Equal(t, want, c.Validate().Error())
		}
	})
	t.Run("and matches ErrInvalid", func(t *testing.T) {
		t.Parallel()
		require.ErrorIs(t, c.Validate(), hawser.ErrInvalid)
	})
}

func TestValidateNeverQuotesALoginThatStandsInHost(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"me:hush4711@bank", "me:hush4711@bank:22", "me@bank", "ssh://me:hush4711@bank", "[me:hush4711@bank",
		"me:hu/sh4711@bank", "me:hush4711@bank\n", "bank hush4711@x",
	} {
		c := valid(ssh)
		c.Host = host
		err := c.Validate()
		require.ErrorIs(t, err, hawser.ErrInvalid, host)
		assert.NotContains(t, err.Error(), "4711", host)
	}
}

package file_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/file"
)

// commented has a comment at every place where people write them.
var commented = lines(
	"# Connections of ACME.",
	"",
	"version: 1 # of the format",
	"",
	"# All of them.",
	"connections: # by name",
	"  # The bank, see ticket 42.",
	"  bank: # since 2019",
	"    protocol: sftp # not ftp",
	"    # The old one was sftp.old.example.com.",
	"    host: \"sftp.example.com\" # new",
	"    timeout: 60s",
	"    port: 0 # the default",
	"    auth:",
	"      # A robot.",
	"      user:   acme",
	"      password: {ref: env:BANK} # rotated in March",
	"    ssh:",
	"      host_keys:",
	"        # gateway one",
	"        - SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU # one",
	"        - SHA256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg # two",
	"    # End of the bank.",
	"",
	"",
	"  # The shop.",
	"  shop: {protocol: smtp, host: ftp.example.com} # short",
	"  # mail: {protocol: smtp}",
	"",
	"  'mail':",
	"    description: |",
	"      Mail of",
	"      # marketing",
	"",
	"      and sales.",
	"    protocol: smtp",
	"    host: smtp.example.com",
	"",
	"# The end.",
)

func TestCommentsAndOrderSurvive(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		do       func(t *testing.T, r *file.Registry)
		old, new string // the part that is different afterwards
	}{
		{
			"a text", change("bank", func(c *hawser.Connection) { c.Host = "10.0.0.1" }),
			`    host: "sftp.example.com" # new`, `    host: 10.0.0.1 # new`,
		},
		{
			"a number that was the default", change("bank", func(c *hawser.Connection) { c.Port = 2222 }),
			`    port: 0 # the default`, `    port: 2222 # the default`,
		},
		{
			"a duration", change("bank", func(c *hawser.Connection) { c.Timeout = 5 * time.Second }),
			`    timeout: 60s`, `    timeout: 5s`,
		},
		{
			"a new field in the first place", change("bank", func(c *hawser.Connection) { c.Description = "two\nlines" }),
			"  bank: # since 2019\n", lines("  bank: # since 2019", "    description: |-", "      two", "      lines"),
		},
		{
			"a new field behind its neighbour", change("bank", func(c *hawser.Connection) { c.Auth.Agent = true }),
			" # rotated in March\n", " # rotated in March\n      agent: true\n",
		},
		{
			"a new group", change("bank", func(c *hawser.Connection) { c.Limits.Sessions = 3 }),
			"    # End of the bank.", "    limits:\n      sessions: 3\n    # End of the bank.",
		},
		{
			"a field of a group", change("bank", func(c *hawser.Connection) { c.Auth.User = "on" }),
			`      user:   acme`, `      user: "on"`,
		},
		{
			"a reference", change("bank", func(c *hawser.Connection) { c.Auth.Password = hawser.SecretRef("file:/run/a b") }),
			`{ref: env:BANK} #`, `{ref: file:/run/a b} #`,
		},
		{
			"a group that is removed", change("bank", func(c *hawser.Connection) { c.SSH = hawser.SSHOptions{} }),
			commented[strings.Index(commented, "    ssh:"):strings.Index(commented, "    # End of")], "",
		},
		{
			"an item that is removed", change("bank", func(c *hawser.Connection) { c.SSH.HostKeys = c.SSH.HostKeys[1:] }),
			lines("        # gateway one", "        - SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU # one"), "",
		},
		{
			"a connection in one line", change("shop", func(c *hawser.Connection) { c.Port = 2121 }),
			"  shop: {protocol: smtp, host: ftp.example.com} # short\n", lines("  shop: # short", "    protocol: smtp", "    host: ftp.example.com", "    port: 2121"),
		},
		{
			"a text of several lines", change("mail", func(c *hawser.Connection) { c.Description = "Mail\n# of all" }),
			lines("    description: |", "      Mail of", "      # marketing", "", "      and sales."), lines("    description: |-", "      Mail", "      # of all"),
		},
		{
			"the first connection", remove("bank"),
			commented[strings.Index(commented, "  # The bank"):strings.Index(commented, "\n\n  # The shop")], "",
		},
		{"a connection in the middle", remove("shop"), lines("", "  # The shop.", "  shop: {protocol: smtp, host: ftp.example.com} # short"), ""},
		{
			"the last connection", remove("mail"),
			commented[strings.Index(commented, "\n  'mail'"):strings.Index(commented, "\n# The end")], "",
		},
		{"a new connection, at the end", func(t *testing.T, r *file.Registry) {
			put(t, r, hawser.Connection{Name: "null", Protocol: hawser.SMTP, Host: "h", TLS: hawser.TLSOptions{Allow: []hawser.Anomaly{hawser.Expired}}})
		}, "    host: smtp.example.com\n", lines("    host: smtp.example.com", "  \"null\":", "    protocol: smtp", "    host: h", "    tls:", "      allow: [expired]")},
		{"nothing", change("bank", func(*hawser.Connection) {}), "", ""},
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			t.Run(row.name+" "+strings.ReplaceAll(eol, "\r\n", "CRLF"), func(t *testing.T) {
				t.Parallel()
				as := func(s string) string { return strings.ReplaceAll(s, "\n", eol) }
				path := written(t, "r.yaml", as(commented))
				r := open(t, path, file.Options{})
				row.do(t, r)
				got := content(t, path)
				assert.Equal(t, as(strings.Replace(commented, row.old, row.new, 1)), got)
				if got != as(commented) {
					assert.Equal(t, as(commented), content(t, path+".bak"))
				}
				again := open(t, path, file.Options{})
				for c, err := range r.All(t.Context()) {
					require.NoError(t, err)
					other := lookup(t, again, c.Name)
					assert.Equal(t, c.Revision, other.Revision)
				}
			})
		}
	}
}

func change(name string, f func(*hawser.Connection)) func(*testing.T, *file.Registry) {
	return func(t *testing.T, r *file.Registry) {
		c := lookup(t, r, name)
		f(&c)
		put(t, r, c)
	}
}

func remove(name string) func(*testing.T, *file.Registry) {
	return func(t *testing.T, r *file.Registry) {
		require.NoError(t, r.Delete(t.Context(), name, hawser.AnyRevision))
	}
}

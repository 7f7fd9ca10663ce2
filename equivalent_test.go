package hawser_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hawser/hawser"
)

func TestEquivalent(t *testing.T) {
	t.Parallel()
	base := func() hawser.Connection {
		c := hawser.Connection{Name: "a", Protocol: hawser.SSH, Host: "h", Timeout: 5}
		c.Auth = hawser.Auth{User: "u", Password: hawser.NewSecret("p")}
		c.Proxy = hawser.Proxy{Type: hawser.ProxyHTTP, Host: "q", Password: hawser.SecretRef("env:Q")}
		c.SSH.HostKeys = []string{"k"}
		c.Hops = []hawser.Connection{{Name: "hop", Protocol: hawser.SSH, Host: "j", Auth: hawser.Auth{Password: hawser.NewSecret("j")}}}
		return c
	}
	for name, change := range map[string]func(c *hawser.Connection){
		"nothing":             func(*hawser.Connection) {},
		"the name":            func(c *hawser.Connection) { c.Name = "b" },
		"what describes it":   func(c *hawser.Connection) { c.Description, c.Group, c.Revision = "x", "y", "z" },
		"what is logged":      func(c *hawser.Connection) { c.Log.Outgoing = true },
		"its limits":          func(c *hawser.Connection) { c.Limits.Sessions = 3 },
		"the name of a hop":   func(c *hawser.Connection) { c.Hops[0].Name = "other" },
		"a secret, the same":  func(c *hawser.Connection) { c.Auth.Password = hawser.NewSecret("p") },
		"a map without names": func(c *hawser.Connection) { c.ExtraSecrets = map[string]hawser.Secret{} },
	} {
		c := base()
		change(&c)
		assert.True(t, base().Equivalent(c), name)
		assert.True(t, c.Equivalent(base()), name)
	}
	for name, change := range map[string]func(c *hawser.Connection){
		"the host":              func(c *hawser.Connection) { c.Host = "other" },
		"the port":              func(c *hawser.Connection) { c.Port = 22 },
		"the time":              func(c *hawser.Connection) { c.Timeout = 6 },
		"the user":              func(c *hawser.Connection) { c.Auth.User = "v" },
		"the password":          func(c *hawser.Connection) { c.Auth.Password = hawser.NewSecret("q") },
		"no password":           func(c *hawser.Connection) { c.Auth.Password = hawser.Secret{} },
		"another reference":     func(c *hawser.Connection) { c.Proxy.Password = hawser.SecretRef("env:R") },
		"a literal for one":     func(c *hawser.Connection) { c.Proxy.Password = hawser.NewSecret("env:Q") },
		"a host key":            func(c *hawser.Connection) { c.SSH.HostKeys = append(c.SSH.HostKeys, "l") },
		"a setting of a driver": func(c *hawser.Connection) { c.Extra = map[string]string{"x.y": "z"} },
		"a secret of a driver":  func(c *hawser.Connection) { c.ExtraSecrets = map[string]hawser.Secret{"x.y": hawser.NewSecret("z")} },
		"the way of a hop":      func(c *hawser.Connection) { c.Hops[0].Host = "other" },
		"a secret of a hop":     func(c *hawser.Connection) { c.Hops[0].Auth.Password = hawser.NewSecret("k") },
		"one hop more":          func(c *hawser.Connection) { c.Hops = append(c.Hops, c.Hops[0]) },
		"no hop":                func(c *hawser.Connection) { c.Hops = nil },
	} {
		c := base()
		change(&c)
		assert.False(t, base().Equivalent(c), name)
		assert.False(t, c.Equivalent(base()), name)
	}
}

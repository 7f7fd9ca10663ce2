package hawser_test

import (
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConnectionAddr(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		c    hawser.Connection
		want string
	}{
		{"ftp", hawser.Connection{Protocol: hawser.FTP}, "h:21"},
		{"ftp with explicit TLS", hawser.Connection{Protocol: hawser.FTP, TLS: hawser.TLSOptions{Mode: hawser.TLSExplicit}}, "h:21"},
		{"ftp with implicit TLS", hawser.Connection{Protocol: hawser.FTP, TLS: hawser.TLSOptions{Mode: hawser.TLSImplicit}}, "h:990"},
		{"ssh", hawser.Connection{Protocol: hawser.SSH}, "h:22"},
		{"sftp", hawser.Connection{Protocol: hawser.SFTP}, "h:22"},
		{"smtp", hawser.Connection{Protocol: hawser.SMTP}, "h:587"},
		{"smtp with implicit TLS", hawser.Connection{Protocol: hawser.SMTP, TLS: hawser.TLSOptions{Mode: hawser.TLSImplicit}}, "h:465"},
		{"smtp without TLS", hawser.Connection{Protocol: hawser.SMTP, TLS: hawser.TLSOptions{Mode: hawser.TLSNone}}, "h:25"},
		{"a port that is set", hawser.Connection{Protocol: hawser.SMTP, Port: 2525}, "h:2525"},
		{"a protocol of others", hawser.Connection{Protocol: "ours"}, "h:0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.c.Host = "h"
			require.Equal(t, row.want, row.c.Addr())
		})
	}
	t.Run("IPv6", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "[::1]:21", hawser.Connection{Protocol: hawser.FTP, Host: "::1"}.Addr())
	})
}

func TestConnectionClone(t *testing.T) {
	t.Parallel()
	c := full()
	c.Revision = "7"
	c.Hops = []hawser.Connection{full()}
	clone := c.Clone()

	t.Run("has every field", func(t *testing.T) {
		requireSame(t, c, clone)
		require.Equal(t, "7", clone.Revision)
		require.Len(t, clone.Hops, 1)
		requireSame(t, c.Hops[0], clone.Hops[0])
	})
	t.Run("shares no slice and no map, found by reflection", func(t *testing.T) {
		for _, c := range []*hawser.Connection{&clone, &clone.Hops[0]} {
			for _, l := range leaves() {
				empty(l, c)
			}
		}
		clone.Hops[0].Name = "changed"
		for _, c := range []hawser.Connection{c, c.Hops[0]} {
			requireSame(t, full(), c)
		}
	})
	t.Run("keeps nil as nil", func(t *testing.T) {
		clone := hawser.Connection{}.Clone()
		assert.Nil(t, clone.Extra)
		assert.Nil(t, clone.TLS.Allow)
		assert.Nil(t, clone.Hops)
	})
}

// empty changes what a slice or map of c holds, in place.
func empty(l leaf, c *hawser.Connection) {
	switch v := l.in(c); v.Kind().String() {
	case "slice":
		for i := range v.Len() {
			v.Index(i).SetString("changed")
		}
	case "map":
		v.Clear()
	}
}

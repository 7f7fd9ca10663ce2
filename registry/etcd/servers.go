package etcd

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	"github.com/hawser/hawser"
)

// longestKey is the longest name of a server in a key, in bytes, that people can
// read. A longer one is hashed.
const longestKey = 300

// serverKey names what c leads to, and by which way, in keys. Whoever has the same
// counts together; it has no "/".
func serverKey(c hawser.Connection) string {
	parts := []string{string(c.Protocol), strings.ToLower(c.Addr()), c.Auth.User}
	parts = append(parts, proxyPart(c.Proxy)...)
	for _, hop := range c.Hops {
		parts = append(parts, "via="+strings.ToLower(hop.Addr()))
		parts = append(parts, proxyPart(hop.Proxy)...)
	}
	if len(c.Hops) == 0 && c.Via != "" {
		parts = append(parts, "via="+c.Via)
	}
	for i, part := range parts {
		parts[i] = url.PathEscape(part) // also of commas
	}
	key := strings.Join(parts, ",")
	if len(key) > longestKey {
		sum := sha256.Sum256([]byte(key))
		return "sha256," + hex.EncodeToString(sum[:])
	}
	return key
}

func proxyPart(p hawser.Proxy) []string {
	if p.Type == "" {
		return nil
	}
	return []string{fmt.Sprintf("through=%s:%s:%d", p.Type, strings.ToLower(p.Host), p.Port)}
}

// serverName is what errors call it.
func serverName(c hawser.Connection) string {
	name := fmt.Sprintf("%s %s", c.Protocol, c.Addr())
	if c.Auth.User != "" {
		name += " as " + c.Auth.User
	}
	return hawser.Printable(name)
}

package hawser

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// An edition is what sessions depend on of a definition: those of one edition
// serve each other's users; see [Connection.Equivalent].
type edition struct {
	pool    *pool
	key     editionKey
	retired bool // no name means it any more; guarded by Manager.mu
}

type editionKey [sha256.Size]byte

// editionOf finds or makes that of c. It must be called with mu held.
func (m *Manager) editionOf(c Connection) *edition {
	server, key := serverOf(c), keyOf(c)
	p := m.pools[server]
	if p == nil {
		p = &pool{m: m, server: server, names: map[string]*definition{}}
		if m.pools == nil {
			m.pools = map[string]*pool{}
		}
		m.pools[server] = p
	}
	for _, d := range p.names {
		if d.edition.key == key {
			return d.edition
		}
	}
	return &edition{pool: p, key: key}
}

// leave ends what d was for name, and with the last name the edition. It must be
// called with mu held.
func (m *Manager) leave(name string, d *definition) {
	p := d.edition.pool
	if p.names[name] == d { // and not a newer one, of the same server
		delete(p.names, name)
		p.setLimit()
	}
	for _, other := range p.names {
		if other.edition == d.edition {
			return
		}
	}
	d.edition.retired = true
	p.retire(d.edition)
	p.sweep()
}

// serverOf says which server and login c leads to, and by which way: sessions
// that are equal in it count together.
func serverOf(c Connection) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", c.Protocol, strings.ToLower(c.Addr()))
	if c.Auth.User != "" {
		fmt.Fprintf(&b, " as %s", c.Auth.User)
	}
	writeProxy(&b, c.Proxy)
	for _, hop := range c.Hops {
		fmt.Fprintf(&b, " via %s", strings.ToLower(hop.Addr()))
		writeProxy(&b, hop.Proxy)
	}
	return b.String()
}

func writeProxy(w io.Writer, p Proxy) {
	if p.Type != "" {
		fmt.Fprintf(w, " through %s %s:%d", p.Type, strings.ToLower(p.Host), p.Port)
	}
}

// keyOf is a hash of all that [Connection.Equivalent] compares.
func keyOf(c Connection) editionKey {
	h := sha256.New()
	writeEssence(h, c)
	return editionKey(h.Sum(nil))
}

// writeEssence writes each text with its length, so that no two connections
// write the same.
func writeEssence(w io.Writer, c Connection) {
	plain, secrets := c.essence()
	for f := range plain.fields() {
		if f.value.IsZero() {
			continue
		}
		text := fmt.Sprintf("%v", f.value.Interface()) // of a map in key order
		if f.value.Kind() == reflect.Slice || f.value.Kind() == reflect.Map {
			text = fmt.Sprintf("%q", f.value.Interface())
		}
		fmt.Fprintf(w, "%s=%d:%s", f.name, len(text), text)
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		literal, ref := secrets[name].parts()
		fmt.Fprintf(w, "%d:%s=%d:%s%d:%s", len(name), name, len(literal), literal, len(ref), ref)
	}
	fmt.Fprintf(w, "hops=%d:", len(c.Hops))
	for _, hop := range c.Hops {
		writeEssence(w, hop)
	}
}

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
// serve each other's users; see [Connection.Equivalent]. It is guarded by
// Manager.mu.
type edition struct {
	pool    *pool
	key     editionKey
	names   int  // that mean it
	retired bool // no name means it any more
}

type editionKey [sha256.Size]byte

// An identity tells an edition and its pool from others.
type identity struct {
	server string // see serverOf
	key    editionKey
}

// identityOf is not cheap, so no lock is held meanwhile.
func identityOf(c Connection) identity { return identity{serverOf(c), keyOf(c)} }

// editionOf finds or makes that of id. It must be called with mu held.
func (m *Manager) editionOf(id identity) *edition {
	p := m.pools[id.server]
	if p == nil {
		p = &pool{m: m, server: id.server, names: map[string]*definition{}, limits: map[int]int{}, editions: map[editionKey]*edition{}}
		if m.pools == nil {
			m.pools = map[string]*pool{}
		}
		m.pools[id.server] = p
	}
	e := p.editions[id.key]
	if e == nil {
		e = &edition{pool: p, key: id.key}
		p.editions[id.key] = e
	}
	return e
}

// leave ends what d was for name, and with the last name the edition. It must be
// called with mu held, after the name has joined what it is now.
func (m *Manager) leave(name string, d *definition) {
	e, p := d.edition, d.edition.pool
	p.leave(name, d)
	if e.names == 0 {
		e.retired = true
		delete(p.editions, e.key)
		p.retire(e)
	}
	p.serve()
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

package file

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

type kind int

const (
	object kind = iota + 1
	list
	text
	other // a number, true, false or null
)

// A node is a value of a file, YAML or JSON, and where it stands.
type node struct {
	kind    kind
	text    string // of a text; of other, as JSON writes it
	members []member
	items   []*node
	at      place
	block   bool   // an object or list of YAML whose parts have lines of their own
	comment string // behind the value, on its line (YAML)
	end     int    // offset behind the value, in bytes (JSON)
}

type member struct {
	key   string
	at    place // of the key
	value *node
}

// A place is where something begins. Lines and columns count from 1; 0 is a
// place that is not known.
type place struct {
	line, column int
	offset       int // in bytes (JSON)
}

// member returns the value of key, or nil.
func (n *node) member(key string) *node {
	if n == nil {
		return nil
	}
	for _, m := range n.members {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

// values returns the members of n by their keys, for where many are asked for.
func (n *node) values() map[string]*node {
	values := make(map[string]*node, len(n.members))
	for _, m := range n.members {
		values[m.key] = m.value
	}
	return values
}

// with returns a copy of n whose member key is value, or is gone if that is nil.
// A new member comes last.
func (n *node) with(key string, value *node) *node {
	changed := *n
	changed.members = slices.Clone(n.members)
	i := slices.IndexFunc(changed.members, func(m member) bool { return m.key == key })
	switch {
	case value == nil && i >= 0:
		changed.members = slices.Delete(changed.members, i, i+1)
	case value == nil:
	case i >= 0:
		changed.members[i].value = value
	default:
		changed.members = append(changed.members, member{key: key, value: value})
	}
	return &changed
}

// equal compares values; the order of members does not count.
func (n *node) equal(o *node) bool {
	if n == nil || o == nil {
		return n == o
	}
	if n.kind != o.kind || n.text != o.text || len(n.members) != len(o.members) {
		return false
	}
	for i, m := range n.members {
		// Most often the order is the same.
		if o.members[i].key == m.key && m.value.equal(o.members[i].value) {
			continue
		}
		if !m.value.equal(o.member(m.key)) {
			return false
		}
	}
	return slices.EqualFunc(n.items, o.items, (*node).equal)
}

// appendJSON appends n as JSON, with the member name before all others if it is
// not "".
func (n *node) appendJSON(b []byte, name string) []byte {
	switch n.kind {
	case text:
		return appendText(b, n.text)
	case other:
		return append(b, n.text...)
	case list:
		b = append(b, '[')
		for i, item := range n.items {
			b = item.appendJSON(comma(b, i > 0), "")
		}
		return append(b, ']')
	}
	b = append(b, '{')
	if name != "" {
		b = appendText(append(b, `"name":`...), name)
	}
	for i, m := range n.members {
		b = append(appendText(comma(b, i > 0 || name != ""), m.key), ':')
		b = m.value.appendJSON(b, "")
	}
	return append(b, '}')
}

func comma(b []byte, want bool) []byte {
	if want {
		b = append(b, ',')
	}
	return b
}

func appendText(b []byte, s string) []byte {
	if !strings.ContainsFunc(s, escaped) {
		return append(append(append(b, '"'), s...), '"')
	}
	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can be encoded, and a Buffer written
	return append(b, bytes.TrimRight(quoted.Bytes(), "\n")...)
}

// escaped reports whether JSON may have an escape for r.
func escaped(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }

// find returns where the field of n stands that path names, "tls.allow[1]", or
// the nearest around it that is there. A key may itself have dots.
func (n *node) find(path string) (at place, found int) {
	for _, m := range n.members {
		rest, ok := strings.CutPrefix(path, m.key)
		if !ok || rest != "" && rest[0] != '.' && rest[0] != '[' {
			continue
		}
		depth := len(m.key)
		where := m.at
		if below, more := m.value.find(strings.TrimPrefix(rest, ".")); more > 0 {
			where, depth = below, depth+more
		}
		if depth > found {
			at, found = where, depth
		}
	}
	for i, item := range n.items {
		if prefix := "[" + strconv.Itoa(i) + "]"; strings.HasPrefix(path, prefix) {
			return item.at, len(prefix)
		}
	}
	return at, found
}

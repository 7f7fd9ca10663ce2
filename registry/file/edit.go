package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hawser/hawser/registry/seal"
)

// An edit is what a write changes.
type edit struct {
	header seal.Header
	put    map[string][]byte // stored forms by name
	remove string            // "" for none
}

// apply returns the document that d becomes by e. Whatever e does not change
// keeps its text. What it returns was read again, and found to say what it
// should; what cannot be written so is an error.
func (d *document) apply(path string, e edit) (*document, error) {
	want := d.wanted(e)
	var data []byte
	if d.json {
		data = mergeJSON(d.data, d.root, want)
	} else {
		data = mergeYAML(d.data, d.root, want)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: would become longer than %d bytes", path, maxFile)
	}
	edited, err := parse(path, data, d)
	if err == nil && !edited.says(d, e) {
		err = errors.New("it would say something else")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be changed here without harm to the rest, so it was left alone; "+
			"have each connection on lines of its own, or change it by hand: %w", path, err)
	}
	return edited, nil
}

// says reports whether d is before, changed by e.
func (d *document) says(before *document, e edit) bool {
	want := map[string][]byte{}
	for name, old := range before.entries {
		want[name] = old.stored
	}
	for name, stored := range e.put {
		want[name] = stored
	}
	delete(want, e.remove)
	for name, stored := range want {
		if !bytes.Equal(d.entries[name].stored, stored) {
			return false
		}
	}
	return len(want) == len(d.entries) && d.header == e.header
}

// wanted returns what the file shall say. Nodes that stay are those of d.
func (d *document) wanted(e edit) *node {
	root := d.root
	if root == nil {
		root = (&node{kind: object}).with("version", &node{kind: other, text: "1"})
	}
	conns := root.member("connections")
	if conns == nil || conns.kind != object {
		conns = &node{kind: object}
	}
	if e.remove != "" {
		conns = conns.with(e.remove, nil)
	}
	for _, name := range slices.Sorted(maps.Keys(e.put)) {
		value := fields(e.put[name])
		if old, ok := d.entries[name]; ok {
			value = adopt(old.value, fields(old.stored), value)
		}
		conns = conns.with(name, value)
	}
	if e.header != d.header {
		root = root.withSeal(headerNode(e.header))
	}
	return root.with("connections", conns)
}

// fields returns the stored form of a connection without its name, which the file
// has elsewhere.
func fields(stored []byte) *node {
	return readJSON(stored, &problems{}).unplaced().with("name", nil)
}

// withSeal has a new seal come before the connections, where it is seen.
func (n *node) withSeal(header *node) *node {
	i := slices.IndexFunc(n.members, func(m member) bool { return m.key == "connections" })
	changed := n.with("seal", header)
	if i >= 0 && n.member("seal") == nil {
		last := len(changed.members) - 1
		changed.members = slices.Insert(changed.members[:last:last], i, changed.members[last])
	}
	return changed
}

func headerNode(h seal.Header) *node {
	b, _ := json.Marshal(h) // two texts
	return readJSON(b, &problems{}).unplaced()
}

// unplaced forgets the places in n, which are of another text than the file.
func (n *node) unplaced() *node {
	n.at, n.end = place{}, 0
	for i := range n.members {
		n.members[i].at = place{}
		n.members[i].value.unplaced()
	}
	for _, item := range n.items {
		item.unplaced()
	}
	return n
}

// adopt returns want in the words of old where these mean the same: "60s" need
// not become "1m0s" because the port was changed. canonical is old as hawser
// writes it, which leaves out what has no effect, such as a port 0.
func adopt(old, canonical, want *node) *node {
	if canonical.equal(want) {
		return old
	}
	if old.kind != object || canonical == nil || canonical.kind != object || want.kind != object {
		return want
	}
	adopted := &node{kind: object}
	for _, m := range want.members {
		if own := old.member(m.key); own != nil {
			m.value = adopt(own, canonical.member(m.key), m.value)
		}
		adopted.members = append(adopted.members, m)
	}
	for _, m := range old.members {
		if canonical.member(m.key) == nil && want.member(m.key) == nil {
			adopted.members = append(adopted.members, m)
		}
	}
	return adopted
}

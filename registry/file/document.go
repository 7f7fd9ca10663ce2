package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/seal"
)

// maxFile bounds the file, in bytes.
const maxFile = 16 << 20

// byteOrderMark begins files of some editors of Windows.
const byteOrderMark = "\ufeff"

// A document is what a file says, secrets as they are stored.
type document struct {
	data     []byte // the whole file
	json     bool   // rather than YAML
	literals bool   // are allowed, so that they can be sealed
	root     *node  // nil for a file that says nothing
	header   seal.Header
	entries  map[string]entry
}

// An entry is one connection.
type entry struct {
	conn   hawser.Connection // with secrets sealed
	stored []byte            // conn as JSON, which tells whether it changed
	raw    []byte            // what the file says, as JSON
	value  *node             // as it stands in the file
	at     place             // of its name
}

// names returns those of all connections, sorted.
func (d *document) names() []string { return slices.Sorted(maps.Keys(d.entries)) }

// isJSON goes by the ending of the name, which has to be there, since a text can
// be both.
func isJSON(path string) (bool, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".json":
		return true, nil
	case ".yaml", ".yml":
		return false, nil
	}
	return false, fmt.Errorf("%s is of no known format; end its name in .yaml, .yml or .json", path)
}

// parse reads the content of the file at path. The error tells of all problems,
// one a line, and matches hawser.ErrInvalid. What before, which may be nil, has read
// already is not read again.
func parse(path string, data []byte, before *document) (*document, error) {
	d := &document{data: data, entries: map[string]entry{}}
	return d, d.parse(path, before)
}

func (d *document) parse(path string, before *document) error {
	var err error
	if d.json, err = isJSON(path); err != nil {
		return err
	}
	p := &problems{path: path}
	body := bytes.TrimPrefix(d.data, []byte(byteOrderMark))
	switch {
	case len(d.data) > maxFile:
		p.add(place{}, "longer than %d bytes", maxFile)
	case !utf8.Valid(d.data):
		p.add(place{}, "not UTF-8; save it in that encoding")
	case d.json:
		d.root = readJSON(body, p)
	default:
		d.root = readYAML(body, p)
	}
	if len(p.all) == 0 && d.root != nil {
		d.readRoot(p, before)
	}
	return p.err()
}

func (d *document) readRoot(p *problems, before *document) {
	if d.root.kind != object {
		p.add(d.root.at, "want version, seal and connections at the top of the file")
		return
	}
	for _, m := range d.root.members {
		switch m.key {
		case "version":
			if m.value.kind != other || m.value.text != "1" {
				p.add(m.at, "want version: 1; another is of another version of hawser")
			}
		case "seal":
			d.readHeader(m, p)
		case "connections":
			d.readConnections(m, p, before)
		default:
			p.add(m.at, "unknown field %q; want version, seal or connections, and every connection below connections", hawser.Printable(m.key))
		}
	}
}

func (d *document) readHeader(seal member, p *problems) {
	if seal.value.kind != object {
		p.add(seal.at, "seal: want recipient and wrapped")
		return
	}
	for _, m := range seal.value.members {
		switch {
		case m.key != "recipient" && m.key != "wrapped":
			p.add(m.at, "seal: unknown field %q; want recipient or wrapped", hawser.Printable(m.key))
		case m.value.kind != text:
			p.add(m.at, "seal.%s: want text in quotes", m.key)
		case m.key == "recipient":
			d.header.Recipient = m.value.text
		default:
			d.header.Wrapped = m.value.text
		}
	}
}

func (d *document) readConnections(conns member, p *problems, before *document) {
	if conns.value.kind == other && conns.value.text == "null" && !d.json {
		return // "connections:" alone, which is what is left when all are deleted
	}
	if conns.value.kind != object {
		p.add(conns.at, "connections: want a mapping, each connection below its name")
		return
	}
	for _, m := range conns.value.members {
		e, err := d.readEntry(m, before)
		for _, err := range each(err) {
			at := m.at
			if problem := new(hawser.FieldError); errors.As(err, &problem) {
				if below, found := m.value.find(problem.Field); found > 0 {
					at = below
				}
			}
			p.wrap(at, m.key, err)
		}
		d.entries[m.key] = e
	}
}

// readEntry decodes a connection by its own rules, from JSON.
func (d *document) readEntry(m member, before *document) (entry, error) {
	e := entry{value: m.value, at: m.at}
	if m.value.kind != object {
		return e, &hawser.FieldError{Problem: "want fields, such as protocol and host"}
	}
	if m.key == "" {
		return e, &hawser.FieldError{Field: "name", Problem: "is empty; jobs find a connection by its name"}
	}
	if m.value.member("name") != nil {
		return e, &hawser.FieldError{Field: "name", Problem: "is what the connection stands below; leave the field out"}
	}
	e.raw = m.value.appendJSON(nil, m.key)
	if before != nil && !before.literals && bytes.Equal(before.entries[m.key].raw, e.raw) {
		old := before.entries[m.key]
		e.conn, e.stored = old.conn, old.stored
		return e, nil
	}
	if err := json.Unmarshal(e.raw, &e.conn); err != nil {
		return e, err
	}
	err := e.conn.Validate()
	if !d.literals {
		err = errors.Join(err, inTheClear(e.conn))
	}
	if err == nil {
		e.stored, err = json.Marshal(e.conn)
	}
	return e, err
}

func inTheClear(c hawser.Connection) error {
	var found []error
	for field, secret := range c.Secrets() {
		if secret.Ref() == "" {
			found = append(found, &hawser.FieldError{
				Field:   field,
				Problem: "is a secret in the clear; write {ref: env:NAME}, or seal all secrets of the file by file.Seal",
			})
		}
	}
	return errors.Join(found...)
}

// each takes apart what errors.Join joined.
func each(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, err := range joined.Unwrap() {
		all = append(all, each(err)...)
	}
	return all
}

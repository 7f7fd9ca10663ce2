package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/hawser/hawser"
)

// readJSON reads one value. The node is nil if there is none.
func readJSON(data []byte, p *problems) *node {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	r := &jsonReader{data: data, p: p}
	// The walk asks tokens one by one, and would take what is wrong behind the
	// last, and any depth.
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil {
		if syntax := new(json.SyntaxError); errors.As(err, &syntax) {
			p.add(r.place(max(0, int(syntax.Offset)-1)), "not valid JSON from here on")
		} else {
			p.add(place{}, "not valid JSON")
		}
		return nil
	}
	r.d = json.NewDecoder(bytes.NewReader(data))
	r.d.UseNumber()
	return r.value()
}

// A jsonReader walks through valid JSON.
type jsonReader struct {
	data []byte
	d    *json.Decoder
	p    *problems

	counted int // bytes whose lines are counted
	line    int // line breaks in them
	start   int // of the line at counted
}

// place returns the place of offset. Offsets come in growing order.
func (r *jsonReader) place(offset int) place {
	for ; r.counted < offset; r.counted++ {
		if r.data[r.counted] == '\n' {
			r.line++
			r.start = r.counted + 1
		}
	}
	return place{line: r.line + 1, column: utf8.RuneCount(r.data[r.start:offset]) + 1, offset: offset}
}

// next returns the next token and the place where it begins.
func (r *jsonReader) next() (json.Token, place) {
	before := int(r.d.InputOffset())
	token, _ := r.d.Token() // valid, as was found out before
	skipped := len(r.data[before:]) - len(bytes.TrimLeft(r.data[before:], " \t\r\n,:"))
	return token, r.place(before + skipped)
}

func (r *jsonReader) value() *node {
	token, at := r.next()
	n := &node{kind: other, at: at}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			n.kind = object
			r.members(n)
		} else {
			n.kind = list
			for r.d.More() {
				n.items = append(n.items, r.value())
			}
		}
		r.next() // the end of it
	case string:
		n.kind, n.text = text, token
	default:
		n.text = strings.TrimSpace(string(r.data[at.offset:r.d.InputOffset()]))
	}
	n.end = int(r.d.InputOffset())
	return n
}

func (r *jsonReader) members(n *node) {
	lines := map[string]int{}
	for r.d.More() {
		token, at := r.next()
		key, _ := token.(string)
		value := r.value()
		if lines[key] != 0 {
			r.p.add(at, "%q is given twice; first in line %d", hawser.Printable(key), lines[key])
			continue
		}
		lines[key] = at.line
		n.members = append(n.members, member{key: key, at: at, value: value})
	}
}

package file

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// mergeJSON returns data, which says old, with what is different in want changed.
func mergeJSON(data []byte, old, want *node) []byte {
	mark := []byte{}
	if body, ok := bytes.CutPrefix(data, []byte(byteOrderMark)); ok {
		mark, data = []byte(byteOrderMark), body
	}
	m := &jsonMerge{data: string(data), eol: "\n", unit: "  "}
	if strings.Contains(m.data, "\r\n") {
		m.eol = "\r\n"
	}
	if old == nil {
		return append(mark, m.render(want, m.eol)+m.eol...)
	}
	if len(old.members) > 0 {
		if _, indent, ok := cutLast(m.data[old.at.offset+1:old.members[0].at.offset], "\n"); ok && indent != "" {
			m.unit = indent
		}
	}
	return append(mark, m.data[:old.at.offset]+m.value(old, want, m.eol)+m.data[old.end:]...)
}

type jsonMerge struct {
	data string
	eol  string
	unit string // of indentation
}

// A jsonPiece is one member and the space before it.
type jsonPiece struct{ key, lead, body string }

// value returns the text of old, changed to say want. lead is the space before
// the member that it is of: a line break and the indentation, unless all is in one
// line.
func (m *jsonMerge) value(old, want *node, lead string) string {
	if old.equal(want) {
		return m.data[old.at.offset:old.end]
	}
	if old.kind != object || want.kind != object || len(old.members) == 0 || len(want.members) == 0 {
		return m.render(want, lead)
	}
	var pieces []jsonPiece
	wanted := want.values()
	at := old.at.offset + 1
	for i, member := range old.members {
		p := jsonPiece{key: member.key}
		behind, lead, between := strings.Cut(m.data[at:member.at.offset], ",")
		p.lead = lead
		if !between {
			p.lead = behind
		} else if last := len(pieces) - 1; last >= 0 && pieces[last].key == old.members[i-1].key {
			pieces[last].body += behind
		}
		at = member.value.end
		if value := wanted[member.key]; value != nil {
			p.body = m.data[member.at.offset:member.value.at.offset] + m.value(member.value, value, p.lead)
			pieces = append(pieces, p)
		}
	}
	first := m.data[old.at.offset+1 : old.members[0].at.offset]
	pieces = m.insert(pieces, old, want, first)
	text := make([]string, len(pieces))
	for i, p := range pieces {
		text[i] = p.lead + p.body
	}
	return "{" + strings.Join(text, ",") + m.data[at:old.end]
}

// insert adds the members that are new in want, each behind its neighbour.
func (m *jsonMerge) insert(pieces []jsonPiece, old, want *node, lead string) []jsonPiece {
	have := old.values()
	for i, member := range want.members {
		if have[member.key] != nil {
			continue
		}
		before := -1
		if i > 0 {
			before = slices.IndexFunc(pieces, func(p jsonPiece) bool { return p.key == want.members[i-1].key })
		}
		body := string(appendText(nil, member.key)) + ": " + m.render(member.value, lead)
		pieces = slices.Insert(pieces, before+1, jsonPiece{key: member.key, lead: lead, body: body})
	}
	return pieces
}

// render returns n as it stands behind lead: in one line if that has none of its
// own.
func (m *jsonMerge) render(n *node, lead string) string {
	compact := n.appendJSON(nil, "")
	_, prefix, ok := cutLast(lead, "\n")
	if !ok {
		return string(compact)
	}
	var b bytes.Buffer
	_ = json.Indent(&b, compact, prefix, m.unit) // valid, for it was just written
	return strings.ReplaceAll(b.String(), "\n", m.eol)
}

// cutLast cuts s around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

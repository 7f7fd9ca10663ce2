package file

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// mergeYAML returns data, which says old, with the lines changed in which want
// differs. It goes by lines, and does not see every form in which YAML can be
// written, so the caller reads the outcome again.
func mergeYAML(data []byte, old, want *node) []byte {
	m := newYAMLMerge(string(data))
	var lines []string
	switch {
	case old == nil:
		lines = m.lines
		for _, member := range want.members {
			lines = append(lines, m.render(0, member.key, member.value)...)
		}
	case !old.block:
		return data // nothing is on a line of its own
	default:
		end := m.trim(0, len(m.lines), 0)
		lines = append(m.mapping(old, want, 0, end), m.lines[end:]...)
	}
	return []byte(strings.Join(lines, ""))
}

type yamlMerge struct {
	lines []string // each with its end
	eol   string   // of new lines
}

func newYAMLMerge(data string) *yamlMerge {
	m := &yamlMerge{eol: "\n"}
	for data != "" {
		n := lineLength(data)
		m.lines = append(m.lines, data[:n])
		data = data[n:]
	}
	if len(m.lines) > 0 && strings.HasSuffix(m.lines[0], "\r\n") {
		m.eol = "\r\n"
	}
	if n := len(m.lines); n > 0 && strings.TrimRight(m.lines[n-1], "\r\n") == m.lines[n-1] {
		m.lines[n-1] += m.eol
	}
	return m
}

// lineLength counts the bytes of the first line with its end. Package yaml takes
// for ends what YAML 1.1 did, section 4.2.
func lineLength(data string) int {
	for i, r := range data {
		switch r {
		case '\r':
			if strings.HasPrefix(data[i+1:], "\n") {
				return i + 2
			}
			return i + 1
		case '\n', '\u0085', '\u2028', '\u2029':
			return i + utf8.RuneLen(r)
		}
	}
	return len(data)
}

// A piece is the lines of one member, and those before it that are of no member:
// comments and empty lines.
type piece struct {
	key        string
	lead, body []string
}

// mapping returns the lines from to to, which say old, changed to say want.
func (m *yamlMerge) mapping(old, want *node, from, to int) []string {
	var pieces []piece
	wanted := want.values()
	at := from
	for i, member := range old.members {
		start, stop := member.at.line-1, to
		if i+1 < len(old.members) {
			stop = old.members[i+1].at.line - 1
		}
		stop = m.trim(start+1, stop, member.at.column-1)
		if at > start || start >= stop { // of a form that is not known here
			return m.lines[from:to]
		}
		p := piece{key: member.key, lead: m.lines[at:start]}
		if value := wanted[member.key]; value == nil {
			p.lead = leave(p.lead)
		} else {
			p.body = m.member(member, value, start, stop)
		}
		pieces = append(pieces, p)
		at = stop
	}
	return m.join(m.insert(pieces, old, want), m.lines[at:to])
}

// insert adds pieces for the members that are new in want, each behind its
// neighbour.
func (m *yamlMerge) insert(pieces []piece, old, want *node) []piece {
	indent, have := old.members[0].at.column-1, old.values()
	for i, member := range want.members {
		if have[member.key] != nil {
			continue
		}
		p := piece{key: member.key, body: m.render(indent, member.key, member.value)}
		if i > 0 {
			before := slices.IndexFunc(pieces, func(p piece) bool { return p.key == want.members[i-1].key })
			pieces = slices.Insert(pieces, before+1, p)
			continue
		}
		// Comments of the whole stay at the top, and those of the first with it.
		first := &pieces[0]
		own := attached(first.lead)
		if own == 0 && indent == 0 {
			own = len(first.lead) // what stands at the top of a file is of all of it
		}
		p.lead, first.lead = first.lead[:own], first.lead[own:]
		pieces = slices.Insert(pieces, 0, p)
	}
	return pieces
}

func (m *yamlMerge) join(pieces []piece, tail []string) []string {
	var lines []string
	for _, p := range pieces {
		lines = append(append(lines, p.lead...), p.body...)
	}
	return append(lines, tail...)
}

// member returns the lines start to stop, of old, changed to say value.
func (m *yamlMerge) member(old member, value *node, start, stop int) []string {
	head := m.lines[start : start+1 : start+1]
	switch {
	case old.value.equal(value):
		return m.lines[start:stop]
	case old.value.kind == object && value.kind == object && m.below(start, old.value, old.value.first()):
		return append(head, m.mapping(old.value, value, start+1, stop)...)
	case old.value.kind == list && value.kind == list && len(value.items) > 0 && m.below(start, old.value, old.value.first()):
		return append(head, m.sequence(old.value, value, start+1, stop)...)
	case old.value.kind == other && value.kind == object && nothingYet.MatchString(head[0]):
		lines := slices.Clone(m.lines[start:stop])
		for _, member := range value.members {
			lines = append(lines, m.render(old.at.column+1, member.key, member.value)...)
		}
		return lines
	}
	lines := m.render(old.at.column-1, old.key, value)
	if comment := old.value.comment; comment != "" && stop-start == 1 {
		lines[0] = strings.TrimRight(lines[0], "\r\n") + " " + comment + m.eol
	}
	return lines
}

// nothingYet matches the line of connections of which there are none; comments
// may follow.
var nothingYet = regexp.MustCompile(`^\s*connections:\s*(?:#.*)?\s*$`)

// first returns the place of the first part of n, or none.
func (n *node) first() place {
	switch {
	case len(n.members) > 0:
		return n.members[0].at
	case len(n.items) > 0:
		return n.items[0].at
	}
	return place{}
}

// below reports whether the parts of n begin in lines after start.
func (m *yamlMerge) below(start int, n *node, first place) bool {
	return n.block && first.line-1 > start
}

// sequence returns the lines from to to, which say old, changed to say want. An
// item that stays keeps its lines, with the comments before it.
func (m *yamlMerge) sequence(old, want *node, from, to int) []string {
	dash := m.lines[old.items[0].at.line-1]
	indent := len(dash) - len(strings.TrimLeft(dash, " "))
	starts := []int{from}
	for i := range old.items {
		stop := to
		if i+1 < len(old.items) {
			stop = old.items[i+1].at.line - 1
		}
		starts = append(starts, m.trim(old.items[i].at.line, stop, indent))
	}
	var lines []string
	next := 0
	for _, item := range want.items {
		i := slices.IndexFunc(old.items[next:], item.equal)
		if i < 0 {
			lines = append(lines, strings.Repeat(" ", indent)+"- "+scalar(item)+m.eol)
			continue
		}
		lines = append(lines, m.lines[starts[next+i]:starts[next+i+1]]...)
		next += i + 1
	}
	return append(lines, m.lines[starts[len(old.items)]:to]...)
}

// trim returns stop without the lines before it that are of nobody: empty ones,
// comments that are not indented more than indent, and the end of the document.
// A line of a text is indented more.
func (m *yamlMerge) trim(start, stop, indent int) int {
	for ; stop > start; stop-- {
		line := m.lines[stop-1]
		content := strings.TrimSpace(line)
		comment := strings.HasPrefix(content, "#") && strings.IndexByte(line, '#') <= indent
		if content != "" && !comment && (content != "..." || line[0] != '.') {
			break
		}
	}
	return stop
}

// leave returns lead, before a member that is removed, without the comment that
// stands directly above it, and without one of the empty lines around it.
func leave(lead []string) []string {
	lead = lead[:attached(lead)]
	if n := len(lead); n > 0 && strings.TrimSpace(lead[n-1]) == "" {
		lead = lead[:n-1]
	}
	return lead
}

// attached returns where the comment begins that stands directly above what
// follows lead.
func attached(lead []string) int {
	i := len(lead)
	for i > 0 && strings.HasPrefix(strings.TrimSpace(lead[i-1]), "#") {
		i--
	}
	return i
}

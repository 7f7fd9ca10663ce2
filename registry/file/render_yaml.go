package file

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// shortList is how long a list may be, in bytes, that stands in one line.
const shortList = 60

// render returns the lines of a member in block style.
func (m *yamlMerge) render(indent int, key string, value *node) []string {
	head := strings.Repeat(" ", indent) + scalarText(key) + ":"
	switch {
	case value.kind == object && (len(value.members) == 0 || value.isReference()):
		return []string{head + " " + flow(value) + m.eol}
	case value.kind == object:
		lines := []string{head + m.eol}
		for _, member := range value.members {
			lines = append(lines, m.render(indent+2, member.key, member.value)...)
		}
		return lines
	case value.kind == list && len(flow(value)) > shortList:
		lines := []string{head + m.eol}
		for _, item := range value.items {
			lines = append(lines, strings.Repeat(" ", indent+2)+"- "+flow(item)+m.eol)
		}
		return lines
	case value.kind == text && literal.MatchString(value.text) && !strings.ContainsFunc(value.text, unprintable):
		return m.literal(head, indent+2, value.text)
	}
	return []string{head + " " + flow(value) + m.eol}
}

// isReference reports whether n is a secret, which is short enough for a line, or
// sealed and no pleasure to read anyway.
func (n *node) isReference() bool { return len(n.members) == 1 && n.members[0].key == "ref" }

// literal matches a text of several lines that can stand as it is: it does not
// begin with a space, no line is of spaces alone, and it ends in one line break
// at most.
var literal = regexp.MustCompile(`^[^ \n][^\n]*(?:\n+ *[^ \n][^\n]*)+\n?$`)

func unprintable(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }

func (m *yamlMerge) literal(head string, indent int, s string) []string {
	body, ended := strings.CutSuffix(s, "\n")
	sign := " |-"
	if ended {
		sign = " |"
	}
	lines := []string{head + sign + m.eol}
	for line := range strings.SplitSeq(body, "\n") {
		if line != "" {
			line = strings.Repeat(" ", indent) + line
		}
		lines = append(lines, line+m.eol)
	}
	return lines
}

// flow returns n in one line.
func flow(n *node) string {
	switch n.kind {
	case object:
		parts := make([]string, len(n.members))
		for i, m := range n.members {
			parts[i] = scalarText(m.key) + ": " + flow(m.value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case list:
		parts := make([]string, len(n.items))
		for i, item := range n.items {
			parts[i] = flow(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return scalar(n)
}

func scalar(n *node) string {
	if n.kind == other {
		return n.text
	}
	return scalarText(n.text)
}

// scalarText returns s as it is where it means the same in every context and to
// readers of YAML 1.1 too, and in quotes elsewhere.
func scalarText(s string) string {
	if plainText.MatchString(s) && !strings.Contains(s+" ", ": ") && !old11.MatchString(s) && meaning(s) == isText {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xFF:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xFFFF:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

var (
	// plainText begins with a letter, or is an address or a time such as 45s.
	plainText = regexp.MustCompile(`^(?:[\pL_/](?:[\pL\pN_./@+=:\\-]|[ ][\pL\pN_./@+=(&-])*|[1-9][0-9]*(?:\.[0-9]+){3}|(?:[0-9.]+(?:h|m|s|ms))+)$`)
	// old11 matches what YAML 1.1 takes for a boolean.
	old11 = regexp.MustCompile(`^(?i:y|n|yes|no|on|off)$`)
)

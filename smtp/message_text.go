package smtp

import (
	"io"
	"mime/quotedprintable"
	"strings"
)

// textPart returns text as a part of type text/subtype: as it is where no
// server has a reason to touch it, else quoted-printable.
func textPart(subtype, text string) part {
	text = canonical(text)
	p := part{fields: []Field{
		{"Content-Type", "text/" + subtype + "; charset=utf-8"},
		{"Content-Transfer-Encoding", "7bit"},
	}}
	p.content = func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
	if !is7bit(text) {
		p.fields[1].Value = "quoted-printable"
		p.content = func(w io.Writer) error {
			quoted := quotedprintable.NewWriter(w)
			if _, err := io.WriteString(quoted, text); err != nil {
				return err
			}
			return quoted.Close()
		}
	}
	return p
}

// canonical ends each line of text with CR LF, also the last (RFC 2046, section
// 4.1.1).
func canonical(text string) string {
	if text == "" {
		return ""
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	return strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\r\n") + "\r\n"
}

// is7bit reports whether the canonical text can go as it is. Spaces at the end
// of a line get lost on the way, and with "=_" a text could hold a boundary.
func is7bit(text string) bool {
	if strings.Contains(text, "=_") {
		return false
	}
	odd := func(r rune) bool { return (r < ' ' || r > '~') && r != '\t' }
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) > lineWidth || strings.HasSuffix(line, " ") || strings.HasSuffix(line, "\t") ||
			strings.HasPrefix(line, "From ") || // a mailbox file makes ">From " of it
			strings.ContainsFunc(line, odd) {
			return false
		}
	}
	return true
}

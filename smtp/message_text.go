package smtp

import (
	"io"
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
	if !isPlainText(text) {
		p.fields[1].Value = "quoted-printable"
		p.content = func(w io.Writer) error { return writeQuoted(w, text) }
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

// isPlainText reports whether the canonical text can go as it is. Spaces at the end
// of a line get lost on the way, and with "=_" a text could hold a boundary.
func isPlainText(text string) bool {
	if strings.Contains(text, "=_") {
		return false
	}
	odd := func(r rune) bool { return (r < ' ' || r > '~') && r != '\t' }
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) > lineWidth || strings.HasSuffix(line, " ") || strings.HasSuffix(line, "\t") ||
			strings.HasPrefix(line, mailboxWord) ||
			strings.ContainsFunc(line, odd) {
			return false
		}
	}
	return true
}

// mailboxWord at the start of a line begins a message in a mailbox file, so that
// servers put ">" before one that does not.
const mailboxWord = "From "

// writeQuoted writes canonical text in quoted-printable (RFC 2045, section 6.7).
// package mime/quotedprintable leaves mailboxWord at the start of a line, also of
// one that it begins itself; to encode it afterwards would make the line too long.
func writeQuoted(w io.Writer, text string) error {
	out := make([]byte, 0, 1024)
	for line := range strings.Lines(text) {
		out = appendQuoted(out[:0], strings.TrimSuffix(line, "\r\n"))
		if _, err := w.Write(out); err != nil {
			return err
		}
	}
	return nil
}

// appendQuoted appends line to out, with its end, in as many lines as it takes.
func appendQuoted(out []byte, line string) []byte {
	const hex = "0123456789ABCDEF"
	width := 0
	for i := range len(line) {
		c := line[i]
		plain := c > ' ' && c <= '~' && c != '='
		if c == ' ' || c == '\t' {
			plain = i < len(line)-1 // at the end it would get lost
		}
		size := 1
		if !plain {
			size = len("=XX")
		}
		if width+size > lineWidth-len("=") {
			out = append(out, "=\r\n"...)
			width = 0
		}
		if width == 0 && strings.HasPrefix(line[i:], mailboxWord) {
			plain, size = false, len("=XX")
		}
		if plain {
			out = append(out, c)
		} else {
			out = append(out, '=', hex[c>>4], hex[c&15])
		}
		width += size
	}
	return append(out, "\r\n"...)
}

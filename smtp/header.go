package smtp

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/textproto"
)

const (
	lineWidth = 76  // of a line of the header with encoded words (RFC 2047, section 2), and of a body
	longWord  = 900 // of a line of 998 (RFC 5322, section 2.1.1), what is left for one word
)

// header returns fields in their order, folded. go-message would fold where it
// changes the value, leave lines of nothing but spaces, and put all encoded
// words on one line if the first does not fit.
func header(fields []Field) textproto.Header {
	var h textproto.Header
	for _, f := range slices.Backward(fields) { // AddRaw adds at the top
		h.AddRaw(fold(f.Name, f.Value))
	}
	return h
}

// fold returns the line, or lines, of a field (RFC 5322, section 2.2.3).
func fold(name, value string) []byte {
	out := append([]byte(name), ':')
	width := len(out)
	for i, word := range splitWords(value) {
		if i > 0 && width+1+len(word) > lineWidth {
			out = append(out, "\r\n"...)
			width = 0
		}
		out = append(append(out, ' '), word...)
		width += 1 + len(word)
	}
	return append(out, "\r\n"...)
}

// splitWords splits value at each space that has no other beside it: readers
// differ in what is left of more of them at the end of a line.
func splitWords(value string) []string {
	blank := func(c byte) bool { return c == ' ' || c == '\t' }
	var words []string
	start := 0
	for i := 1; i < len(value)-1; i++ {
		if value[i] == ' ' && !blank(value[i-1]) && !blank(value[i+1]) {
			words = append(words, value[start:i])
			start = i + 1
		}
	}
	return append(words, value[start:])
}

// wordWidth is how long an encoded word of the named field may be, so that the
// first fits beside the name.
func wordWidth(name string) int {
	return max(lineWidth-len(name)-len(": "), 32)
}

// formatText returns the value of a field that is a text (RFC 5322, section
// 2.2.1): as it is, or as encoded words. So is one that looks encoded, which
// package mime leaves as it is and readers would decode.
func formatText(text string, width int) string {
	if isPlain(text) {
		return text
	}
	return encodeWords(text, width)
}

// isPlain reports whether text comes back as it is from a line of a header.
func isPlain(text string) bool {
	printable := strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) < 0
	return printable && !strings.Contains(text, "=?") && strings.TrimSpace(text) == text && !hasLongWord(text)
}

func hasLongWord(value string) bool {
	return slices.ContainsFunc(splitWords(value), func(word string) bool { return len(word) > longWord })
}

// encodeWords returns text as encoded words of no more than width bytes with
// spaces between (RFC 2047, section 2), in the shorter of the two encodings.
func encodeWords(text string, width int) string {
	letter, encode, size := "q", encodeQ, sizeQ
	if sizeB(text) < sizeQ(text) {
		letter, encode, size = "b", encodeB, sizeB
	}
	var words []string
	for text != "" {
		n := 0
		for n < len(text) {
			_, next := utf8.DecodeRuneInString(text[n:]) // no character goes over two words
			if n > 0 && size(text[:n+next]) > width-len("=?utf-8?q??=") {
				break
			}
			n += next
		}
		words = append(words, "=?utf-8?"+letter+"?"+encode(text[:n])+"?=")
		text = text[n:]
	}
	return strings.Join(words, " ")
}

func encodeB(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func sizeB(text string) int { return base64.StdEncoding.EncodedLen(len(text)) }

// encodeQ encodes all but what may stand in a name of an address (RFC 2047,
// section 5).
func encodeQ(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case c == ' ':
			b.WriteByte('_')
		case isLetter(c):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

func sizeQ(text string) int {
	n := 0
	for _, c := range []byte(text) {
		n++
		if c != ' ' && !isLetter(c) {
			n += 2
		}
	}
	return n
}

// isLetter reports whether c is an ASCII letter or digit.
func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

package ftp

import (
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/hawser/hawser"
)

// names converts file names between Go's UTF-8 and what the server has.
type names struct{ encoding encoding.Encoding } // nil: as they are

// newNames finds an encoding by any of its names (WHATWG Encoding, section 4.2).
func newNames(c hawser.Connection) (names, error) {
	name := c.FTP.Encoding
	if name == "" || strings.EqualFold(name, "utf-8") || strings.EqualFold(name, "utf8") {
		return names{}, nil
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		return names{}, &hawser.FieldError{Field: "ftp.encoding", Problem: fmt.Sprintf("unknown encoding %q; want one such as \"windows-1252\" or \"shift_jis\"", name)}
	}
	return names{e}, nil
}

// encode returns name as the server has it. What cannot be a name, or not in its
// encoding, is refused before anything is sent.
func (n names) encode(op, name string) (string, error) {
	refuse := func(why string) (string, error) {
		return "", &fs.PathError{Op: op, Path: hawser.Printable(name), Err: fmt.Errorf("%w: %s", fs.ErrInvalid, why)}
	}
	switch {
	case name == "":
		return refuse("the name is empty")
	case strings.ContainsAny(name, "\r\n\x00"):
		return refuse("the name holds CR, LF or NUL")
	case n.encoding == nil:
		return name, nil
	}
	encoded, err := n.encoding.NewEncoder().String(name)
	if err != nil || strings.ContainsAny(encoded, "\r\n\x00") {
		return refuse("the name cannot be written in the encoding that ftp.encoding names")
	}
	return encoded, nil
}

// decode returns a name of the server's as Go has it.
func (n names) decode(name string) (string, error) {
	if n.encoding == nil {
		return name, nil
	}
	return n.encoding.NewDecoder().String(name)
}

package smtp

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// An Attachment is a file of a [Message]. Make one by [File] or [Bytes], or
// bring content from anywhere by Open.
type Attachment struct {
	// Name is what the reader is offered to save it as. Of a path, the last
	// element is taken.
	Name string
	// ContentType is a media type such as "text/csv; charset=utf-8". "": by the
	// extension of Name, else application/octet-stream.
	ContentType string
	// ContentID is what HTML shows one of Inline by, as "cid:ID" (RFC 2392). "":
	// the last element of Name.
	ContentID string
	// Size is how many bytes Open gives. 0: not known, unless it is of File or
	// Bytes.
	Size int64
	// Open begins to read the content. It is called once for each WriteTo, which
	// closes what it returns.
	Open func() (io.ReadCloser, error)

	empty bool  // Size is 0, and known
	fault error // why it cannot be attached
}

// File attaches a file of this machine, by the last element of its name. It is
// opened when the message is written, and must by then have the size that it has
// now. One that is not there, or not a regular file, makes the message invalid.
func File(name string) Attachment {
	a := Attachment{Name: filepath.Base(name)}
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "attach", Path: name, Err: errors.New("not a regular file")}
	}
	if err != nil {
		a.fault = err
		return a
	}
	a.Size, a.empty = info.Size(), info.Size() == 0
	a.Open = func() (io.ReadCloser, error) { return os.Open(name) }
	return a
}

// Bytes attaches content, which must not change until the message is written.
func Bytes(name string, content []byte) Attachment {
	return Attachment{
		Name: name, Size: int64(len(content)), empty: len(content) == 0,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

// sized reports whether Size is known.
func (a Attachment) sized() bool { return a.Size > 0 || a.empty }

// base returns the last element of Name, which may be a path of Windows.
func (a Attachment) base() string {
	return a.Name[strings.LastIndexAny(a.Name, `/\`)+1:]
}

func (a Attachment) contentID() string {
	if a.ContentID != "" {
		return a.ContentID
	}
	return a.base()
}

// part returns a as a part that a mail program shows, "inline", or offers,
// "attachment" (RFC 2183, section 2).
func (a Attachment) part(disposition string, attach func(Attachment, io.Writer) error) part {
	fields := []Field{
		{"Content-Type", a.contentType()},
		{"Content-Disposition", disposition + "; " + formatFileName(a.base())},
		{"Content-Transfer-Encoding", "base64"},
	}
	if disposition == "inline" {
		fields = append(fields, Field{"Content-ID", formatIDs(a.contentID())})
	}
	return part{fields: fields, content: func(w io.Writer) error { return attach(a, w) }}
}

// formatFileName returns name as a parameter. One that is not plain is encoded
// by RFC 2231; go-message does it by RFC 2047, which forbids that (section 5).
// One with quotes is too, for readers differ in what they make of them.
func formatFileName(name string) string {
	if isPlain(name) && !strings.ContainsAny(name, `"\`) {
		return `filename="` + name + `"`
	}
	return "filename*=utf-8''" + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
}

package smtp_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/smtp"
)

func TestAttachmentThatFailsFailsTheMessage(t *testing.T) {
	t.Parallel()
	broken := func(after int, err error) io.Reader {
		return io.MultiReader(bytes.NewReader(make([]byte, after)), iotest.ErrReader(err))
	}
	for _, row := range []struct {
		name   string
		size   int64
		reader io.Reader
		close  error
		want   error // nil: another
		text   string
	}{
		{"at once", 0, broken(0, errDisk), nil, errDisk, "disk broken"},
		{"in the middle", 0, broken(100_000, errDisk), nil, errDisk, "disk broken"},
		{"where it should end", 57, broken(57, errDisk), nil, errDisk, "disk broken"},
		{"as a source that was cut short does", 0, broken(100, io.ErrUnexpectedEOF), nil, io.ErrUnexpectedEOF, "unexpected EOF"},
		{"as a source that was cut short does at the end of a buffer", 0, broken(57*256, io.ErrUnexpectedEOF), nil, io.ErrUnexpectedEOF, "unexpected EOF"},
		{"by a byte too few", 100, bytes.NewReader(make([]byte, 99)), nil, io.ErrUnexpectedEOF, "ends after 99 of 100 bytes"},
		{"by nothing at all", 100, bytes.NewReader(nil), nil, io.ErrUnexpectedEOF, "ends after 0 of 100 bytes"},
		{"by a byte too many", 100, bytes.NewReader(make([]byte, 101)), nil, nil, "is longer than the 100 bytes"},
		{"by an end that is never reached", 100, endless{}, nil, nil, "is longer than the 100 bytes"},
		{"on closing", 5, strings.NewReader("12345"), errDisk, errDisk, "disk broken"},
		{"on reading, and on closing", 0, broken(0, errDisk), os.ErrClosed, errDisk, "disk broken"},
		{"by giving nothing, for ever", 0, idle{}, nil, io.ErrNoProgress, "no data"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := &source{Reader: row.reader, fail: row.close}
			after := &source{Reader: strings.NewReader("")}
			m := minimal()
			m.Attachments = []smtp.Attachment{s.attachment(row.size), after.attachment(0)}
			var b bytes.Buffer
			n, err := m.WriteTo(&b)
			require.ErrorContains(t, err, `attachment "data.bin": `)
			assert.ErrorContains(t, err, row.text)
			if row.want != nil {
				assert.ErrorIs(t, err, row.want)
			}
			assert.EqualValues(t, b.Len(), n)
			assert.NotContains(t, b.String(), "_mixed--", "the end of the message")
			assert.Equal(t, []int{1, 1, 0, 0}, []int{s.opened, s.closed, after.opened, after.closed})
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestAttachmentThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	m := minimal()
	open := func(r io.ReadCloser, err error) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return r, err }
	}
	m.Attachments = []smtp.Attachment{{Name: "a", Open: open(nil, errDisk)}}
	_, err := m.WriteTo(io.Discard)
	require.ErrorIs(t, err, errDisk)
	assert.EqualError(t, err, `attachment "a": disk broken`)

	m.Attachments = []smtp.Attachment{{Name: "a", Open: open(nil, nil)}}
	_, err = m.WriteTo(io.Discard)
	assert.EqualError(t, err, `attachment "a": open returned nothing to read`)
}

func TestAttachmentIsClosedWhenWritingFails(t *testing.T) {
	t.Parallel()
	s := &source{Reader: endless{}}
	m := minimal()
	m.Attachments = []smtp.Attachment{s.attachment(0)}
	room := limited(100_000)
	_, err := m.WriteTo(&room)
	require.Equal(t, errFull, err)
	assert.Equal(t, 1, s.closed)
}

func TestAttachmentIsClosedWhenReadingPanics(t *testing.T) {
	t.Parallel()
	s := &source{Reader: nil, fail: errDisk} // a nil Reader panics
	m := minimal()
	m.Attachments = []smtp.Attachment{s.attachment(0)}
	assert.Panics(t, func() { _, _ = m.WriteTo(io.Discard) })
	assert.Equal(t, []int{1, 1}, []int{s.opened, s.closed})
}

func TestAttachmentOfEachSize(t *testing.T) {
	t.Parallel()
	content := make([]byte, 3*57*256)
	for i := range content {
		content[i] = byte(i * 7)
	}
	sizes := []int{0, 1, 2, 3, 56, 57, 58, 59, 60, 113, 114, 115}
	for _, edge := range []int{57 * 256, 2 * 57 * 256, len(content)} { // of what is encoded at once
		sizes = append(sizes, edge-1, edge, min(edge+1, len(content)))
	}
	for _, size := range sizes {
		want := content[:size]
		for name, a := range map[string]smtp.Attachment{
			"at once":       smtp.Bytes("a", want),
			"byte by byte":  (&source{Reader: iotest.OneByteReader(bytes.NewReader(want))}).attachment(int64(size)),
			"end with data": (&source{Reader: iotest.DataErrReader(bytes.NewReader(want))}).attachment(0),
		} {
			m := minimal()
			m.Attachments = []smtp.Attachment{a}
			wanted := m.Size()
			text := written(t, m)
			checkWire(t, text, false)
			assert.Equal(t, string(want), readMessage(t, text).leaves()[1].content, "%s, %d", name, size)
			if name == "at once" {
				assert.EqualValues(t, len(text), wanted, "size is known, even of none")
			}
		}
	}
}

func TestAttachmentOfUnknownSizeLeavesThatOfTheMessageUnknown(t *testing.T) {
	t.Parallel()
	s := &source{Reader: strings.NewReader("abc")}
	m := minimal()
	m.Attachments = []smtp.Attachment{smtp.Bytes("a", []byte("a")), s.attachment(0), smtp.Bytes("b", nil)}
	assert.EqualValues(t, -1, m.Size())
	assert.Zero(t, s.opened)
	assert.Equal(t, "abc", readMessage(t, written(t, m)).leaves()[2].content)
}

func TestFileIsReadWhenTheMessageIsWritten(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "März.csv")
	write := func(content string) { require.NoError(t, os.WriteFile(name, []byte(content), 0o600)) }
	attach := func() *smtp.Message {
		m := minimal()
		m.Attachments = []smtp.Attachment{smtp.File(name)}
		return m
	}
	t.Run("as it is by then", func(t *testing.T) {
		write("old")
		m := attach()
		write("new")
		part := readMessage(t, written(t, m)).leaves()[1]
		assert.Equal(t, "new", part.content)
		assert.Equal(t, "März.csv", part.fileName(t))
		assert.Equal(t, "text/csv", part.kind)
	})
	t.Run("empty", func(t *testing.T) {
		write("")
		m := attach()
		assert.Positive(t, m.Size())
		assert.Empty(t, readMessage(t, written(t, m)).leaves()[1].content)
		write("x")
		_, err := m.WriteTo(io.Discard)
		assert.EqualError(t, err, `attachment "März.csv": is longer than the 0 bytes that it was to have`)
	})
	t.Run("shorter than it was", func(t *testing.T) {
		write("long")
		m := attach()
		write("l")
		_, err := m.WriteTo(io.Discard)
		assert.ErrorContains(t, err, `attachment "März.csv": ends after 1 of 4 bytes`)
	})
	t.Run("gone", func(t *testing.T) {
		write("x")
		m := attach()
		require.NoError(t, os.Remove(name))
		_, err := m.WriteTo(io.Discard)
		require.ErrorIs(t, err, os.ErrNotExist)
	})
}

// A reader that changes a file while it is read is what File must not miss.
func TestFileThatChangesWhileItIsRead(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*os.File) error{
		"grows":        func(f *os.File) error { return f.Truncate(1<<20 + 1) },
		"is cut short": func(f *os.File) error { return f.Truncate(1 << 19) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := os.Create(filepath.Join(t.TempDir(), "a.log"))
			require.NoError(t, err)
			defer f.Close()
			require.NoError(t, f.Truncate(1<<20))
			m := minimal()
			m.Attachments = []smtp.Attachment{smtp.File(f.Name())}
			_, err = m.WriteTo(&onFirst{do: func() error { return change(f) }})
			assert.ErrorContains(t, err, `attachment "a.log": `)
		})
	}
}

// onFirst takes all, and does something when it gets the first of it.
type onFirst struct{ do func() error }

func (o *onFirst) Write(p []byte) (int, error) {
	if do := o.do; do != nil {
		o.do = nil
		return len(p), do()
	}
	return len(p), nil
}

// Not parallel: what others allocate would count.
func TestAttachmentIsNeverInMemoryAsAWhole(t *testing.T) {
	const size = 64 << 20
	s := &source{Reader: io.LimitReader(endless{}, size)}
	m := minimal()
	m.Attachments = []smtp.Attachment{s.attachment(size)}
	want := m.Size()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := m.WriteTo(io.Discard)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	assert.Equal(t, want, n)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "bytes allocated in all")
}

func TestAttachmentNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 251) + ".csv"
	for _, row := range []struct{ name, want, wire string }{
		{"report.csv", "report.csv", `filename="report.csv"`},
		{"two words.csv", "two words.csv", `filename="two words.csv"`},
		{"/etc/passwd", "passwd", `filename="passwd"`},
		{`..\..\win.ini`, "win.ini", `filename="win.ini"`},
		{`a "b".csv`, `a "b".csv`, `filename*=utf-8''a%20%22b%22.csv`},
		{"Übersicht.csv", "Übersicht.csv", `filename*=utf-8''%C3%9Cbersicht.csv`},
		{"日本語.csv", "日本語.csv", `filename*=utf-8''%E6%97%A5%E6%9C%AC%E8%AA%9E.csv`},
		{"50%+tax='x';y.csv", "50%+tax='x';y.csv", `filename="50%+tax='x';y.csv"`},
		{"=?utf-8?q?x?=", "=?utf-8?q?x?=", `filename*=utf-8''%3D%3Futf-8%3Fq%3Fx%3F%3D`},
		{" a ", " a ", `filename*=utf-8''%20a%20`},
		{long, long, `filename="` + long + `"`},
		{strings.Repeat("日", 85), strings.Repeat("日", 85), "filename*=utf-8''" + strings.Repeat("%E6%97%A5", 85)},
	} {
		m := minimal()
		m.Attachments = []smtp.Attachment{smtp.Bytes(row.name, nil)}
		text := written(t, m)
		checkWire(t, text, false)
		assert.Contains(t, strings.ReplaceAll(text, "\r\n ", " "), "Content-Disposition: attachment; "+row.wire+"\r\n")
		assert.Equal(t, row.want, readMessage(t, text).leaves()[1].fileName(t))
	}
}

func TestAttachmentTypes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a.PDF": "application/pdf", "a.b.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		"a": "application/octet-stream", "pdf": "application/octet-stream", "a.eml": "application/octet-stream",
		"a.tar.gz": "application/gzip",
	} {
		m := minimal()
		m.Attachments = []smtp.Attachment{smtp.Bytes(name, nil)}
		assert.Equal(t, want, readMessage(t, written(t, m)).leaves()[1].kind, name)
	}
	m := minimal()
	m.Attachments = []smtp.Attachment{smtp.Bytes("a.pdf", nil)}
	m.Attachments[0].ContentType = `Text/X-Ours; x="a b"`
	part := readMessage(t, written(t, m)).leaves()[1]
	assert.Equal(t, "text/x-ours", part.kind)
	assert.Equal(t, map[string]string{"x": "a b"}, part.params)
}

package hawsertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func contentRules() []rule[*files] {
	return []rule[*files]{
		{"what is written comes back by Write and Read", "sizes around 32 KiB and far from any buffer are where last bytes are lost", plainContent},
		{"what is written comes back by ReadFrom and WriteTo", "io.Copy takes these paths, which are code of their own", copiedContent},
		{"Create truncates", "a shorter file must not keep the tail of the longer one before it", createTruncates},
		{"Create leaves an empty file when nothing is written", "flag files are empty", createEmpty},
		{"transfers in parallel keep their content", "a Parallel session tells apart what belongs to whom", parallelContent},
	}
}

// sizes in bytes: the edges of the usual packet of 32 KiB, and more than one
// window of any protocol.
func sizes() []int { return []int{0, 1, 32767, 32768, 32769, 1<<20 + 7, 5 << 20} }

// odd is a buffer size that divides nothing.
const odd = 33333

func plainContent(f *files) {
	for _, size := range sizes() {
		data := content(size)
		f.write(f.path("file"), data)
		sameContent(f, data, f.read(f.path("file"), 0))
		assert.EqualValues(f, size, f.stat(f.path("file")).Size(), "Stat's size")
	}
}

func copiedContent(f *files) {
	for _, size := range sizes() {
		data := content(size)
		require.NoError(f, f.upload(f.ctx, f.path("file"), data), "io.Copy of %d bytes to a file, and Close", size)
		got, err := f.download(f.ctx, f.path("file"), 0)
		require.NoError(f, err, "io.Copy of %d bytes from a file", size)
		sameContent(f, data, got)
		assert.EqualValues(f, size, f.stat(f.path("file")).Size(), "Stat's size")
	}
}

func createTruncates(f *files) {
	for _, size := range []int{100_000, 5, 0} {
		data := content(size)
		f.write(f.path("file"), data)
		sameContent(f, data, f.read(f.path("file"), 0))
	}
}

func createEmpty(f *files) {
	w, err := f.fsys.Create(f.ctx, f.path("file"), 0)
	require.NoError(f, err, "Create")
	require.NoError(f, w.Close(), "Close of a writer that wrote nothing")
	assert.Zero(f, f.stat(f.path("file")).Size(), "the size of an empty file")
}

func parallelContent(f *files) {
	n := parallelism(f.fsys, 16)
	if n == 1 {
		f.Skip("skipped: not hawser.Parallel")
	}
	err := each(n, 2*n, func(i int) error {
		name, data := f.path(fmt.Sprintf("file-%d", i)), content(256<<10+i)
		if err := f.upload(f.ctx, name, data); err != nil {
			return err
		}
		if _, err := list(f.ctx, f.fsys, f.dir); err != nil {
			return err
		}
		got, err := f.download(f.ctx, name, 0)
		return errors.Join(err, differ(data, got))
	})
	require.NoError(f, err, "%d goroutines, each with files of its own", n)
}

// content is n bytes in which no part repeats another.
func content(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(data) // it never fails
	return data
}

// differ says where got is not want.
func differ(want, got []byte) error {
	if sha256.Sum256(got) == sha256.Sum256(want) {
		return nil
	}
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	return fmt.Errorf("got %d bytes, want %d; they differ from byte %d on", len(got), len(want), at)
}

func sameContent(t testing.TB, want, got []byte) {
	t.Helper()
	require.NoError(t, differ(want, got), "the content is not what was written")
}

// write writes a new file by Write alone.
func (f *files) write(name string, data []byte) {
	f.Helper()
	w, err := f.fsys.Create(f.ctx, name, 0)
	require.NoError(f, err, "Create(%q)", name)
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{bytes.NewReader(data)}, make([]byte, odd))
	require.NoError(f, err, "Write of %d bytes", len(data))
	require.NoError(f, w.Close(), "Close of a writer of %d bytes", len(data))
}

// read reads a file by Read alone.
func (f *files) read(name string, offset int64) []byte {
	f.Helper()
	r, err := f.fsys.Open(f.ctx, name, offset)
	require.NoError(f, err, "Open(%q, %d)", name, offset)
	var got bytes.Buffer
	_, err = io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{r}, make([]byte, odd))
	require.NoError(f, err, "Read from offset %d", offset)
	require.NoError(f, r.Close(), "Close of a reader at its end")
	return got.Bytes()
}

// upload writes a file by io.Copy, and so by ReadFrom where there is one.
func (f *files) upload(ctx context.Context, name string, data []byte) error {
	w, err := f.fsys.Create(ctx, name, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, struct{ io.Reader }{bytes.NewReader(data)})
	return errors.Join(err, w.Close())
}

// download reads a file by io.Copy, and so by WriteTo where there is one.
func (f *files) download(ctx context.Context, name string, offset int64) ([]byte, error) {
	r, err := f.fsys.Open(ctx, name, offset)
	if err != nil {
		return nil, err
	}
	var got bytes.Buffer
	_, err = io.Copy(struct{ io.Writer }{&got}, r)
	return got.Bytes(), errors.Join(err, r.Close())
}

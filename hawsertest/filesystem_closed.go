package hawsertest

import (
	"errors"
	"io"
	"io/fs"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func closedRules() []rule[*files] {
	return []rule[*files]{
		{"Read after Close matches fs.ErrClosed", "a use after Close is a mistake that must not look like the end of a file", readClosed},
		{"Write after Close matches fs.ErrClosed", "what is written after Close is lost, so it must not be taken", writeClosed},
		{"a file may be closed twice", "defer Close beside a checked Close is how Go is written", closeTwice},
		{"a reader may be closed before its end", "callers that saw enough close; the session works afterwards or says that it does not", closeEarly},
		{"a session is not Reusable while a file is open", "a pool must not hand out a session in the middle of a transfer", openNotReusable},
	}
}

func (f *files) reader(data []byte) io.ReadCloser {
	f.Helper()
	f.write(f.path("file"), data)
	return must(f.fsys.Open(f.ctx, f.path("file"), 0))(f, "Open")
}

func (f *files) writer() io.WriteCloser {
	f.Helper()
	return must(f.fsys.Create(f.ctx, f.path("written"), 0))(f, "Create")
}

func readClosed(f *files) {
	r := f.reader(content(1000))
	require.NoError(f, r.Close(), "Close")
	n, err := r.Read(make([]byte, 10))
	assert.Zero(f, n, "bytes read after Close")
	assert.ErrorIs(f, err, fs.ErrClosed, "Read after Close")
	if to, ok := r.(io.WriterTo); ok {
		_, err := to.WriteTo(io.Discard)
		assert.ErrorIs(f, err, fs.ErrClosed, "WriteTo after Close")
	}
}

func writeClosed(f *files) {
	w := f.writer()
	_, err := w.Write([]byte("whole"))
	require.NoError(f, err, "Write")
	require.NoError(f, w.Close(), "Close")
	n, err := w.Write([]byte("more"))
	assert.Zero(f, n, "bytes written after Close")
	assert.ErrorIs(f, err, fs.ErrClosed, "Write after Close")
	if from, ok := w.(io.ReaderFrom); ok {
		_, err := from.ReadFrom(readerFunc(func(p []byte) (int, error) { return copy(p, "more"), io.EOF }))
		assert.ErrorIs(f, err, fs.ErrClosed, "ReadFrom after Close")
	}
	assert.Equal(f, "whole", string(f.read(f.path("written"), 0)), "the content")
}

func closeTwice(f *files) {
	for what, open := range map[string]func() io.Closer{
		"reader": func() io.Closer { return f.reader(content(1000)) },
		"writer": func() io.Closer { return f.writer() },
	} {
		file := open()
		require.NoError(f, file.Close(), "Close of a %s", what)
		err := within(f, prompt, "a second Close", file.Close)
		if err != nil && !errors.Is(err, fs.ErrClosed) {
			f.Errorf("a second Close of a %s = %v, want nil or an error that matches fs.ErrClosed", what, err)
		}
	}
}

func closeEarly(f *files) {
	data := content(1 << 20)
	r := f.reader(data)
	_, err := io.ReadFull(r, make([]byte, 1000))
	require.NoError(f, err, "Read")
	require.NoError(f, within(f, prompt, "Close before the end", r.Close), "Close before the end")
	f.usable()
	if !reusable(f.fsys) {
		return
	}
	sameContent(f, data, f.read(f.path("file"), 0))
}

func openNotReusable(f *files) {
	if _, ok := ability[hawser.Leasable](f.fsys); !ok {
		f.Skip("skipped: not hawser.Leasable")
	}
	assert.True(f, reusable(f.fsys), "Reusable before any file is open")
	r := f.reader(content(1000))
	assert.False(f, reusable(f.fsys), "Reusable while a reader is open")
	require.NoError(f, r.Close())
	w := f.writer()
	assert.False(f, reusable(f.fsys), "Reusable while a writer is open")
	require.NoError(f, w.Close())
	assert.True(f, reusable(f.fsys), "Reusable after the files were closed")
}

package hawsertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func abandonRules() []rule[*files] {
	return []rule[*files]{
		{"a cancelled read ends with the context's error", "a job that is stopped stops; half a file must not look like a whole one", cancelRead},
		{"a cancelled WriteTo ends with the context's error", "a job that is stopped stops; half a file must not look like a whole one", cancelWriteTo},
		{"a cancelled write is never complete", "Close says why, by a *hawser.PartialError, and how much of the file is right", cancelWrite},
		{"a cancelled ReadFrom is never complete", "Close says why, by a *hawser.PartialError, and how much of the file is right", cancelReadFrom},
		{"a ReadFrom whose source fails is never complete", "half a file must not look like a whole one to who takes it from the server", sourceFails},
	}
}

const large = 8 << 20

func cancelRead(f *files) {
	f.write(f.path("file"), content(large))
	ctx, cancel := f.cancellable()
	r, err := f.fsys.Open(ctx, f.path("file"), 0)
	require.NoError(f, err, "Open")
	_, err = io.ReadFull(r, make([]byte, 64<<10))
	require.NoError(f, err, "Read before the cancel")
	cancel()
	err = within(f, prompt, "Read after the cancel", func() error {
		_, err := io.Copy(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r})
		return err
	})
	assert.ErrorIs(f, err, context.Canceled, "Read after the cancel")
	_ = within(f, prompt, "Close after the cancel", r.Close)
	f.usable()
}

func cancelWriteTo(f *files) {
	f.write(f.path("file"), content(large))
	ctx, cancel := f.cancellable()
	r, err := f.fsys.Open(ctx, f.path("file"), 0)
	require.NoError(f, err, "Open")
	err = within(f, prompt, "io.Copy whose context is cancelled", func() error {
		_, err := io.Copy(writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil }), r)
		return err
	})
	assert.ErrorIs(f, err, context.Canceled, "io.Copy whose context is cancelled")
	_ = within(f, prompt, "Close after the cancel", r.Close)
	f.usable()
}

func cancelWrite(f *files) {
	data := content(large)
	ctx, cancel := f.cancellable()
	w, err := f.fsys.Create(ctx, f.path("file"), 0)
	require.NoError(f, err, "Create")
	_, err = w.Write(data[:1<<20])
	require.NoError(f, err, "Write before the cancel")
	cancel()
	_ = within(f, prompt, "Write after the cancel", func() error {
		_, err := w.Write(data[1<<20 : 2<<20])
		return err // may be told here or by Close
	})
	f.partial(w, data, context.Canceled)
}

func cancelReadFrom(f *files) {
	data := content(large)
	ctx, cancel := f.cancellable()
	w, err := f.fsys.Create(ctx, f.path("file"), 0)
	require.NoError(f, err, "Create")
	source := io.MultiReader(bytes.NewReader(data[:1<<20]), readerFunc(func([]byte) (int, error) {
		cancel()
		return 0, io.EOF
	}), bytes.NewReader(data[1<<20:]))
	_ = within(f, prompt, "io.Copy whose context is cancelled", func() error {
		_, err := io.Copy(w, source)
		return err // may be told here or by Close
	})
	f.partial(w, data, context.Canceled)
}

func sourceFails(f *files) {
	data := content(large)
	w, err := f.fsys.Create(f.ctx, f.path("file"), 0)
	require.NoError(f, err, "Create")
	from, ok := w.(io.ReaderFrom)
	if !ok {
		require.NoError(f, w.Close(), "Close")
		f.Skipf("skipped: %T is no io.ReaderFrom, so it cannot know of a source", w)
	}
	broken := errors.New("the source broke")
	_, err = from.ReadFrom(io.MultiReader(bytes.NewReader(data[:300_001]), readerFunc(func([]byte) (int, error) {
		return 0, broken
	})))
	assert.ErrorIs(f, err, broken, "ReadFrom of a source that fails")
	f.partial(w, data, broken)
}

// partial closes w and asks for an error of that cause, which must be right in
// what it says of the file; data is what was to be written.
func (f *files) partial(w io.WriteCloser, data []byte, cause error) {
	f.Helper()
	name := f.path("file")
	err := within(f, prompt, "Close of a writer that was given up", w.Close)
	require.ErrorIs(f, err, cause, "Close of a writer that was given up")
	var partial *hawser.PartialError
	require.ErrorAs(f, err, &partial, "Close of a writer that was given up")
	assert.Equal(f, name, partial.Name, "PartialError.Name")
	require.GreaterOrEqual(f, partial.Good, int64(0), "PartialError.Good")
	require.LessOrEqual(f, partial.Good, int64(len(data)), "PartialError.Good, of %d bytes", len(data))
	again := within(f, prompt, "Close, again", w.Close)
	assert.Error(f, again, "a second Close must not report the file complete")
	f.usable()
	if l, ok := ability[hawser.Leasable](f.fsys); !ok || !l.Reusable() {
		return // its session is lost, or may be
	}
	info, err := f.fsys.Stat(f.ctx, name)
	if partial.Good == 0 && errors.Is(err, fs.ErrNotExist) {
		return // nothing was right, and nothing is left
	}
	require.NoError(f, err, "Stat of a file that was given up")
	assert.Equal(f, partial.Good, info.Size(), "the size of a file that was given up, on a session that lives on")
	require.NoError(f, differ(data[:partial.Good], f.read(name, 0)), "the first PartialError.Good bytes")
}

type writerFunc func(p []byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

type readerFunc func(p []byte) (int, error)

func (r readerFunc) Read(p []byte) (int, error) { return r(p) }

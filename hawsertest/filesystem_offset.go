package hawsertest

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func offsetRules() []rule[*files] {
	return []rule[*files]{
		{"Open reads from its offset", "a download goes on where it broke off", openOffset},
		{"Open at or past the end reads nothing", "a download that is complete has nothing left, which is no error", openPastEnd},
		{"Create at the end continues the file", "an upload goes on where it broke off", createContinues},
		{"Create from the middle cuts what was behind", "the file ends where writing ended; a server that cannot says errors.ErrUnsupported", createCuts},
		{"Create past the end is refused", "a hole in a file is corruption: an error, and the file unchanged", createPastEnd},
	}
}

func openOffset(f *files) {
	data := content(100_000)
	f.write(f.path("file"), data)
	for _, offset := range []int64{0, 1, 32768, 50_000, 99_999} {
		sameContent(f, data[offset:], f.read(f.path("file"), offset))
		got, err := f.download(f.ctx, f.path("file"), offset)
		require.NoError(f, err, "io.Copy from offset %d", offset)
		sameContent(f, data[offset:], got)
	}
}

func openPastEnd(f *files) {
	for _, size := range []int64{0, 100_000} {
		f.write(f.path("file"), content(int(size)))
		for _, offset := range []int64{size, size + 1, size + 1<<20} {
			assert.Empty(f, f.read(f.path("file"), offset), "the content from offset %d of %d bytes", offset, size)
			got, err := f.download(f.ctx, f.path("file"), offset)
			require.NoError(f, err, "io.Copy from offset %d of %d bytes", offset, size)
			assert.Empty(f, got, "the content from offset %d of %d bytes", offset, size)
		}
	}
}

func createContinues(f *files) {
	data := content(100_000)
	f.write(f.path("file"), data[:40_000])
	require.NoError(f, f.writeFrom("file", data, 40_000, 70_000), "Create at the end, Write, Close")
	require.NoError(f, f.writeFrom("file", data, 70_000, 100_000), "Create at the end, Write, Close, again")
	sameContent(f, data, f.read(f.path("file"), 0))
}

func createCuts(f *files) {
	before, after := content(100_000), content(99_999)
	f.write(f.path("file"), before)
	err := f.writeFrom("file", after, 40_000, 50_000)
	if unsupported(f, "Create from the middle", err) {
		sameContent(f, before, f.read(f.path("file"), 0))
		return
	}
	require.NoError(f, err, "Create from the middle, Write, Close")
	sameContent(f, append(before[:40_000:40_000], after[40_000:50_000]...), f.read(f.path("file"), 0))
}

func createPastEnd(f *files) {
	data := content(1000)
	f.write(f.path("file"), data)
	err := f.writeFrom("file", content(5000), 2000, 5000)
	require.Error(f, err, "Create at offset 2000 of 1000 bytes, Write, Close")
	if reusable(f.fsys) {
		sameContent(f, data, f.read(f.path("file"), 0))
	}
}

// writeFrom writes data[from:to] to the file at offset from.
func (f *files) writeFrom(name string, data []byte, from, to int64) error {
	w, err := f.fsys.Create(f.ctx, f.path(name), from)
	if err != nil {
		return err
	}
	_, err = w.Write(data[from:to])
	if closed := w.Close(); err == nil {
		err = closed
	}
	return err
}

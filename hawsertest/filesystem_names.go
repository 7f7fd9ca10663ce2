package hawsertest

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func nameRules() []rule[*files] {
	return []rule[*files]{
		{"any name is a name of a file", "a name is never an option, a pattern, an escape or a part of a command", fileNames},
		{"any name is a name of a directory", "listing commands take options and patterns, so this is where names are misread", dirNames},
		{"a name at the login directory may begin with a dash", "there no directory before it hides that a server takes it for options", dashName},
		{"a name with CR, LF or NUL, or none, is refused before anything is sent", "it would end one command and begin another, of whoever chose the name", badNames},
	}
}

func names() []string {
	return []string{
		"with space", " ", "  two  spaces  inside", `double"quote"`, `it's`, "grüße-日本語-🚢", "-dash", "--help", "-la", ".dot", "...",
		`back\slash`, `\`, "glob*?[a-c]{x,y}", "*", "100%", "%2e%2e", "$HOME `id` ; & | < > ( )", "~", "#", "a;b",
		strings.Repeat("0123456789", 20),
	}
}

// refuses reports whether the server has no such name, as Windows has none with
// a backslash, and ProFTPD no directory with a star. Others are not excused.
func (f *files) refuses(name string, err error) bool {
	pattern := strings.Contains(name, "*") && errors.Is(err, fs.ErrInvalid)
	if err == nil || !pattern && !strings.Contains(name, `\`) && strings.TrimSpace(name) != "" {
		return false
	}
	f.Logf("skipped, because the server refuses the name %q: %v", name, err)
	return true
}

func fileNames(f *files) {
	for _, name := range names() {
		data := []byte("content of " + name)
		err := f.upload(f.ctx, f.path(name), data)
		if f.refuses(name, err) {
			continue
		}
		if !assert.NoError(f, err, "writing %q", name) {
			continue
		}
		assert.Equal(f, []string{name}, f.names(f.dir), "the directory that holds only %q", name)
		got, err := f.download(f.ctx, f.path(name), 0)
		require.NoError(f, err, "reading %q", name)
		sameContent(f, data, got)
		assert.Equal(f, name, f.stat(f.path(name)).Name(), "Stat's name")
		require.NoError(f, f.fsys.Rename(f.ctx, f.path(name), f.path("plain")), "Rename from %q", name)
		require.NoError(f, f.fsys.Rename(f.ctx, f.path("plain"), f.path(name)), "Rename to %q", name)
		require.NoError(f, f.fsys.Remove(f.ctx, f.path(name)), "Remove of %q", name)
		require.Empty(f, f.names(f.dir), "the directory after Remove of %q", name)
	}
}

func dirNames(f *files) {
	f.write(f.path("beside"), nil) // must not be listed as if in the directory
	for _, name := range names() {
		err := f.fsys.Mkdir(f.ctx, f.path(name))
		if f.refuses(name, err) {
			continue
		}
		if !assert.NoError(f, err, "Mkdir(%q)", name) {
			continue
		}
		assert.Empty(f, f.names(f.path(name)), "the new directory %q", name)
		f.write(f.path(name)+"/inner", []byte("inner"))
		assert.Equal(f, []string{"inner"}, f.names(f.path(name)), "the directory %q", name)
		assert.True(f, f.stat(f.path(name)).IsDir(), "IsDir of %q", name)
		require.NoError(f, f.fsys.Remove(f.ctx, f.path(name)+"/inner"), "Remove in %q", name)
		require.NoError(f, f.fsys.Remove(f.ctx, f.path(name)), "Remove of %q", name)
	}
}

func dashName(f *files) {
	dir := "-" + f.dir
	require.NoError(f, f.fsys.Mkdir(f.ctx, dir), "Mkdir(%q)", dir)
	defer func() { _ = removeAll(f.ctx, f.fsys, dir, depth) }()
	f.write(dir+"/inner", []byte("inner"))
	assert.Equal(f, []string{"inner"}, f.names(dir), "the directory %q", dir)
	assert.True(f, f.stat(dir).IsDir(), "IsDir of %q", dir)
	require.NoError(f, f.fsys.Remove(f.ctx, dir+"/inner"), "Remove in %q", dir)
	require.NoError(f, f.fsys.Remove(f.ctx, dir), "Remove of %q", dir)
}

func badNames(f *files) {
	f.write(f.path("present"), []byte("content"))
	var sent atomic.Int32
	ctx := hawser.WithTrace(f.ctx, &hawser.Trace{Sent: func(hawser.Message) { sent.Add(1) }})
	for _, name := range []string{"", f.path("line\nDELE present"), f.path("return\rx"), f.path("nul\x00x"), "\r\n"} {
		for _, o := range f.operations() {
			sent.Store(0)
			err := o.call(ctx, name)
			if !errors.Is(err, errors.ErrUnsupported) { // which refuses every name
				assert.ErrorIs(f, err, fs.ErrInvalid, "%s of %q", o.op, name)
			}
			assert.Zero(f, sent.Load(), "messages sent by %s of %q", o.op, name)
		}
	}
	f.usable()
	assert.Equal(f, []string{"present"}, f.names(f.dir), "the directory afterwards")
}

func contextRules() []rule[*files] {
	return []rule[*files]{
		{"an ended context ends each operation", "the error is the context's own, and nothing has changed", operationsEnded},
	}
}

func operationsEnded(f *files) {
	f.write(f.path("present"), []byte("content"))
	for _, o := range f.operations() {
		name := f.path("present")
		if o.makes && o.op != "Create" {
			name = f.path("new")
		}
		err := within(f, prompt, o.op, func() error { return o.call(ended(f.ctx), name) })
		assert.ErrorIs(f, err, context.Canceled, "%s with an ended context", o.op)
	}
	f.usable()
	if !reusable(f.fsys) {
		return
	}
	assert.Equal(f, []string{"present"}, f.names(f.dir), "the directory afterwards")
	assert.Equal(f, "content", string(f.read(f.path("present"), 0)), "the file afterwards")
}

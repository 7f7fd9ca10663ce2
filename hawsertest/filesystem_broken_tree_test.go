package hawsertest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"
	"time"

	"github.com/hawser/hawser"
)

func brokenTree() []broken {
	const missing = "a missing file matches fs.ErrNotExist"
	return []broken{
		{"fs: Stat of a directory says it is a file", "Stat describes files and directories", bendFS(func(b *bentFS) {
			b.stat = bendStat(b, func(n *node) { n.mode = n.mode.Perm() })
		})},
		{"fs: Stat has no time", "Stat describes files and directories", bendFS(func(b *bentFS) {
			b.stat = bendStat(b, func(n *node) { n.time = time.Time{} })
		})},
		{"fs: a missing file gives an error of its own", missing, bendFS(func(b *bentFS) {
			b.remove = func(ctx context.Context, name string) error {
				if err := b.memoryFS.Remove(ctx, name); err != nil {
					return &fs.PathError{Op: "remove", Path: name, Err: errors.New("550 failed")}
				}
				return nil
			}
		})},
		{"fs: a missing file gives no PathError", missing, bendFS(func(b *bentFS) {
			b.chtimes = func(ctx context.Context, name string, mtime time.Time) error {
				return errors.Unwrap(b.memoryFS.Chtimes(ctx, name, mtime))
			}
		})},
		{"fs: a PathError has the server's path", missing, bendFS(func(b *bentFS) {
			b.open = func(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
				return b.memoryFS.Open(ctx, "/"+name, offset)
			}
		})},
		{"fs: Mkdir makes parents", "a missing parent directory is an error", bendFS(func(b *bentFS) {
			b.mkdir = func(ctx context.Context, name string) error {
				if err := b.memoryFS.Mkdir(ctx, name); !errors.Is(err, fs.ErrNotExist) {
					return err
				}
				_ = b.memoryFS.Mkdir(ctx, path.Dir(name))
				return b.memoryFS.Mkdir(ctx, name)
			}
		})},
		{"fs: Mkdir of what exists succeeds", "Mkdir of what exists matches fs.ErrExist", bendFS(func(b *bentFS) {
			b.mkdir = func(ctx context.Context, name string) error {
				if err := b.memoryFS.Mkdir(ctx, name); !errors.Is(err, fs.ErrExist) {
					return err
				}
				return nil
			}
		})},
		{"fs: Remove does not remove directories", "Remove removes files and empty directories", bendFS(func(b *bentFS) {
			b.remove = func(ctx context.Context, name string) error {
				if info, err := b.Stat(ctx, name); err == nil && info.IsDir() {
					return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrPermission}
				}
				return b.memoryFS.Remove(ctx, name)
			}
		})},
		{"fs: Remove removes trees", "Remove of a directory that is not empty fails", bendFS(func(b *bentFS) {
			b.remove = func(ctx context.Context, name string) error {
				err := b.memoryFS.Remove(ctx, name)
				if errors.Is(err, fs.ErrExist) {
					err = removeAll(ctx, b.memoryFS, name, depth)
				}
				return err
			}
		})},
		{"fs: Remove empties what it cannot remove", "Remove of a directory that is not empty fails", bendFS(func(b *bentFS) {
			b.remove = func(ctx context.Context, name string) error {
				err := b.memoryFS.Remove(ctx, name)
				if errors.Is(err, fs.ErrExist) {
					_ = removeAll(ctx, b.memoryFS, name, depth)
					_ = b.memoryFS.Mkdir(ctx, name)
				}
				return err
			}
		})},
		{"fs: Rename copies", "Rename moves files and directories", bendFS(func(b *bentFS) {
			b.rename = func(ctx context.Context, oldname, newname string) error {
				if err := b.memoryFS.Rename(ctx, oldname, newname); err != nil {
					return err
				}
				return opened(b.memoryFS.Create(ctx, oldname, 0))
			}
		})},
		{"fs: Rename removes the target and fails", "Rename onto a file replaces it or changes nothing", bendFS(func(b *bentFS) {
			b.rename = func(ctx context.Context, oldname, newname string) error {
				_ = b.memoryFS.Remove(ctx, newname)
				return &fs.PathError{Op: "rename", Path: newname, Err: fs.ErrExist}
			}
		})},
		{"fs: Rename onto a file gives another error", "Rename onto a file replaces it or changes nothing", bendFS(func(b *bentFS) {
			b.rename = func(_ context.Context, _, newname string) error {
				return &fs.PathError{Op: "rename", Path: newname, Err: errors.New("failure")}
			}
		})},
		{"fs: Chtimes sets local time", "Chtimes sets the time to the second", bendFS(func(b *bentFS) {
			b.chtimes = func(ctx context.Context, name string, mtime time.Time) error {
				_, offset := mtime.Zone()
				return b.memoryFS.Chtimes(ctx, name, mtime.Add(time.Duration(offset)*time.Second))
			}
		})},
		{"fs: Chmod sets what the umask leaves", "Chmod sets permissions", bendFS(func(b *bentFS) {
			b.chmod = func(ctx context.Context, name string, mode fs.FileMode) error {
				return b.memoryFS.Chmod(ctx, name, mode|0o044)
			}
		})},
		{"fs: Stat does not follow links", "a symbolic link is made and read", bendFS(func(b *bentFS) { b.stat = b.Lstat })},
		{"fs: Hash is of another file", "Hash is of the content", bendFS(func(b *bentFS) {
			b.hash = func(ctx context.Context, algorithm, name string) ([]byte, error) {
				sum, err := b.memoryFS.Hash(ctx, algorithm, name)
				if err == nil {
					sum[0]++
				}
				return sum, err
			}
		})},
		{"fs: more is free than there is", "Space makes sense", bendFS(func(b *bentFS) {
			b.space = func(context.Context, string) (hawser.Space, error) { return hawser.Space{Total: 1, Free: 2}, nil }
		})},
	}
}

// lists replaces the entries of a directory.
func lists(change func(dir string, entries []fs.FileInfo) []fs.FileInfo) func(b *bentFS) {
	return func(b *bentFS) {
		b.readDir = func(ctx context.Context, dir string) iter.Seq2[fs.FileInfo, error] {
			return func(yield func(fs.FileInfo, error) bool) {
				entries, err := list(ctx, b.memoryFS, dir)
				if err != nil {
					yield(nil, err)
					return
				}
				for _, e := range change(dir, entries) {
					if !yield(e, nil) {
						return
					}
				}
			}
		}
	}
}

// changed changes every entry.
func changed(change func(n *node)) func(dir string, entries []fs.FileInfo) []fs.FileInfo {
	return func(_ string, entries []fs.FileInfo) []fs.FileInfo {
		for i, e := range entries {
			n := e.(node)
			change(&n)
			entries[i] = n
		}
		return entries
	}
}

func dotted(_ string, entries []fs.FileInfo) []fs.FileInfo {
	return append([]fs.FileInfo{node{name: ".", mode: fs.ModeDir, time: time.Now()}, node{name: "..", mode: fs.ModeDir, time: time.Now()}}, entries...)
}

func brokenLists() []broken {
	const once = "ReadDir yields each entry once"
	return []broken{
		{"fs: ReadDir has dot entries", once, bendFS(lists(dotted))},
		{"fs: ReadDir drops an entry", once, bendFS(lists(func(_ string, entries []fs.FileInfo) []fs.FileInfo { return entries[:max(0, len(entries)-1)] }))},
		{"fs: ReadDir yields an entry twice", once, bendFS(lists(func(_ string, entries []fs.FileInfo) []fs.FileInfo { return append(entries, entries...) }))},
		{"fs: ReadDir has no sizes", once, bendFS(lists(changed(func(n *node) { n.size = 0 })))},
		{"fs: ReadDir yields paths", once, bendFS(lists(changed(func(n *node) { n.name = "./" + n.name })))},
		{"fs: ReadDir does not know directories", once, bendFS(lists(changed(func(n *node) { n.mode = n.mode.Perm() })))},
		{"fs: ReadDir of an empty directory has dot entries", "ReadDir of an empty directory yields nothing", bendFS(lists(dotted))},
		{"fs: ReadDir of a file yields the file", "ReadDir of a file is an error", bendFS(func(b *bentFS) {
			b.readDir = func(ctx context.Context, name string) iter.Seq2[fs.FileInfo, error] {
				if info, err := b.Stat(ctx, name); err == nil && !info.IsDir() {
					return func(yield func(fs.FileInfo, error) bool) { yield(info, nil) }
				}
				return b.memoryFS.ReadDir(ctx, name)
			}
		})},
		{"fs: a loop that is left breaks the session", "ReadDir may be left early", bendFS(func(b *bentFS) { b.lockedReadDir() })},
		{"fs: ReadDir holds a lock while yielding", "the session may be used inside a loop over ReadDir", bendFS(func(b *bentFS) { b.lockedReadDir() })},
		{"fs: ReadDir ends after 1,000 entries", "ReadDir yields 10,000 entries", bendFS(lists(func(_ string, entries []fs.FileInfo) []fs.FileInfo {
			return entries[:min(len(entries), 1000)]
		}))},
	}
}

// lockedReadDir makes Stat and Open fail during a loop over ReadDir, and after
// one that was left.
func (b *bentFS) lockedReadDir() {
	listing := false
	b.readDir = func(ctx context.Context, name string) iter.Seq2[fs.FileInfo, error] {
		return func(yield func(fs.FileInfo, error) bool) {
			listing = true
			for info, err := range b.memoryFS.ReadDir(ctx, name) {
				if !yield(info, err) {
					return
				}
			}
			listing = false
		}
	}
	busy := errors.New("the data connection is open")
	b.stat = func(ctx context.Context, name string) (fs.FileInfo, error) {
		if listing {
			return nil, busy
		}
		return b.memoryFS.Stat(ctx, name)
	}
	b.open = func(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
		if listing {
			return nil, busy
		}
		return b.memoryFS.Open(ctx, name, offset)
	}
}

func brokenNames() []broken {
	const bad = "a name with CR, LF or NUL, or none, is refused before anything is sent"
	return []broken{
		{"fs: a name is trimmed", "any name is a name of a file", bendFS(lists(changed(func(n *node) { n.name = strings.TrimSpace(n.name) })))},
		{"fs: a name is unescaped", "any name is a name of a file", bendFS(func(b *bentFS) {
			b.create = func(ctx context.Context, name string, offset int64) (io.WriteCloser, error) {
				return b.memoryFS.Create(ctx, strings.ReplaceAll(name, "%", "%%"), offset)
			}
		})},
		{"fs: ReadDir takes patterns", "any name is a name of a directory", bendFS(func(b *bentFS) {
			b.readDir = func(ctx context.Context, name string) iter.Seq2[fs.FileInfo, error] {
				if strings.ContainsAny(name, "*?[") {
					name = path.Dir(name)
				}
				return b.memoryFS.ReadDir(ctx, name)
			}
		})},
		{"fs: ReadDir takes options", "a name at the login directory may begin with a dash", bendFS(func(b *bentFS) {
			b.readDir = func(ctx context.Context, name string) iter.Seq2[fs.FileInfo, error] {
				if strings.HasPrefix(name, "-") {
					name = "."
				}
				return b.memoryFS.ReadDir(ctx, name)
			}
		})},
		{"fs: a name with CR passes", bad, bendFS(func(b *bentFS) {
			b.remove = func(ctx context.Context, name string) error {
				return b.memoryFS.Remove(ctx, strings.ReplaceAll(name, "\r", " "))
			}
		})},
		{"fs: an empty name is the login directory", bad, bendFS(func(b *bentFS) {
			b.readDir = func(ctx context.Context, name string) iter.Seq2[fs.FileInfo, error] {
				return b.memoryFS.ReadDir(ctx, path.Clean(name))
			}
		})},
		{"fs: a name is refused after something was sent", bad, bendFS(func(b *bentFS) {
			b.mkdir = func(ctx context.Context, name string) error {
				_, _ = b.memoryFS.Stat(ctx, ".")
				return b.memoryFS.Mkdir(ctx, name)
			}
		})},
	}
}

package hawsertest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/hawser/hawser"
)

func brokenFileSystems() []broken {
	return slices.Concat(brokenContent(), brokenAbandon(), brokenClosed(), brokenTree(), brokenLists(), brokenNames())
}

// creates replaces Create by one that may look at what was there before.
func creates(create func(ctx context.Context, b *bentFS, name string, offset int64, before []byte) (io.WriteCloser, error)) func(b *bentFS) {
	return func(b *bentFS) {
		b.create = func(ctx context.Context, name string, offset int64) (io.WriteCloser, error) {
			var before []byte
			if r, err := b.memoryFS.Open(ctx, name, 0); err == nil {
				before, _ = io.ReadAll(r)
				_ = r.Close()
			}
			return create(ctx, b, name, offset, before)
		}
	}
}

// keepsTail keeps what was behind the end of a shorter file.
func keepsTail(ctx context.Context, b *bentFS, name string, offset int64, before []byte) (io.WriteCloser, error) {
	w, err := b.memoryFS.Create(ctx, name, offset)
	if err != nil {
		return nil, err
	}
	m := w.(*memoryWriter)
	return &bentWriter{memoryWriter: m, write: m.Write, readFrom: m.ReadFrom, close: func() error {
		m.set(func(data []byte) []byte { return append(data, before[min(len(data), len(before)):]...) })
		return m.Close()
	}}, nil
}

// fillsHole writes zeros up to an offset past the end.
func fillsHole(ctx context.Context, b *bentFS, name string, offset int64, before []byte) (io.WriteCloser, error) {
	size := int64(len(before))
	w, err := b.memoryFS.Create(ctx, name, min(offset, size))
	if err == nil && offset > size {
		_, err = w.Write(make([]byte, offset-size))
	}
	return w, err
}

func brokenContent() []broken {
	return []broken{
		{"fs: the last byte is swallowed", "what is written comes back by Write and Read", bendWriter(func(w *bentWriter) {
			w.close = func() error {
				w.set(func(data []byte) []byte { return data[:max(0, len(data)-1)] })
				return w.memoryWriter.Close()
			}
		})},
		{"fs: a full packet is the end", "what is written comes back by Write and Read", bendReader(func(r *bentReader) {
			r.read = func(p []byte) (int, error) {
				n, err := r.memoryReader.Read(p)
				if err == nil && len(r.data) == 32768 {
					err = io.EOF
				}
				return n, err
			}
			r.data = r.data[:max(0, len(r.data)-len(r.data)%32768)]
		})},
		{"fs: WriteTo loses the tail", "what is written comes back by ReadFrom and WriteTo", bendReader(func(r *bentReader) {
			r.writeTo = func(w io.Writer) (int64, error) {
				return io.Copy(w, io.LimitReader(r.memoryReader, int64(len(r.data)&^7)))
			}
		})},
		{"fs: ReadFrom loses the tail", "what is written comes back by ReadFrom and WriteTo", bendWriter(func(w *bentWriter) {
			w.readFrom = func(from io.Reader) (int64, error) { return w.memoryWriter.ReadFrom(io.LimitReader(from, 1<<20)) }
		})},
		{"fs: Create does not truncate", "Create truncates", bendFS(creates(keepsTail))},
		{"fs: an empty file is not made", "Create leaves an empty file when nothing is written", bendWriter(func(w *bentWriter) {
			w.close = func() error {
				if w.node.Size() == 0 {
					_ = w.m.Remove(w.ctx, w.name)
				}
				return w.memoryWriter.Close()
			}
		})},
		{"fs: parallel writers share a file", "transfers in parallel keep their content", bendFS(func(b *bentFS) {
			create := b.create
			b.create = func(ctx context.Context, name string, offset int64) (io.WriteCloser, error) {
				w, err := create(ctx, name, offset)
				if err == nil {
					b.swap(w.(*memoryWriter))
				}
				return w, err
			}
		})},
		{"fs: Open ignores its offset", "Open reads from its offset", bendFS(func(b *bentFS) {
			b.open = func(ctx context.Context, name string, _ int64) (io.ReadCloser, error) {
				return b.memoryFS.Open(ctx, name, 0)
			}
		})},
		{"fs: Open past the end fails", "Open at or past the end reads nothing", bendFS(func(b *bentFS) {
			b.open = func(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
				if info, err := b.Stat(ctx, name); err == nil && offset > info.Size() {
					return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
				}
				return b.memoryFS.Open(ctx, name, offset)
			}
		})},
		{"fs: Create always truncates", "Create at the end continues the file", bendFS(func(b *bentFS) {
			b.create = func(ctx context.Context, name string, _ int64) (io.WriteCloser, error) {
				return b.memoryFS.Create(ctx, name, 0)
			}
		})},
		{"fs: Create from the middle keeps the tail", "Create from the middle cuts what was behind", bendFS(creates(keepsTail))},
		{"fs: Create past the end makes a hole", "Create past the end is refused", bendFS(creates(fillsHole))},
	}
}

// swap makes w write to the file of the writer created just before it.
func (b *bentFS) swap(w *memoryWriter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	mine := w.node
	if b.last != nil {
		w.node = b.last
	}
	b.last = mine
}

// uncancelled makes files of contexts that never end.
func uncancelled(b *bentFS) {
	b.open = func(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
		return b.memoryFS.Open(context.WithoutCancel(ctx), name, offset)
	}
	b.create = func(ctx context.Context, name string, offset int64) (io.WriteCloser, error) {
		return b.memoryFS.Create(context.WithoutCancel(ctx), name, offset)
	}
}

// closes replaces the error of a writer's Close.
func closes(change func(w *bentWriter, err error) error) func(w *bentWriter) {
	return func(w *bentWriter) {
		w.close = func() error { return change(w, w.memoryWriter.Close()) }
	}
}

func success(*bentWriter, error) error { return nil }

func brokenAbandon() []broken {
	const write = "a cancelled write is never complete"
	return []broken{
		{"fs: Read ignores its context", "a cancelled read ends with the context's error", bendFS(uncancelled)},
		{"fs: a cancelled Read looks like the end", "a cancelled read ends with the context's error", bendReader(func(r *bentReader) {
			r.read = func(p []byte) (int, error) {
				n, err := r.memoryReader.Read(p)
				if errors.Is(err, context.Canceled) {
					err = io.EOF
				}
				return n, err
			}
		})},
		{"fs: a cancelled session claims to work", "a cancelled read ends with the context's error", bendReader(func(r *bentReader) {
			r.close = func() error {
				r.m.mu.Lock()
				clear(r.m.nodes)
				r.m.mu.Unlock()
				return r.memoryReader.Close()
			}
		})},
		{"fs: WriteTo ignores its context", "a cancelled WriteTo ends with the context's error", bendFS(uncancelled)},
		{"fs: Create ignores its context", write, bendFS(uncancelled)},
		{"fs: Close reports success after a cancel", write, bendWriter(closes(success))},
		{"fs: Close gives no PartialError", write, bendWriter(closes(func(w *bentWriter, err error) error { return w.ctx.Err() }))},
		{"fs: Good counts what was not sent", write, bendWriter(closes(func(_ *bentWriter, err error) error {
			var partial *hawser.PartialError
			if errors.As(err, &partial) {
				partial.Good += 5
			}
			return err
		}))},
		{"fs: a file that was given up is not cut", write, bendWriter(closes(func(w *bentWriter, err error) error {
			w.set(func(data []byte) []byte { return append(data, 0, 0) })
			return err
		}))},
		{"fs: a second Close reports success", write, bendWriter(func(w *bentWriter) {
			w.close = func() error {
				if w.closed {
					return nil
				}
				return w.memoryWriter.Close()
			}
		})},
		{"fs: Close hangs after a cancel", write, bendWriter(closes(func(w *bentWriter, err error) error {
			if err != nil {
				select {}
			}
			return nil
		}))},
		{"fs: ReadFrom ignores its context", "a cancelled ReadFrom is never complete", bendFS(uncancelled)},
		{"fs: a source that fails looks like its end", "a ReadFrom whose source fails is never complete", bendWriter(closes(success))},
		{"fs: ReadFrom hides that its source failed", "a ReadFrom whose source fails is never complete", bendWriter(func(w *bentWriter) {
			w.readFrom = func(from io.Reader) (int64, error) {
				n, _ := w.memoryWriter.ReadFrom(from)
				return n, nil
			}
		})},
	}
}

func brokenClosed() []broken {
	return []broken{
		{"fs: Read after Close is the end", "Read after Close matches fs.ErrClosed", bendReader(func(r *bentReader) {
			r.read = func(p []byte) (int, error) {
				n, err := r.memoryReader.Read(p)
				if errors.Is(err, fs.ErrClosed) {
					err = io.EOF
				}
				return n, err
			}
		})},
		{"fs: Write after Close is lost", "Write after Close matches fs.ErrClosed", bendWriter(func(w *bentWriter) {
			w.write = func(p []byte) (int, error) {
				if w.closed {
					return len(p), nil
				}
				return w.memoryWriter.Write(p)
			}
		})},
		{"fs: a second Close fails", "a file may be closed twice", bendReader(func(r *bentReader) {
			r.close = func() error {
				if r.closed {
					return errors.New("handle 3 is not open")
				}
				return r.memoryReader.Close()
			}
		})},
		{"fs: Close reads to the end", "a reader may be closed before its end", bendReader(func(r *bentReader) {
			r.close = func() error {
				for len(r.data) > 0 {
					time.Sleep(time.Millisecond) // slowly
				}
				return r.memoryReader.Close()
			}
		})},
		{"fs: Reusable while a file is open", "a session is not Reusable while a file is open", bendFS(func(b *bentFS) {
			b.reusable = func() bool { return true }
		})},
		{"fs: an ended context is noticed late", "an ended context ends each operation", bendFS(func(b *bentFS) {
			b.chtimes = func(ctx context.Context, name string, mtime time.Time) error {
				return b.memoryFS.Chtimes(context.WithoutCancel(ctx), name, mtime)
			}
		})},
		{"fs: Create truncates before it looks at the context", "an ended context ends each operation", bendFS(func(b *bentFS) {
			b.create = func(ctx context.Context, name string, offset int64) (io.WriteCloser, error) {
				w, err := b.memoryFS.Create(context.WithoutCancel(ctx), name, offset)
				if err == nil && ctx.Err() != nil {
					_ = w.Close()
					return nil, ctx.Err()
				}
				return w, err
			}
		})},
		{"fs: Stat and ReadDir disagree", "hawser.FS passes testing fstest.TestFS", bendFS(func(b *bentFS) {
			b.stat = bendStat(b, func(n *node) { n.size++ })
		})},
	}
}

// bendStat replaces what Stat tells.
func bendStat(b *bentFS, change func(n *node)) func(ctx context.Context, name string) (fs.FileInfo, error) {
	return func(ctx context.Context, name string) (fs.FileInfo, error) {
		info, err := b.memoryFS.Stat(ctx, name)
		if err != nil {
			return nil, err
		}
		n := info.(node)
		change(&n)
		return n, nil
	}
}

package ftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/hawser/hawser"
)

var _ interface {
	hawser.FileSystem
	hawser.Chmoder
	hawser.Hasher
} = (*Session)(nil)

// pathError is err of op on name. The end of a context stays what it is.
func pathError(op, name string, err error) error {
	var before *fs.PathError
	if err == nil || errors.As(err, &before) {
		return err
	}
	return &fs.PathError{Op: op, Path: hawser.Printable(name), Err: err}
}

// on runs one operation on name, which fn gets as the server has it.
func (s *Session) on(ctx context.Context, op, name string, fn func(line string) error) error {
	line, err := s.names.encode(op, name)
	if err != nil {
		return err
	}
	return pathError(op, name, s.do(ctx, func() error { return fn(line) }))
}

// Open reads the file called name from offset. The session is busy until Close.
func (s *Session) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	const op = "open"
	line, err := s.names.encode(op, name)
	if err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, pathError(op, name, fmt.Errorf("%w: an offset below zero", fs.ErrInvalid))
	}
	nothing := false
	t, err := s.startTransfer(ctx, func() (*data, error) {
		d, err := s.openData(ctx, "RETR "+line, offset)
		if err == nil || offset == 0 || !isRefusal(err) {
			return d, s.explainOpen(err, line)
		}
		if size, err := s.size(line); err == nil && offset >= size {
			nothing = true // some servers refuse to begin at the end
			return nil, io.EOF
		}
		return nil, s.explainOpen(err, line)
	})
	if nothing && errors.Is(err, io.EOF) {
		return io.NopCloser(eof{}), nil
	}
	if err != nil {
		return nil, pathError(op, name, err)
	}
	r := &reader{t: t, want: announced(t.d.first.Text()), path: func(err error) error { return pathError("read", name, err) }}
	r.measure = func() (int64, error) {
		size, err := s.size(line)
		return max(size-offset, 0), err
	}
	if r.want >= 0 && offset > 0 {
		r.want = -1 // servers differ in whether it counts from the offset
	}
	r.from, r.meter = offset, newMeter(ctx, name, r.want)
	return r, nil
}

// eof is an empty file.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// Create writes the file called name from offset, which must be 0 or the file's
// size. The session is busy until Close.
func (s *Session) Create(ctx context.Context, name string, offset int64) (io.WriteCloser, error) {
	const op = "create"
	line, err := s.names.encode(op, name)
	if err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, pathError(op, name, fmt.Errorf("%w: an offset below zero", fs.ErrInvalid))
	}
	t, err := s.startTransfer(ctx, func() (*data, error) {
		command := "STOR " + line
		if offset > 0 {
			if err := s.checkEnd(line, offset); err != nil {
				return nil, err
			}
			command = "APPE " + line
		}
		d, err := s.openData(ctx, command, 0)
		return d, s.explainCreate(err, line)
	})
	if err != nil {
		return nil, pathError(op, name, err)
	}
	w := &writer{t: t, line: line, offset: offset, meter: newMeter(ctx, name, -1)}
	w.path = func(err error) error { return pathError("write", name, err) }
	return w, nil
}

// checkEnd refuses to go on with a file anywhere but at its end.
func (s *Session) checkEnd(line string, offset int64) error {
	size, err := s.size(line)
	switch {
	case isRefusal(err) && !errors.Is(err, errors.ErrUnsupported):
		return s.explainOpen(err, line)
	case err != nil:
		return fmt.Errorf("to go on with a file takes its size, which the server does not tell: %w", err)
	case size != offset:
		return fmt.Errorf("%w: the file has %d bytes, and FTP writes at its end alone, not at %d", errors.ErrUnsupported, size, offset)
	}
	return nil
}

// isRefusal reports whether err is a reply, after which the session goes on.
func isRefusal(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && !errors.Is(err, hawser.ErrLost)
}

package hawser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// openAs returns a session and what of it is a T.
func openAs[T any](ctx context.Context, m *Manager, name string) (*leased, T, error) {
	var none T
	l, err := m.open(ctx, name)
	if err != nil {
		return nil, none, err
	}
	t, ok := As[T](l)
	if !ok {
		_ = l.Close()
		return nil, none, fmt.Errorf("%w: connection %s is no %v", errors.ErrUnsupported, name, reflect.TypeFor[T]())
	}
	return l, t, nil
}

// pooledReader is a file that is read, and the session that it holds.
type pooledReader struct {
	io.ReadCloser
	lease *leased
}

// WriteTo lets io.Copy take the driver's own way.
func (r *pooledReader) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, r.ReadCloser) }

// Close closes the file and gives the session back.
func (r *pooledReader) Close() error {
	err := r.ReadCloser.Close()
	_ = r.lease.Close()
	return err
}

// pooledWriter is a file that is written, and the session that it holds.
type pooledWriter struct {
	io.WriteCloser
	lease *leased
}

// ReadFrom lets io.Copy take the driver's own way.
func (w *pooledWriter) ReadFrom(r io.Reader) (int64, error) { return io.Copy(w.WriteCloser, r) }

// Close completes the file, if it can, and gives the session back.
func (w *pooledWriter) Close() error {
	err := w.WriteCloser.Close()
	_ = w.lease.Close()
	return err
}

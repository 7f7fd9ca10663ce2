package file

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/seal"
)

// A state is what the file said, or what was wrong with it. It does not change.
type state struct {
	snapshot
	err   error                        // what is wrong; then the others are of the last good state
	again bool                         // err may go away without a change of the file
	doc   *document                    // never nil, unless the first read went wrong
	conns map[string]hawser.Connection // unsealed, with their revisions
}

// A snapshot is the content of the file at one time.
type snapshot struct {
	info   os.FileInfo // nil if there was no file
	data   []byte
	err    error // of reading; fs.ErrNotExist for no file
	moving bool  // the file changed while it was read, so data may be of no time
}

// read takes a snapshot of the file at path.
func read(path string) snapshot {
	f, err := os.Open(path)
	if err != nil {
		return snapshot{err: err}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return snapshot{err: err}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	s := snapshot{info: info, data: data, err: err}
	after, err := f.Stat()
	s.moving = err != nil || !s.sameFile(after)
	return s
}

func (s snapshot) missing() bool { return errors.Is(s.err, fs.ErrNotExist) }

// sameFile reports whether info is that of the file as it was for s.
func (s snapshot) sameFile(info os.FileInfo) bool {
	if s.info == nil || info == nil {
		return s.info == nil && info == nil
	}
	return s.info.Size() == info.Size() && s.info.ModTime().Equal(info.ModTime()) && os.SameFile(s.info, info)
}

// says reports whether s and t are the same content.
func (s snapshot) says(t snapshot) bool {
	return s.missing() == t.missing() && (s.err == nil) == (t.err == nil) && bytes.Equal(s.data, t.data)
}

// newState makes sense of what was read. before is the state until then, or nil.
// The error is that of ctx alone.
func (r *Registry) newState(ctx context.Context, now snapshot, before *state) (*state, error) {
	next, err := r.interpret(ctx, now, before)
	if err == nil {
		return next, nil
	}
	if ended := ctx.Err(); ended != nil {
		return nil, ended
	}
	broken := &state{snapshot: now, err: err, again: now.err != nil && !now.missing()}
	if key := new(keyError); errors.As(err, &key) {
		broken.again = !errors.Is(err, seal.ErrKey)
	}
	if before != nil {
		broken.doc, broken.conns = before.doc, before.conns
	}
	return broken, nil
}

// A keyError is of the key, and so may go away without a change of the file.
type keyError struct{ err error }

func (e *keyError) Error() string { return e.err.Error() }
func (e *keyError) Unwrap() error { return e.err }

func (r *Registry) interpret(ctx context.Context, now snapshot, before *state) (*state, error) {
	switch {
	case now.missing() && before != nil && before.existed():
		return nil, fmt.Errorf("registry file is gone, and so are its connections; put it back, or the last version from %s.bak: %w", r.path, now.err)
	case now.err != nil && !now.missing():
		return nil, fmt.Errorf("read registry file: %w", now.err)
	case before != nil && len(before.conns) > 0 && len(bytes.TrimSpace(now.data)) == 0:
		// Somebody writes it just now, or a disk was full.
		return nil, fmt.Errorf("%s is empty, and had %d connections; put them back, or the last version from %s.bak, or write connections: {} if that is meant", r.path, len(before.conns), r.path)
	}
	var known *document
	if before != nil {
		known = before.doc
	}
	doc, err := parse(r.path, now.data, known)
	if err != nil {
		return nil, err
	}
	return r.unsealed(ctx, now, doc, before)
}

// existed reports whether there was a file at any time.
func (s *state) existed() bool { return !s.missing() || s.err != nil }

// unsealed returns the state of doc, which now holds. What has not changed since
// before is taken from there, since each secret takes 0.1 ms.
func (r *Registry) unsealed(ctx context.Context, now snapshot, doc *document, before *state) (*state, error) {
	s := &state{snapshot: now, doc: doc, conns: make(map[string]hawser.Connection, len(doc.entries))}
	sealer := &seal.Sealer{}
	if doc.header != (seal.Header{}) {
		var err error
		if sealer, _, err = r.key.Open(ctx, doc.header); err != nil {
			return nil, &keyError{fmt.Errorf("%s: %w", r.path, err)}
		}
	}
	p := &problems{path: r.path}
	for name, e := range doc.entries {
		if c, ok := before.unsealedBefore(name, e, doc.header); ok {
			s.conns[name] = c
			continue
		}
		c := e.conn.Clone()
		for _, err := range each(r.unseal(sealer, &c)) {
			p.wrap(e.at, name, err)
		}
		c.Revision = revision(e.stored)
		s.conns[name] = c
	}
	return s, p.err()
}

func (s *state) unsealedBefore(name string, e entry, header seal.Header) (hawser.Connection, bool) {
	if s == nil || s.doc == nil || s.doc.header != header {
		return hawser.Connection{}, false
	}
	old, ok := s.doc.entries[name]
	return s.conns[name], ok && bytes.Equal(old.stored, e.stored)
}

func (r *Registry) unseal(s *seal.Sealer, c *hawser.Connection) error {
	if r.key == nil || s.Recipient() != "" {
		return s.Unseal(c)
	}
	var problems []error
	for field, secret := range c.Secrets() {
		if seal.IsSealed(*secret) {
			problems = append(problems, fmt.Errorf("%s: %w: it is sealed, and the file does not say to which key; restore its lines below seal", field, seal.ErrKey))
		}
	}
	return errors.Join(problems...)
}

// revision is of the stored form, so that an edit by hand changes it too, unless
// it is one of comments and form alone.
func revision(stored []byte) string {
	sum := sha256.Sum256(stored)
	return hex.EncodeToString(sum[:8])
}

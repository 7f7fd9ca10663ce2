package file

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/atomicfile"
	"github.com/hawser/hawser/registry/seal"
)

// Put stores a copy of c; see [hawser.Writer]. The Revision is a hash of what is
// stored, so that a change by hand is a conflict too. What was in the file before
// is kept in a file beside it, with the ending .bak.
func (r *Registry) Put(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
	if err := ctx.Err(); err != nil {
		return hawser.Connection{}, err
	}
	c = c.Clone()
	c.Hops = nil
	if err := errors.Join(named(c.Name), c.Validate()); err != nil {
		return hawser.Connection{}, err
	}
	s, err := r.write(ctx, func(cur *state) (edit, error) {
		if err := conflict(c.Name, c.Revision, cur.conns[c.Name].Revision); err != nil {
			return edit{}, err
		}
		return r.putting(ctx, c, cur.doc)
	})
	if err != nil {
		return hawser.Connection{}, err
	}
	return s.conns[c.Name].Clone(), nil
}

// Delete removes name; see [hawser.Writer]. The comment that stands directly above
// it goes with it, into the file with the ending .bak.
func (r *Registry) Delete(ctx context.Context, name, revision string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if revision == "" {
		return &hawser.FieldError{Field: "revision", Problem: "give the stored revision, or AnyRevision to delete whatever is stored"}
	}
	_, err := r.write(ctx, func(cur *state) (edit, error) {
		stored, ok := cur.conns[name]
		if !ok {
			return edit{}, cur.notFound(name)
		}
		return edit{header: cur.doc.header, remove: name}, conflict(name, revision, stored.Revision)
	})
	return err
}

func named(name string) error {
	if name == "" {
		return &hawser.FieldError{Field: "name", Problem: "is empty; jobs find a connection by its name"}
	}
	return nil
}

// conflict compares the revision that is given with the one that is stored, "" for
// none.
func conflict(name, given, stored string) error {
	switch {
	case given == hawser.AnyRevision || given == stored:
		return nil
	case given == "":
		return fmt.Errorf("%w: %q exists already", hawser.ErrConflict, name)
	case stored == "":
		return fmt.Errorf("%w: %q was deleted", hawser.ErrConflict, name)
	}
	return fmt.Errorf("%w: %q is at revision %s, not %s", hawser.ErrConflict, name, stored, given)
}

// putting seals the secrets of c. The key is needed only where there are any, and
// is made with the first.
func (r *Registry) putting(ctx context.Context, c hawser.Connection, doc *document) (edit, error) {
	sealer, header := &seal.Sealer{}, doc.header
	for _, secret := range c.Secrets() {
		if secret.Ref() != "" && !seal.IsSealed(*secret) {
			continue
		}
		var err error
		if sealer, header, err = r.key.Open(ctx, doc.header); err != nil {
			return edit{}, err
		}
		break
	}
	stored, err := sealer.Marshal(c, doc.entries[c.Name].stored)
	if err != nil {
		return edit{}, err
	}
	if replaced.Match(stored) {
		return edit{}, &hawser.FieldError{Problem: "holds a text that is not UTF-8, which a file cannot keep"}
	}
	stored, err = canonical(stored)
	return edit{header: header, put: map[string][]byte{c.Name: stored}}, err
}

// canonical returns stored as it is when it was read, without empty lists.
func canonical(stored []byte) ([]byte, error) {
	var c hawser.Connection
	if err := json.Unmarshal(stored, &c); err != nil {
		return nil, err
	}
	return json.Marshal(c)
}

// replaced matches what package json writes for bytes that are not UTF-8. The
// character U+FFFD itself it does not escape.
var replaced = regexp.MustCompile(`[^\\](?:\\\\)*\\ufffd`)

// write changes the file by what change says of the state that it is in.
func (r *Registry) write(ctx context.Context, change func(*state) (edit, error)) (*state, error) {
	if err := r.open(); err != nil {
		return nil, err
	}
	unlock, err := atomicfile.Lock(ctx, r.path)
	if err != nil {
		return nil, r.writeError(ctx, err)
	}
	defer unlock()
	if err := r.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer r.endTurn()
	cur, err := r.refresh(ctx)
	if err == nil {
		err = cur.err
	}
	if err != nil {
		return nil, err
	}
	e, err := change(cur)
	if err != nil {
		return nil, err
	}
	if cur.doc.saysAlready(e) {
		return cur, nil
	}
	doc, err := cur.doc.apply(r.path, e)
	if err != nil {
		return nil, err
	}
	return r.replace(ctx, cur, doc)
}

func (d *document) saysAlready(e edit) bool {
	for name, stored := range e.put {
		old, ok := d.entries[name]
		if !ok || !bytes.Equal(old.stored, stored) {
			return false
		}
	}
	return e.remove == "" && e.header == d.header
}

// replace writes doc in the place of cur.
func (r *Registry) replace(ctx context.Context, cur *state, doc *document) (*state, error) {
	// The file itself is looked at again before its state is used.
	next, err := r.unsealed(ctx, snapshot{data: doc.data}, doc, cur)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := keep(r.path, cur.snapshot, doc.data); err != nil {
		return nil, r.writeError(ctx, err)
	}
	return r.install(next), nil
}

// keep writes data to the file at path, and what it replaces to the backup. The
// file keeps its permissions. The caller holds the lock.
func keep(path string, old snapshot, data []byte) error {
	const private = 0o600
	if old.info == nil {
		return atomicfile.Write(path, data, private)
	}
	info, err := os.Stat(path) // the permissions may be newer than the content
	if err != nil {
		return err
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(target+".bak", old.data, private); err != nil {
		return err
	}
	return atomicfile.Write(path, data, info.Mode().Perm())
}

// writeError says what was to be done, and the cure for the usual cause.
func (r *Registry) writeError(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("write %s: %w; the directory has to be writable, for a file is replaced as a whole", r.path, err)
	}
	return fmt.Errorf("write %s: %w", r.path, err)
}

package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/atomicfile"
	"github.com/hawser/hawser/registry/seal"
)

// Seal seals every literal secret in the file at path, in its place, and returns
// how many there were: the way from a file that was written by hand to one that
// a [Registry] takes. All else in the file stays as it is. No backup is kept,
// since it would have the secrets in the clear.
func Seal(ctx context.Context, path string, o Options) (int, error) {
	if o.Key == nil {
		return 0, errors.New("seal: there is no key; give one in Options.Key")
	}
	unlock, err := atomicfile.Lock(ctx, path)
	if err != nil {
		return 0, fmt.Errorf("seal %s: %w", path, err)
	}
	defer unlock()
	now := read(path)
	if now.err != nil {
		return 0, fmt.Errorf("seal: %w", now.err)
	}
	doc := &document{data: now.data, literals: true, entries: map[string]entry{}}
	if err := doc.parse(path, nil); err != nil {
		return 0, err
	}
	e, n, err := doc.sealing(ctx, path, o.Key)
	if n == 0 || err != nil {
		return 0, err
	}
	sealed, err := doc.apply(path, e)
	if err != nil {
		return 0, err
	}
	return n, atomicfile.Write(path, sealed.data, now.info.Mode().Perm())
}

// sealing returns the edit that seals the n literal secrets of d.
func (d *document) sealing(ctx context.Context, path string, key *seal.Key) (e edit, n int, err error) {
	literals := map[string]hawser.Connection{}
	for name, entry := range d.entries {
		c := entry.conn.Clone()
		for _, secret := range c.Secrets() {
			if secret.Ref() == "" {
				literals[name] = c
				n++
			}
		}
	}
	if n == 0 {
		return edit{}, 0, nil
	}
	sealer, header, err := key.Open(ctx, d.header)
	if err != nil {
		return edit{}, 0, fmt.Errorf("%s: %w", path, err)
	}
	e = edit{header: header, put: map[string][]byte{}}
	p := &problems{path: path}
	for name, c := range literals {
		for _, err := range each(sealer.Seal(&c, hawser.Connection{})) {
			p.wrap(d.entries[name].at, name, err)
		}
		if e.put[name], err = json.Marshal(c); err != nil {
			p.wrap(d.entries[name].at, name, err)
		}
	}
	return e, n, p.err()
}

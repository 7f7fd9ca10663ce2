package etcd

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/hawser/hawser"
)

// pageSize is how many connections All asks for at once.
const pageSize = 200

// Lookup returns the connection called name as it is in etcd now.
func (r *Registry) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	if err := r.check(ctx); err != nil {
		return hawser.Connection{}, err
	}
	if name == "" {
		return hawser.Connection{}, fmt.Errorf("%w: %q", hawser.ErrNotFound, name)
	}
	stored, err := r.get(ctx, fmt.Sprintf("look up %q", name), name)
	switch {
	case err != nil:
		return hawser.Connection{}, err
	case stored == nil:
		return r.missing(ctx, name)
	}
	return r.connection(stored)
}

// get returns what is stored for name, nil if nothing is.
func (r *Registry) get(ctx context.Context, what, name string) (*mvccpb.KeyValue, error) {
	got, err := ask(ctx, r.client, what, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return r.client.Get(ctx, r.key(name))
	})
	if err != nil || len(got.Kvs) == 0 {
		return nil, err
	}
	return got.Kvs[0], nil
}

// connection is stored as callers get it.
func (r *Registry) connection(stored *mvccpb.KeyValue) (hawser.Connection, error) {
	name := strings.TrimPrefix(string(stored.Key), r.directory())
	c, err := r.header.sealer.Unmarshal(stored.Value)
	if err != nil {
		return hawser.Connection{}, fmt.Errorf("etcd: stored connection %q: %w", name, err)
	}
	c.Name, c.Revision = name, strconv.FormatInt(stored.ModRevision, 10)
	return c, nil
}

// missing says that there is no connection called name, and which one may be meant.
func (r *Registry) missing(ctx context.Context, name string) (hawser.Connection, error) {
	const enough = 1000
	// An error only leaves out the suggestion.
	got, err := ask(ctx, r.client, "list", func(ctx context.Context) (*clientv3.GetResponse, error) {
		return r.client.Get(ctx, r.directory(), clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(enough))
	})
	if ctx.Err() != nil {
		return hawser.Connection{}, err
	}
	var known []hawser.Connection
	if err == nil {
		for _, stored := range got.Kvs {
			other := strings.TrimPrefix(string(stored.Key), r.directory())
			if other != name { // was made meanwhile
				known = append(known, hawser.Connection{Name: other})
			}
		}
	}
	return hawser.NewMemory(known...).Lookup(ctx, name)
}

// All yields each connection that was there when the loop began, in pages of one
// revision of etcd. If a loop takes so long that etcd has forgotten that revision,
// the rest is of a newer one.
func (r *Registry) All(ctx context.Context) iter.Seq2[hawser.Connection, error] {
	return func(yield func(hawser.Connection, error) bool) {
		from, revision, more := r.directory(), int64(0), true
		for more {
			page, at, err := r.page(ctx, from, revision)
			if err != nil {
				yield(hawser.Connection{}, err)
				return
			}
			for _, stored := range page.Kvs {
				c, err := r.connection(stored)
				if ctx.Err() != nil {
					c, err = hawser.Connection{}, ctx.Err()
				}
				if !yield(c, err) || err != nil {
					return
				}
				from = string(stored.Key) + "\x00" // the least that is greater
			}
			more, revision = page.More, at
		}
		if err := ctx.Err(); err != nil {
			yield(hawser.Connection{}, err)
		}
	}
}

// page returns connections from that key on, at revision, or now if that is 0 or
// forgotten, and the revision that it is of.
func (r *Registry) page(ctx context.Context, from string, revision int64) (*clientv3.GetResponse, int64, error) {
	if err := r.check(ctx); err != nil {
		return nil, 0, err
	}
	end := clientv3.GetPrefixRangeEnd(r.directory())
	page, err := ask(ctx, r.client, "list", func(ctx context.Context) (*clientv3.GetResponse, error) {
		return r.client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(pageSize), clientv3.WithRev(revision))
	})
	switch {
	case revision != 0 && errors.Is(err, rpctypes.ErrCompacted):
		return r.page(ctx, from, 0)
	case err != nil:
		return nil, 0, err
	case revision == 0:
		revision = page.Header.Revision
	}
	return page, revision, nil
}

package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/hawser/hawser/registry/seal"
)

// A header is the stored seal.Header, and the Sealer that belongs to it.
type header struct {
	key    string
	text   string // as it is stored; "" without a Key
	sealer *seal.Sealer
}

// openHeader reads or makes what the registry is sealed to. Of two who make it at
// once one wins, and the other opens what the winner stored.
func (r *Registry) openHeader(ctx context.Context, key *seal.Key) (*header, error) {
	const tries = 5 // each loses to somebody who has won
	h := &header{key: r.prefix + "seal"}
	for range tries {
		stored, had, revision, err := r.readHeader(ctx, h.key)
		if err != nil {
			return nil, err
		}
		sealer, now, err := key.Open(ctx, stored)
		if err != nil {
			return nil, fmt.Errorf("etcd: registry %s: %w", r.prefix, err)
		}
		h.sealer = sealer
		if sealer.Recipient() == "" {
			return h, nil
		}
		if now == stored {
			h.text = had // with what a later version has added
			return h, nil
		}
		text, err := json.Marshal(now)
		if err != nil {
			return nil, fmt.Errorf("etcd: registry %s: %w", r.prefix, err)
		}
		h.text = string(text)
		won, err := r.storeHeader(ctx, h, revision)
		if err != nil || won {
			return h, err
		}
	}
	return nil, fmt.Errorf("etcd: registry %s: the header changes again and again", r.prefix)
}

// readHeader also returns the text and the revision, 0 if there is no header.
func (r *Registry) readHeader(ctx context.Context, key string) (h seal.Header, text string, revision int64, err error) {
	got, err := ask(ctx, r.client, "read "+key, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return r.client.Get(ctx, key)
	})
	if err != nil || len(got.Kvs) == 0 {
		return h, "", 0, err
	}
	if err := json.Unmarshal(got.Kvs[0].Value, &h); err != nil {
		return h, "", 0, fmt.Errorf("etcd: %s: %w", key, errors.Join(errors.New("is not what a registry has stored there"), err))
	}
	return h, string(got.Kvs[0].Value), got.Kvs[0].ModRevision, nil
}

// storeHeader reports false if the header is not that of revision any more.
func (r *Registry) storeHeader(ctx context.Context, h *header, revision int64) (bool, error) {
	done, err := ask(ctx, r.client, "store "+h.key, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return r.client.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(h.key), "=", revision)).
			Then(clientv3.OpPut(h.key, h.text)).
			Commit()
	})
	return err == nil && done.Succeeded, err
}

// stands are the conditions under which what h's Sealer has sealed may be stored.
func (h *header) stands() []clientv3.Cmp {
	if h.text == "" {
		return nil
	}
	return []clientv3.Cmp{clientv3.Compare(clientv3.Value(h.key), "=", h.text)}
}

package sql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hawser/hawser/registry/seal"
)

// refusedFor is how long a wrong key is not tried again: each try of a passphrase
// costs a second of the processor, and a key file may be replaced.
const refusedFor = 10 * time.Second

// A keeper has the Sealer for the header that is stored, and opens the key anew
// when another process was the first to store one.
type keeper struct {
	key  *seal.Key
	turn chan struct{} // holds one token while the key is being opened
	// now is read by those who cannot wait, and set by whoever has the turn.
	now atomic.Pointer[opening]
}

// An opening is what came of opening the key. It is not changed any more.
type opening struct {
	sealer *seal.Sealer
	header seal.Header // that sealer wants to be stored, in place of asked
	asked  seal.Header

	refused seal.Header // that the key does not fit, by refusal, until again
	refusal error
	again   time.Time
}

func newKeeper(key *seal.Key) *keeper {
	k := &keeper{key: key, turn: make(chan struct{}, 1)}
	k.now.Store(&opening{})
	return k
}

// An otherHeader is one that the key has to be opened for first, which can take long.
type otherHeader struct{ stored string }

func (e *otherHeader) Error() string { return "the header of the key was changed" }

// open returns the Sealer for what column seal holds, and what it has to hold
// before the first secret is sealed. It waits for its turn as long as ctx allows.
func (k *keeper) open(ctx context.Context, stored string) (sealer *seal.Sealer, header string, err error) {
	sealer, header, err = k.opened(stored)
	if other := new(otherHeader); !errors.As(err, &other) {
		return sealer, header, err
	}
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	// Whoever had the turn before may have opened it.
	sealer, header, err = k.opened(stored)
	if other := new(otherHeader); !errors.As(err, &other) {
		return sealer, header, err
	}
	if err := k.reopen(ctx, stored); err != nil {
		return nil, "", err
	}
	return k.opened(stored)
}

// reopen must be called by whoever has the turn.
func (k *keeper) reopen(ctx context.Context, stored string) error {
	h, err := parseHeader(stored)
	if err != nil {
		return err
	}
	next := *k.now.Load()
	sealer, header, err := k.key.Open(ctx, h)
	switch {
	case err == nil:
		next = opening{sealer: sealer, header: header, asked: h}
	case errors.Is(err, seal.ErrKey):
		next.refused, next.refusal, next.again = h, err, time.Now().Add(refusedFor)
	default:
		return err
	}
	k.now.Store(&next)
	return err
}

// opened is open where there is no time to open anything: it waits for nobody.
func (k *keeper) opened(stored string) (sealer *seal.Sealer, header string, err error) {
	h, err := parseHeader(stored)
	if err != nil {
		return nil, "", err
	}
	now := k.now.Load()
	switch {
	case now.sealer != nil && (k.key == nil || h == now.header):
		return now.sealer, stored, nil
	case now.sealer != nil && (h == now.asked || h == seal.Header{}):
		text, err := json.Marshal(now.header)
		return now.sealer, string(text), err
	case now.refusal != nil && h == now.refused && time.Now().Before(now.again):
		return nil, "", now.refusal
	}
	return nil, "", &otherHeader{stored}
}

func parseHeader(stored string) (h seal.Header, err error) {
	if stored == "" {
		return h, nil
	}
	if err := json.Unmarshal([]byte(stored), &h); err != nil {
		return h, fmt.Errorf("the stored header of the key is damaged: %w", err)
	}
	return h, nil
}

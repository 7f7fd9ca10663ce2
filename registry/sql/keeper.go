package sql

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/hawser/hawser/registry/seal"
)

// A keeper has the Sealer for the header that is stored, and opens the key anew
// when another process was the first to store one.
type keeper struct {
	key *seal.Key

	mu     sync.Mutex // guards all below
	sealer *seal.Sealer
	header seal.Header // that sealer wants to be stored
}

// An otherHeader is one that the key has to be opened for first, which can take long.
type otherHeader struct{ stored string }

func (e *otherHeader) Error() string { return "the header of the key was changed" }

// open returns the Sealer for what column seal holds, and what it has to hold
// before the first secret is sealed.
func (k *keeper) open(ctx context.Context, stored string) (sealer *seal.Sealer, header string, err error) {
	h, err := parseHeader(stored)
	if err != nil {
		return nil, "", err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.fits(h) {
		sealer, wanted, err := k.key.Open(ctx, h)
		if err != nil {
			return nil, "", err
		}
		k.sealer, k.header = sealer, wanted
	}
	return k.present(h, stored)
}

// opened is open where there is no time to open anything.
func (k *keeper) opened(stored string) (sealer *seal.Sealer, header string, err error) {
	h, err := parseHeader(stored)
	if err != nil {
		return nil, "", err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.fits(h) {
		return nil, "", &otherHeader{stored}
	}
	return k.present(h, stored)
}

// fits reports whether the Sealer there is will do for h. It must be called with mu
// held, as present.
func (k *keeper) fits(h seal.Header) bool {
	return k.sealer != nil && (k.key == nil || h == k.header || h == seal.Header{})
}

func (k *keeper) present(h seal.Header, stored string) (*seal.Sealer, string, error) {
	if k.key == nil || k.header == h {
		return k.sealer, stored, nil
	}
	text, err := json.Marshal(k.header)
	return k.sealer, string(text), err
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

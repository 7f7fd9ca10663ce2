package certs

import (
	"context"
	"sync"
)

// Memory returns a Store that ends with the process.
func Memory() Store { return &ledgerStore{shelf: &memory{}} }

type memory struct {
	mu     sync.Mutex
	ledger ledger // guarded by mu; replaced, never changed
}

func (m *memory) view(ctx context.Context) (*ledger, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.ledger
	return &l, nil
}

func (m *memory) update(ctx context.Context, change func(*ledger) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.ledger.clone()
	if err := change(l); err != nil {
		return err
	}
	m.ledger = *l
	return nil
}

package certs

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"
)

// A shelf is where a ledger lies. Its methods may be called concurrently.
type shelf interface {
	// view returns the ledger as it is now. It must not be changed.
	view(ctx context.Context) (*ledger, error)

	// update lets change work on the ledger and keeps the result. change may
	// be called more than once, the last time on what is kept.
	update(ctx context.Context, change func(*ledger) error) error
}

// A ledgerStore is the Store of every shelf.
type ledgerStore struct {
	shelf shelf
	// needsKey is set if a pin cannot be kept by its fingerprint alone.
	needsKey bool
}

var _ Store = (*ledgerStore)(nil)

func (s *ledgerStore) Pins(ctx context.Context, addr string) ([]Pin, error) {
	l, err := s.shelf.view(ctx)
	if err != nil || addr == "" {
		return l.allOrNone(), err
	}
	a, err := parseAddress(addr)
	if err != nil {
		return nil, err
	}
	return l.pins(a), nil
}

// allOrNone is all for a ledger that may be nil.
func (l *ledger) allOrNone() []Pin {
	if l == nil {
		return nil
	}
	return l.all()
}

func (s *ledgerStore) Add(ctx context.Context, p Pin, instead ...Pin) error {
	p, err := p.complete()
	if err != nil {
		return err
	}
	if s.needsKey && (p.Kind != KindSSH || len(p.HostKey) == 0) {
		return fmt.Errorf("pin of %s: known_hosts keeps SSH keys alone, and not by their fingerprint; set HostKey or use File", quoted(p.Addr))
	}
	return s.shelf.update(ctx, func(l *ledger) error { return l.add(p, instead) })
}

func (s *ledgerStore) Remove(ctx context.Context, p Pin) error {
	if p.Fingerprint == "" && len(p.HostKey) > 0 {
		p.Fingerprint = fingerprint(p.HostKey)
	}
	return s.shelf.update(ctx, func(l *ledger) error {
		l.remove(p)
		return nil
	})
}

func (s *ledgerStore) Ask(ctx context.Context, q Question) (id string, err error) {
	a, err := parseAddress(q.Addr)
	if err != nil {
		return "", fmt.Errorf("question: %w", err)
	}
	if q.Fingerprint != fingerprint(q.HostKey) {
		return "", fmt.Errorf("question about %s: the fingerprint is not that of HostKey", quoted(q.Addr))
	}
	q.Addr, q.Known, q.HostKey = a.String(), slices.Clone(q.Known), slices.Clone(q.HostKey)
	err = s.shelf.update(ctx, func(l *ledger) error {
		id = l.ask(q)
		return nil
	})
	return id, err
}

func (s *ledgerStore) Pending(ctx context.Context) (iter.Seq2[string, Question], error) {
	l, err := s.shelf.view(ctx)
	if err != nil {
		return nil, err
	}
	questions := slices.Clone(l.questions)
	return func(yield func(string, Question) bool) {
		for _, q := range questions {
			if q.Answer != "" {
				continue
			}
			q.Known, q.HostKey = slices.Clone(q.Known), slices.Clone(q.HostKey)
			if !yield(q.ID, q.Question) {
				return
			}
		}
	}, nil
}

func (s *ledgerStore) Answer(ctx context.Context, id string, a Answer) error {
	now := time.Now()
	return s.shelf.update(ctx, func(l *ledger) error { return l.answer(id, a, now) })
}

func (s *ledgerStore) TakeAnswer(ctx context.Context, q Question) (a Answer, ok bool, err error) {
	where, err := parseAddress(q.Addr)
	if err != nil {
		return Deny, false, fmt.Errorf("question: %w", err)
	}
	q.Addr = where.String()
	err = s.shelf.update(ctx, func(l *ledger) error {
		a, ok = l.take(q)
		return nil
	})
	if err != nil {
		return Deny, false, err
	}
	return a, ok, nil
}

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
	if s.needsKey && len(p.HostKey) == 0 {
		return errNeedsKey(p.Addr)
	}
	return s.shelf.update(ctx, func(l *ledger) error { return l.add(p, instead) })
}

func errNeedsKey(addr string) error {
	return fmt.Errorf("pin of %s: known_hosts keeps SSH keys alone, and not by their fingerprint; use File, or set HostKey", quoted(addr))
}

func (s *ledgerStore) Remove(ctx context.Context, p Pin) error {
	if p.Fingerprint == "" && len(p.HostKey) > 0 {
		p.Fingerprint = fingerprint(p.HostKey)
	}
	if print, err := parsePrintTLS(p.Fingerprint); err == nil && p.Kind == KindTLS {
		p.Fingerprint = print
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
	q = q.clone()
	q.Addr, q.Chain, q.Kind = a.String(), q.Chain.bounded(), kindOr(q.Kind)
	if err := q.check(); err != nil {
		return "", fmt.Errorf("question about %s: %w", quoted(q.Addr), err)
	}
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
			if !yield(q.ID, q.Question.clone()) {
				return
			}
		}
	}, nil
}

func (s *ledgerStore) Answer(ctx context.Context, id string, a Answer) error {
	now := time.Now()
	return s.shelf.update(ctx, func(l *ledger) error {
		i := l.find(id)
		if i >= 0 && s.needsKey && a.Decision == AcceptAlways && len(l.questions[i].HostKey) == 0 {
			return errNeedsKey(l.questions[i].Addr)
		}
		return l.answer(id, a, now)
	})
}

func (s *ledgerStore) TakeAnswer(ctx context.Context, q Question) (a Answer, ok bool, err error) {
	where, err := parseAddress(q.Addr)
	if err != nil {
		return Answer{}, false, fmt.Errorf("question: %w", err)
	}
	q.Addr = where.String()
	err = s.shelf.update(ctx, func(l *ledger) error {
		a, ok = l.take(q)
		return nil
	})
	if err != nil {
		return Answer{}, false, err
	}
	return a, ok, nil
}

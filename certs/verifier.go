package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hawser/hawser"
)

// A Verifier decides whether a server is the one that a connection names; see
// the package comment for how. The zero value trusts certificates that are valid
// by themselves and what a connection lists or allows, and pins by AutoAccept
// until the process ends. It may be used concurrently and must not be copied
// after first use.
type Verifier struct {
	Store Store // nil: one in memory, of this Verifier alone
	Ask   Asker // nil: nobody is asked; the question is stored as pending and the server refused

	// CRLs returns the certificate revocation lists to look into, at every dial;
	// nil: none. An error refuses the server. Nothing is fetched.
	CRLs func(context.Context) ([]*x509.RevocationList, error)
	// Revocation is [InspectOptions.Revocation].
	Revocation bool

	once     sync.Once
	fallback Store // instead of a nil Store; made by once
	flights  flights
}

var (
	_ hawser.Verifier       = (*Verifier)(nil)
	_ hawser.HostKeyOrderer = (*Verifier)(nil)
)

// Verify returns nil if the server is trusted. Else the error matches
// hawser.ErrUntrusted, and is an [*UntrustedError] unless the Store, the Asker,
// the CRLs or the roots failed; if ctx ended, it is the context's own.
//
// AcceptOnce lets in the dial that used it, and the ones that waited for the
// same answer.
func (v *Verifier) Verify(ctx context.Context, c hawser.Connection, p hawser.Peer) error {
	id, err := v.identify(ctx, c, p)
	if err != nil {
		return refused(ctx, err)
	}
	pins, err := v.store().Pins(ctx, id.question().Addr)
	if err != nil {
		return refused(ctx, err)
	}
	found := id.judge(c, pins)
	if found.pin {
		if found, err = v.pinFirst(ctx, c, id, found); err != nil {
			return refused(ctx, err)
		}
	}
	switch {
	case found.trusted:
		return ctx.Err()
	case found.final:
		return &UntrustedError{Question: found.question, Detail: found.detail}
	}
	return v.askOnce(ctx, c, id, found.question)
}

// pinFirst pins what was found and looks again: where another process has pinned
// another meanwhile, this one was not the first.
func (v *Verifier) pinFirst(ctx context.Context, c hawser.Connection, id identity, found verdict) (verdict, error) {
	q := found.question
	denied, ok, err := v.store().TakeAnswer(ctx, q)
	if err != nil || ok && denied.Decision == Deny {
		return found, err // left to askOnce, which finds the same answer
	}
	pin := pinOf(q, Answer{By: kindOr(q.Kind) + ".auto_accept"}, time.Now())
	if err := v.store().Add(ctx, pin); err != nil {
		return verdict{}, fmt.Errorf("%s: %w", pin.By, err)
	}
	pins, err := v.store().Pins(ctx, pin.Addr)
	if err != nil {
		return verdict{}, err
	}
	others := slices.DeleteFunc(slices.Clone(pins), pin.same)
	if len(knownOf(pin.Kind, others)) == 0 {
		return id.judge(c, pins), nil
	}
	if err := v.store().Remove(ctx, pin); err != nil {
		return verdict{}, err
	}
	return id.judge(c, others), nil
}

// askOnce asks whoever answers, together with every other dial that has met the
// same identity at the same address.
func (v *Verifier) askOnce(ctx context.Context, c hawser.Connection, id identity, own Question) error {
	out, err := v.flights.do(ctx, questionID(own.Addr, own.Fingerprint), func(ctx context.Context) (outcome, error) {
		return v.ask(ctx, c, id)
	})
	switch {
	case err != nil:
		return refused(ctx, err)
	case out.refusal == nil:
		return nil
	}
	// Each dial has its own name, and its own roots and what it allows.
	refusal := *out.refusal
	refusal.Question.Connection, refusal.Question.Findings = own.Connection, own.Findings
	return &refusal
}

// An outcome is what the dials that wait for one answer get.
type outcome struct {
	refusal *UntrustedError // nil: trusted
}

// ask finds the answer in the store, or with a person, or leaves the question.
// It looks at the pins again, because the answer to another dial may have come
// since.
func (v *Verifier) ask(ctx context.Context, c hawser.Connection, id identity) (outcome, error) {
	pins, err := v.store().Pins(ctx, id.question().Addr)
	if err != nil {
		return outcome{}, err
	}
	found := id.judge(c, pins)
	if found.trusted {
		return outcome{}, nil
	}
	refusal := &UntrustedError{Question: found.question, Detail: found.detail}
	if found.final {
		return outcome{refusal}, nil
	}
	answer, ok, err := v.store().TakeAnswer(ctx, found.question)
	switch {
	case err != nil:
		return outcome{}, err
	case ok && answer.Decision == AcceptOnce:
		return outcome{}, nil
	case ok:
		refusal.deny(answer)
		refusal.Pending = questionID(found.question.Addr, found.question.Fingerprint)
		return outcome{refusal}, nil
	case v.Ask != nil:
		return v.askPerson(ctx, c, id, refusal)
	}
	return v.leave(ctx, refusal)
}

// askPerson looks at the pins once more after the answer, which may have taken
// its time.
func (v *Verifier) askPerson(ctx context.Context, c hawser.Connection, id identity, refusal *UntrustedError) (outcome, error) {
	q := refusal.Question
	answer, err := v.Ask(ctx, q.clone())
	if err != nil {
		return outcome{}, fmt.Errorf("asking about %s of %s: %w", q.Fingerprint, q.Addr, err)
	}
	if answer.Decision != AcceptOnce && answer.Decision != AcceptAlways {
		refusal.deny(answer)
		return outcome{refusal}, nil
	}
	pins, err := v.store().Pins(ctx, q.Addr)
	if err != nil {
		return outcome{}, err
	}
	if now := id.judge(c, pins); now.final {
		return outcome{&UntrustedError{Question: now.question, Detail: now.detail}}, nil
	}
	if answer.Decision == AcceptAlways {
		err = v.store().Add(ctx, pinOf(q, answer, time.Now()), sameType(pins, q)...)
	}
	return outcome{}, err
}

// leave stores the question, unless nobody could ever get at the store.
func (v *Verifier) leave(ctx context.Context, refusal *UntrustedError) (outcome, error) {
	if v.Store == nil {
		return outcome{refusal}, nil
	}
	id, err := v.Store.Ask(ctx, refusal.Question)
	if err != nil {
		return outcome{}, err
	}
	refusal.Pending = id
	return outcome{refusal}, nil
}

func (v *Verifier) store() Store {
	if v.Store != nil {
		return v.Store
	}
	v.once.Do(func() { v.fallback = Memory() })
	return v.fallback
}

// refused makes err one that refuses the server, unless ctx has ended.
func refused(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, hawser.ErrUntrusted) {
		return err
	}
	return fmt.Errorf("%w: %w", hawser.ErrUntrusted, err)
}

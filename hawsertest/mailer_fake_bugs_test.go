package hawsertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hawser/hawser"
)

func (s *fakeMailer) is(bug string) bool { return s.bug == "mailer: "+bug }

// insteadOfSend is what some bugs do. done is false for the others.
func (s *fakeMailer) insteadOfSend(ctx context.Context, env hawser.Envelope, msg io.WriterTo) (receipt hawser.Receipt, err error, done bool) {
	s.set(func() { s.sent++ })
	switch {
	case s.is("an ended context is noticed late") && ctx.Err() != nil:
		_, _ = s.submit(context.WithoutCancel(ctx), env, msg)
		return receipt, ctx.Err(), true
	case s.is("the context is ignored") && ctx.Done() != nil:
		receipt, err = s.submit(context.WithoutCancel(ctx), env, msg)
		return receipt, err, true
	case s.is("a hundred messages a session") && s.sent > 100:
		return receipt, errors.New("452 too many messages"), true
	case s.is("a closed session takes messages") && !s.Reusable() && s.closed:
		return receipt, nil, true
	case s.is("one message at a time"):
		if !s.one.TryLock() {
			return receipt, hawser.ErrBusy, true
		}
		defer s.one.Unlock()
		time.Sleep(10 * time.Millisecond) // in which another sends
	}
	return receipt, nil, false
}

// invalid returns why env is none.
func (s *fakeMailer) invalid(env hawser.Envelope) error {
	problem := func(field, problem string) error {
		switch {
		case s.is("the field is not named"):
			return hawser.ErrInvalid
		case s.is("an error has the address as it is"):
			problem += strings.Join(append(env.To, env.From), "")
		}
		return &hawser.FieldError{Field: field, Problem: problem}
	}
	if len(env.To) == 0 && !s.is("recipients are not counted") {
		return problem("to", "no recipients")
	}
	for i, address := range env.To {
		if s.badAddress(address) || address == "" {
			return problem(fmt.Sprintf("to[%d]", i), "no address")
		}
	}
	if s.badAddress(env.From) {
		return problem("from", "no address")
	}
	if s.is("options are not looked at") {
		return nil
	}
	for _, when := range env.Notify {
		if !slices.Contains([]string{"NEVER", "SUCCESS", "FAILURE", "DELAY"}, when) || when == "NEVER" && len(env.Notify) > 1 {
			return problem("notify", "unknown")
		}
	}
	if !slices.Contains([]string{"", "FULL", "HDRS"}, env.Return) {
		return problem("return", "unknown")
	}
	if len(env.ID) > 100 || strings.ContainsFunc(env.ID, func(r rune) bool { return r < ' ' || r > '~' }) {
		return problem("id", "not printable")
	}
	return nil
}

func (s *fakeMailer) badAddress(address string) bool {
	if s.is("addresses are not looked at") {
		return false
	}
	return strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '<' || r == '>' }) ||
		s.is("quotes are invalid") && strings.Contains(address, `"`)
}

// mayRefuse returns why the server lacks what env and msg need.
func (s *fakeMailer) mayRefuse(env hawser.Envelope, msg io.WriterTo) error {
	told, _ := msg.(interface{ Size() int64 })
	late := s.is("too large is noticed late")
	switch {
	case (s.is("refuses what it may") || late) && told != nil && told.Size() > 1<<40:
		if late {
			_, _ = msg.WriteTo(io.Discard)
		}
		return errors.New("552 too large")
	case s.is("notifications are needed") && len(env.Notify) > 0:
		return fmt.Errorf("notifications: %w", errors.ErrUnsupported)
	case !s.is("refuses what it may"):
		return nil
	case env.From == "":
		return errors.New("550 nobody is refused")
	case strings.ContainsFunc(strings.Join(env.To, ""), func(r rune) bool { return r > '~' || r == '"' }):
		return errors.ErrUnsupported
	}
	return nil
}

// envelope is what is sent of env.
func (s *fakeMailer) envelope(env hawser.Envelope) parcel {
	p := parcel{Kind: "Mail", From: env.From, To: slices.Clone(env.To)}
	switch {
	case s.is("the sender is the recipient"):
		p.From = env.To[0]
	case s.is("nobody is the postmaster") && env.From == "":
		p.From = "postmaster@post.invalid"
	case s.is("recipients get a message twice"):
		p.To = append(p.To, p.To...)
	case s.is("the last recipient is lost"):
		p.To = p.To[:max(1, len(p.To)-1)]
	case s.is("a recipient that is named twice is lost"):
		p.To = slices.DeleteFunc(p.To, func(to string) bool { return len(p.To) == 3 && to == env.To[0] && to == env.To[2] })
	case s.is("addresses become ASCII"):
		for i := range p.To {
			p.To[i] = strings.Map(func(r rune) rune { return r & 0x7f }, p.To[i])
		}
	}
	return p
}

func (s *fakeMailer) receipt(refused []string) hawser.Receipt {
	var receipt hawser.Receipt
	for _, address := range refused {
		if !s.is("a refusal is not told") {
			receipt.Refused = append(receipt.Refused, hawser.RecipientError{Address: address, Err: errors.New("550 no such user")})
		}
	}
	return receipt
}

// sourceError is what becomes of the error of a message.
func (s *fakeMailer) sourceError(ctx context.Context, err error) error {
	switch {
	case err != nil && s.is("the source's error is another"):
		return hawser.ErrLost
	case err != nil && ctx.Err() != nil && s.is("a cancel is the source's error"):
		return errors.New("the source broke")
	}
	return err
}

// last is the context of the end of a message.
func (s *fakeMailer) last(ctx context.Context) context.Context {
	if s.is("a context that ends last is not seen") && ctx.Err() != nil {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// maybe marks err as that of a message that may have been sent.
func (s *fakeMailer) maybe(ctx context.Context, err error) error {
	switch {
	case s.is("a loss is no doubt") && ctx.Err() == nil, s.is("a cancel is no doubt") && ctx.Err() != nil:
		return err
	case s.is("a doubt hides the cancel"):
		return hawser.ErrMaybeSent
	}
	return fmt.Errorf("%w: %w", hawser.ErrMaybeSent, err)
}

func (s *fakeMailer) queueID(id string) string {
	if s.is("every queue id is the same") {
		return "1"
	}
	return id
}

// afterwards returns the error of a message that was sent, for a bug, or takes
// what is in body for a message of its own, for another.
func (s *fakeMailer) afterwards(ctx context.Context, env hawser.Envelope, body *fakeBody) error {
	if s.is("a context that ends last is not seen") {
		return ctx.Err()
	}
	_, inner, found := strings.Cut(string(body.all), "\r.\r\nMAIL")
	_, inner, data := strings.Cut(inner, "DATA\r\n")
	if !found || !data {
		return nil
	}
	_, err := s.exchange(ctx, parcel{Kind: "Mail", From: env.From, To: env.To})
	_ = s.out.Encode(parcel{Kind: "Data", Data: []byte(inner)})
	_, last := s.exchange(ctx, parcel{Kind: "End"})
	return errors.Join(err, last)
}

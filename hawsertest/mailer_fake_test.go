package hawsertest

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hawser/hawser"
)

// fakeMailer is a correct client of a fakePost, but for its bug.
type fakeMailer struct {
	bug     string
	conn    net.Conn
	timeout time.Duration
	in      *gob.Decoder
	out     *gob.Encoder
	one     *sync.Mutex // of all sessions, for a bug

	sending sync.Mutex // held by Send of a parallel one

	mu     sync.Mutex // guards all below
	busy   bool
	ended  bool
	closed bool
	sent   int // messages, for a bug
}

func dialPost(addr, bug string, timeout time.Duration, one *sync.Mutex) (*fakeMailer, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &fakeMailer{bug: bug, conn: conn, timeout: timeout, in: gob.NewDecoder(conn), out: gob.NewEncoder(conn), one: one}, nil
}

func (s *fakeMailer) Lease(context.Context, hawser.Connection) error { return nil }

func (s *fakeMailer) Reusable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.busy && !s.ended && !s.closed || s.is("always Reusable")
}

func (s *fakeMailer) Parallelism() int {
	if s.is("parallel") {
		return 4
	}
	return 1
}

func (s *fakeMailer) Close() error {
	s.set(func() { s.closed = true })
	if s.is("a goroutine is left") {
		go func() { select {} }()
	}
	return s.conn.Close()
}

func (s *fakeMailer) Ping(ctx context.Context) error {
	_, err := s.exchange(ctx, parcel{Kind: "Ping"})
	if s.is("Ping ends the session") {
		_ = s.conn.Close()
	}
	return err
}

// set changes what mu guards.
func (s *fakeMailer) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *fakeMailer) Send(ctx context.Context, env hawser.Envelope, msg io.WriterTo) (hawser.Receipt, error) {
	if s.is("parallel") {
		s.sending.Lock()
		defer s.sending.Unlock()
	}
	if err := s.refuse(ctx, env, msg); err != nil {
		return hawser.Receipt{}, err
	}
	s.set(func() { s.busy = true })
	defer s.set(func() { s.busy = false })
	if receipt, err, done := s.insteadOfSend(ctx, env, msg); done {
		return receipt, err
	}
	return s.submit(ctx, env, msg)
}

// refuse returns why nothing is sent.
func (s *fakeMailer) refuse(ctx context.Context, env hawser.Envelope, msg io.WriterTo) error {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if err := s.invalid(env); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil && !s.is("an ended context is noticed late") {
		return err
	}
	if closed && !s.is("a closed session takes messages") {
		return net.ErrClosed
	}
	return s.mayRefuse(env, msg)
}

func (s *fakeMailer) submit(ctx context.Context, env hawser.Envelope, msg io.WriterTo) (hawser.Receipt, error) {
	answer, err := s.exchange(ctx, s.envelope(env))
	if err != nil {
		return hawser.Receipt{}, err
	}
	receipt := s.receipt(answer.Refused)
	if err := s.nobody(env, answer.Refused); err != nil {
		return receipt, errors.Join(err, s.reset())
	}
	if s.is("a message that nobody gets is success") && len(answer.Refused) == len(env.To) {
		return receipt, s.reset()
	}
	body, err := s.write(ctx, msg)
	if err != nil {
		return receipt, err
	}
	if err := ctx.Err(); err != nil && !s.is("a context that ends last is not seen") {
		s.set(func() { s.ended = true })
		return receipt, err
	}
	if s.is("an empty message is lost") && body.n == 0 {
		return receipt, s.reset()
	}
	answer, err = s.exchange(s.last(ctx), parcel{Kind: "End"})
	if err != nil {
		return receipt, s.maybe(ctx, err)
	}
	receipt.QueueID = s.queueID(answer.ID)
	return receipt, s.afterwards(ctx, env, body)
}

// nobody is the error of a message that is not sent, because of refused ones.
func (s *fakeMailer) nobody(env hawser.Envelope, refused []string) error {
	all := env.AllOrNone && !s.is("AllOrNone is ignored") || s.is("one refusal is enough")
	switch {
	case all && len(refused) > 0, len(refused) == len(env.To) && !s.is("a message that nobody gets is success"):
	case s.is("AllOrNone sends to nobody") && env.AllOrNone:
	default:
		return nil
	}
	err := errors.New("550 no such user")
	switch {
	case s.is("a refusal is a doubt"):
		return errors.Join(err, hawser.ErrMaybeSent)
	case s.is("a refusal ends the session"):
		s.set(func() { s.ended = true })
	}
	return err
}

// reset gives up a message.
func (s *fakeMailer) reset() error {
	err := s.out.Encode(parcel{Kind: "Reset"})
	if err != nil && !s.is("a lost session claims to work") {
		s.set(func() { s.ended = true })
	}
	return err
}

// write sends what msg writes, and gives it up if that is not whole.
func (s *fakeMailer) write(ctx context.Context, msg io.WriterTo) (body *fakeBody, err error) {
	body = &fakeBody{s: s, ctx: ctx, left: s.limit(msg), line: true}
	whole := false
	defer func() {
		switch {
		case whole:
		case s.is("half a message is sent"):
			_, _ = s.exchange(context.WithoutCancel(ctx), parcel{Kind: "End"})
		case s.is("a session claims to work"):
			_ = s.conn.Close()
		default:
			_ = s.reset()
		}
	}()
	stop := s.watch(ctx, "Data")
	defer stop()
	if s.is("WriteTo is called to count") {
		_, _ = msg.WriteTo(io.Discard)
	}
	_, err = msg.WriteTo(body)
	if err = s.sourceError(ctx, err); err == nil {
		err = body.end()
	}
	whole = err == nil
	return body, err
}

// watch ends the wait for the answer to what is of kind with ctx, or after the
// timeout if it is not the end of a message.
func (s *fakeMailer) watch(ctx context.Context, kind string) (stop func() bool) {
	limit := time.Now().Add(s.timeout)
	if kind == "End" && !s.is("the timeout ends the wait for the end") {
		limit = time.Time{}
	}
	_ = s.conn.SetDeadline(limit)
	return context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) })
}

// exchange sends p and reads its answer.
func (s *fakeMailer) exchange(ctx context.Context, p parcel) (parcel, error) {
	if err := ctx.Err(); err != nil {
		return parcel{}, err
	}
	stop := s.watch(ctx, p.Kind)
	defer stop()
	s.tell(ctx, true, p.Kind+" "+strconv.Quote(p.From)+" "+strings.Join(p.To, " "))
	_ = s.out.Encode(p) // what fails here fails below
	var answer parcel
	if err := s.in.Decode(&answer); err != nil {
		return parcel{}, s.lost(ctx, err)
	}
	s.tell(ctx, false, answer.Kind)
	return answer, nil
}

func (s *fakeMailer) lost(ctx context.Context, err error) error {
	if !s.is("a lost session claims to work") {
		s.set(func() { s.ended = true })
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded), s.is("a lost connection is an EOF"):
		return err
	case s.is("every loss is a doubt"):
		return fmt.Errorf("%w: %w", hawser.ErrMaybeSent, hawser.ErrLost)
	}
	return fmt.Errorf("%w: %w", hawser.ErrLost, err)
}

func (s *fakeMailer) tell(ctx context.Context, sent bool, text string) {
	for _, t := range hawser.ContextTraces(ctx) {
		switch {
		case sent:
			t.Sent(hawser.Message{Text: text})
		case !s.is("nothing received is logged"):
			t.Received(hawser.Message{Text: text})
		}
	}
}

package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

// defaultIdle is what a zero Limits.Idle means.
const defaultIdle = time.Minute

// A hop is a jump host with its one session, from before that is opened until it
// is closed.
type hop struct {
	c      hawser.Connection
	end    context.CancelFunc // of the opening and of the session
	opened chan struct{}      // closed when the session is open, or could not be opened

	// Set before opened is closed.
	session *Session
	err     error

	// Guarded by the mu of the Jump.
	users      int           // who waits for the session, and tunnels
	retired    bool          // takes no new ones
	superseded bool          // takes only those under its own definition, and is not kept without
	keep       time.Duration // without users
	idle       *time.Timer
}

// enter returns the hop of c, which is open. Its caller leaves it.
func (j *Jump) enter(ctx context.Context, c hawser.Connection) (*hop, error) {
	if ctx.Err() != nil {
		return nil, opening.Ended(ctx)
	}
	h, err := j.find(ctx, c)
	if err != nil {
		return nil, err
	}
	select {
	case <-h.opened:
		err = h.err
		if err != nil && j.isClosed() {
			err = errJumpClosed()
		}
	case <-ctx.Done():
		err = opening.Ended(ctx)
	}
	if err != nil {
		j.leave(h)
		return nil, named(err, c)
	}
	return h, nil
}

// named is err of opening a jump host that another connection may have had opened,
// whose name it then has.
func named(err error, c hawser.Connection) error {
	var of *hawser.Error
	if !errors.As(err, &of) || of.Name == c.Name {
		return err
	}
	own := *of
	own.Name = c.Name
	return &own
}

func errJumpClosed() error { return fmt.Errorf("jump: %w", net.ErrClosed) }

// find returns the hop of c with one user more. Where there is none, it starts to
// open one: in the name of all who will wait, but with what ctx carries.
func (j *Jump) find(ctx context.Context, c hawser.Connection) (*hop, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, errJumpClosed()
	}
	for _, h := range j.hops {
		switch {
		case h.retired:
		case h.over():
			h.retire()
		case h.c.Equivalent(c):
			h.users++
			h.keep = keepIdle(c)
			if h.idle != nil {
				h.idle.Stop()
			}
			return h, nil
		}
	}
	for _, h := range j.hops {
		if h.c.Name == c.Name { // its definition changed
			h.supersede()
		}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h := &hop{c: c, end: cancel, opened: make(chan struct{}), users: 1, keep: keepIdle(c)}
	j.hops = append(j.hops, h)
	j.running.Go(func() { j.run(ctx, h) })
	return h, nil
}

// keepIdle is how long the session of c is kept without users.
func keepIdle(c hawser.Connection) time.Duration {
	if c.Limits.Idle == 0 {
		return defaultIdle
	}
	return c.Limits.Idle
}

// run opens the session, and closes it when it is lost or h ends.
func (j *Jump) run(ctx context.Context, h *hop) {
	defer h.end()
	dialer := j.Dialer
	if dialer.Transport == nil {
		dialer.Transport = j
	}
	h.session, h.err = dialer.Open(ctx, h.c)
	if h.err != nil {
		j.remove(h) // first, so that whoever tries again opens another
		close(h.opened)
		return
	}
	close(h.opened)
	select {
	case <-h.session.Ended():
	case <-ctx.Done():
	}
	j.retire(h)
	_ = h.session.Close()
	j.remove(h)
}

// over reports whether the session was lost.
func (h *hop) over() bool {
	select {
	case <-h.opened:
		return h.err != nil || h.session.Cause() != nil
	default:
		return false
	}
}

// leave is called once by each user of h. Who is the last to wait for a session
// ends its opening; one that is open is kept for a while.
func (j *Jump) leave(h *hop) {
	j.mu.Lock()
	defer j.mu.Unlock()
	h.users--
	if h.users > 0 {
		return
	}
	select {
	case <-h.opened:
	default:
		h.retire()
		return
	}
	switch {
	case h.retired || h.superseded:
		h.retire()
	case h.idle == nil:
		h.idle = time.AfterFunc(h.keep, func() { j.expire(h) })
	default:
		h.idle.Reset(h.keep)
	}
}

// expire closes h if it has no users.
func (j *Jump) expire(h *hop) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if h.users == 0 {
		h.retire()
	}
}

func (j *Jump) retire(h *hop) {
	j.mu.Lock()
	defer j.mu.Unlock()
	h.retire()
}

func (j *Jump) remove(h *hop) {
	j.mu.Lock()
	defer j.mu.Unlock()
	h.retire()
	j.hops = slices.DeleteFunc(j.hops, func(other *hop) bool { return other == h })
}

// supersede has h take no users but those whose definition it has, such as data
// connections of an ftp session that goes through it, and ends it with the last of
// them. It must be called with the mu of the Jump held.
func (h *hop) supersede() {
	h.superseded = true
	if h.users == 0 {
		h.retire()
	}
}

// retire has h take no more users, and ends it with the last of them. It must be
// called with the mu of the Jump held.
func (h *hop) retire() {
	h.retired = true
	if h.idle != nil {
		h.idle.Stop()
	}
	if h.users == 0 {
		h.end()
	}
}

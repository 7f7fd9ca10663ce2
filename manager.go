package hawser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// A Manager opens sessions by connection name, and keeps those that were given
// back for the next job that needs one. It is safe for concurrent use while
// nobody changes its fields, and must not be copied. Whoever makes one closes it,
// by Shutdown or Close: it watches its Registry until then.
//
// An open goes: look up, validate, fill in Hops, take from the pool, else
// resolve secrets and dial. A pooled session serves the definition that it was
// opened by, but for Name, Description, Group, Limits and Log, and no other: when
// a definition changes, idle sessions of the old one are closed at once, those in
// use when they are given back, and the next open uses the new one. Where the
// Registry is a [Watcher], a change is followed when it is told; else every open
// looks the name up.
//
// [Limits] bounds the sessions that are open at once to one server with one
// login. Who must wait is served in turn. A session is used again if it is
// [Leasable] and says that it is Reusable; one that is idle is asked now and then
// whether it still lives.
type Manager struct {
	Registry Registry
	Dialer   Dialer
	Secrets  SecretResolver // nil: LocalSecrets
	Limiter  Limiter        // nil: Limits.Sessions holds in this process alone
	// Stale is how long the last good definition serves while the Registry
	// fails, hangs or cannot read what is stored; a Trace is told so. Zero: 5m;
	// negative: not at all.
	Stale time.Duration

	mu      sync.Mutex    // guards all below
	closed  bool          // refuses new opens
	done    chan struct{} // closed when Close has ended; nil before Close
	follow  following
	names   map[string]*definition
	pools   map[string]*pool // by server, see serverOf
	all     map[*pooled]struct{}
	leases  map[*leased]struct{}
	drained chan struct{} // set by Shutdown; closed when leases is empty
	errands map[*errand]struct{}
	turns   uint64        // that were begun
	tasks   int           // goroutines of spawn
	quiet   chan struct{} // set by Close; closed when tasks is 0
}

// Use opens name, calls fn with the capability T, and gives the session back:
// it is the form to prefer. T is [FileSystem], [Runner], [Mailer], another
// interface, or a driver's own type; a session that is no T gives an error
// that matches errors.ErrUnsupported. The T must not be used after fn returned.
// The error is that of opening or of fn.
//
// A Use inside fn, with fn's context, that would have to wait for the session
// that fn holds, gives an error that matches ErrBusy at once.
func Use[T any](ctx context.Context, m *Manager, name string, fn func(context.Context, T) error) error {
	l, t, err := openAs[T](ctx, m, name)
	if err != nil {
		return err
	}
	// What fn had to know is in the results of its own calls: a file, for one,
	// is complete when its Close returned nil, not when its session's does.
	defer l.Close()
	return fn(withLease(ctx, l), t)
}

// Open opens a session to the connection called name, or takes one from the
// pool. ctx bounds Open alone. The error is an [*Error] that says which phase
// failed; it matches ErrBusy where Limits kept it waiting too long. The caller
// closes the Session, which gives it back; see [As] for what it can do.
func (m *Manager) Open(ctx context.Context, name string) (Session, error) {
	l, err := m.open(ctx, name)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (m *Manager) open(ctx context.Context, name string) (*leased, error) {
	var t turn
	for {
		d, err := m.define(ctx, name)
		if err != nil {
			return nil, err
		}
		l, err := m.take(ctx, d, &t)
		if !errors.Is(err, errAgain) {
			return l, err
		}
	}
}

// errAgain is told to an open whose definition was changed, or whose pooled
// session had ended, so that it begins anew.
var errAgain = errors.New("open again")

func errClosed(c Connection) error {
	return &Error{Op: "open", Name: c.Name, Protocol: c.Protocol, Err: fmt.Errorf("manager is closed: %w", net.ErrClosed)}
}

// Shutdown refuses new opens, also those that wait for a session, closes idle
// sessions, and waits until every session that was handed out is given back or
// ctx ends; then it closes what is left and the Dialer, if that is an io.Closer.
// Its error is the context's if it had to cut sessions off.
func (m *Manager) Shutdown(ctx context.Context) error {
	m.mu.Lock()
	m.refuse()
	if m.drained == nil {
		m.drained = make(chan struct{})
		if len(m.leases) == 0 {
			close(m.drained)
		}
	}
	drained, none := m.drained, len(m.leases) == 0
	m.mu.Unlock()
	if none {
		return m.Close()
	}
	select {
	case <-drained:
		return m.Close()
	case <-ctx.Done():
		return errors.Join(ctx.Err(), m.Close())
	}
}

// Close refuses new opens, cuts those that are under way, and closes every
// session, also those in use, and the Dialer, if that is an io.Closer. Later calls
// close nothing more, and return nil when the first has ended.
func (m *Manager) Close() error {
	m.mu.Lock()
	m.refuse()
	if done := m.done; done != nil {
		m.mu.Unlock()
		<-done
		return nil
	}
	m.done = make(chan struct{})
	defer close(m.done)
	all := slices.Collect(maps.Keys(m.all))
	for e := range m.errands {
		e.cancel()
	}
	m.mu.Unlock()
	var closing sync.WaitGroup
	for _, s := range all {
		closing.Go(func() { _ = s.end() })
	}
	closing.Wait()
	<-m.tasksEnd()
	if closer, ok := m.Dialer.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// An errand is what an open has under way, such as a dial. Close ends its context.
type errand struct{ cancel context.CancelFunc }

// errand returns a context that ends with ctx, with the Manager, or when end is
// called, which has to be.
func (m *Manager) errand(ctx context.Context) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	e := &errand{cancel}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.done != nil {
		cancel()
	}
	if m.errands == nil {
		m.errands = map[*errand]struct{}{}
	}
	m.errands[e] = struct{}{}
	return ctx, func() {
		cancel()
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.errands, e)
	}
}

// spawn runs fn, which ends soon after Close at the latest, in a goroutine that
// Close waits for. It must be called with mu held.
func (m *Manager) spawn(fn func()) {
	m.tasks++
	go func() {
		fn()
		m.mu.Lock()
		defer m.mu.Unlock()
		m.tasks--
		if m.tasks == 0 && m.quiet != nil {
			close(m.quiet)
			m.quiet = nil
		}
	}()
}

// tasksEnd is closed when no goroutine of spawn runs.
func (m *Manager) tasksEnd() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	quiet := make(chan struct{})
	if m.tasks == 0 {
		close(quiet)
		return quiet
	}
	m.quiet = quiet // nobody else waits, for Close waits once
	return quiet
}

// refuse ends the following of changes, sends home who waits and closes what is
// idle. It must be called with mu held.
func (m *Manager) refuse() {
	if m.closed {
		return
	}
	m.closed = true
	m.follow.end()
	for _, p := range m.pools {
		p.refuse()
	}
}

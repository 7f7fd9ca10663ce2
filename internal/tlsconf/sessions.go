package tlsconf

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hawser/hawser/internal/opening"
)

// fresh is how long data connections resume the session of the control
// connection rather than a newer one of another data connection. Those of
// OpenSSL live for two hours if the server does not say otherwise.
const fresh = time.Hour

// sessions are what data connections resume. They are of one control
// connection, because servers compare: a session that was made on another one
// is refused (ProFTPD: 425).
//
// Two are enough. Some servers want the very session of the control connection,
// as FileZilla's client resumes it, and FileZilla Server sends new tickets on it;
// but a session expires, and then only the data connections have brought newer
// ones. A session stays when it was used: TLS 1.2 brings no other, and servers
// take one of TLS 1.3 more than once.
type sessions struct {
	mu      sync.Mutex // guards all below
	control session
	data    session
	shift   time.Duration // how far clock is behind the time
}

// A session is one that can be resumed.
type session struct {
	state *tls.ClientSessionState // nil: none
	id    []byte                  // by which the server knows it, where it gave no ticket
	since time.Time               // zero: none
}

func (s *sessions) pick() session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.control.since) < fresh || s.control.since.After(s.data.since) {
		return s.control
	}
	return s.data
}

func (s *sessions) add(state *tls.ClientSessionState, id []byte, control bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	added := session{state, id, time.Now()}
	if control {
		s.control = added
	} else {
		s.data = added
	}
}

// forget is for a new control connection.
func (s *sessions) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.control, s.data = session{}, session{}
}

func (s *sessions) remove(state *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.control.state == state {
		s.control = session{}
	}
	if s.data.state == state {
		s.data = session{}
	}
}

// margin is how long a clock that was put back stays within the time of the
// certificate: longer than any session.
const margin = 365 * 24 * time.Hour

// accept puts the clock back if leaf, which was accepted, has expired.
func (s *sessions) accept(leaf *x509.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shift = 0
	if now := time.Now(); now.After(leaf.NotAfter) {
		s.shift = now.Sub(leaf.NotAfter) + margin
	}
}

func (s *sessions) behind() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shift
}

// A resumption is the tls.ClientSessionCache of one connection. It ignores the
// key: all connections of a Client are to one server.
type resumption struct {
	sessions *sessions
	control  bool        // else of a data connection
	given    session     // to resume
	ticket   atomic.Bool // the server gave one
	dropped  bool        // crypto/tls thinks ill of given
}

var _ tls.ClientSessionCache = (*resumption)(nil)

// resume prepares a data connection. A control connection starts anew, so that
// its certificate is seen.
func (s *sessions) resume(control bool) *resumption {
	r := &resumption{sessions: s, control: control}
	if !control {
		r.given = s.pick()
	}
	return r
}

// Get returns the session to resume.
func (r *resumption) Get(string) (*tls.ClientSessionState, bool) {
	return r.given.state, r.given.state != nil
}

// Put keeps a session. With nil it is told that a handshake failed or that the
// session expired, for which settle has the reason.
func (r *resumption) Put(_ string, state *tls.ClientSessionState) {
	if state == nil {
		r.dropped = true // in the goroutine of the handshake, as settle
		return
	}
	r.ticket.Store(true)
	r.sessions.add(state, nil, r.control)
}

// settle decides, after a handshake that ended in err, whether the session
// that it tried is still good. A broken connection says nothing against it;
// without it, a server that wants it resumed would refuse all later ones.
func (r *resumption) settle(err error) {
	broken := opening.IsLoss(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if r.dropped && !broken {
		r.sessions.remove(r.given.state)
	}
}

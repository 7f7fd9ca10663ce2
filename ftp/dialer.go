package ftp

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/control"
	"github.com/hawser/hawser/internal/opening"
)

// A Dialer opens FTP sessions. Its zero value reaches servers directly and
// trusts certificates that are valid by themselves. It may be copied and is safe
// for concurrent use while nobody changes it.
type Dialer struct {
	Transport hawser.Transport // nil: hawser.Direct; for the control connection and those of the data
	Verifier  hawser.Verifier  // nil: strict
}

var _ hawser.Dialer = Dialer{}

// Dial opens a session; see [Dialer.Open].
func (d Dialer) Dial(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
	s, err := d.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Open connects to c, turns to TLS as c says, and logs in. ctx bounds Open, not
// the session; c.Timeout bounds it too, without the time that a person takes to
// judge a certificate. Errors are *hawser.Error. The caller closes the Session.
func (d Dialer) Open(ctx context.Context, c hawser.Connection) (*Session, error) {
	s, err := control.Open(ctx, control.NewWay(c, d.Transport, d.Verifier), c, func(p *control.Dial) (*Session, error) {
		return (&dial{Dial: p, c: c}).run()
	})
	return s, busy(err)
}

// busy marks err as one that may be over soon, if the server hung up before a
// login because it had too many of them.
func busy(err error) error {
	var e *hawser.Error
	var refused *Error
	if errors.As(err, &e) && errors.As(err, &refused) && refused.Code == codeClosing && e.Phase != hawser.PhaseLogin {
		e.Temporary = true
		e.Err = opening.WithHint(e.Err, "the server takes nobody now: end other sessions, or set limits.sessions lower")
	}
	return err
}

// A dial is the opening of one session.
type dial struct {
	*control.Dial
	c hawser.Connection
}

// run goes through the phases.
func (p *dial) run() (s *Session, err error) {
	names, err := newNames(p.c)
	if err != nil {
		return nil, err
	}
	if err := p.Connect(); err != nil {
		return nil, err
	}
	err = p.Converse(func() error {
		s, err = p.converse(names)
		return err
	})
	return s, err
}

// converse is what is said from the greeting to the end of the login.
func (p *dial) converse(names names) (*Session, error) {
	if err := p.greet(); err != nil {
		return nil, err
	}
	p.Enter(hawser.PhaseLogin)
	if err := p.login(); err != nil {
		return nil, err
	}
	return p.session(names)
}

// greet reads the greeting, and turns to TLS if that is to be explicit.
func (p *dial) greet() error {
	r, err := receive(p.Wire, "greeting")
	for err == nil && r.Class() == 1 { // 120: ready in some minutes
		r, err = receive(p.Wire, "greeting")
	}
	switch {
	case err != nil:
		return err
	case r.Class() != 2:
		return fmt.Errorf("the server takes no logins: %w", refusal("greeting", r))
	case p.c.TLS.Mode == hawser.TLSExplicit:
		return p.authTLS()
	}
	return nil
}

// session makes the session once the server has let us in.
func (p *dial) session(names names) (*Session, error) {
	s := &Session{settings: p.c, transport: p.Transport, socket: p.Socket, tls: p.TLS, wire: p.Wire, log: p.Log, names: names, noopEvery: noopEvery}
	s.life = control.NewLife(p.c, s.end)
	if err := s.protect(); err != nil {
		return nil, err
	}
	if err := s.startVerbs(); err != nil {
		return nil, err
	}
	if err := s.findHome(); err != nil {
		return nil, err
	}
	p.Detail = s.describe()
	return s, nil
}

// host is the address that the control connection leads to. Data connections
// go there, whatever the server says.
func (s *Session) host() string {
	host, _, err := net.SplitHostPort(s.wire.NetConn().RemoteAddr().String())
	if err != nil {
		return s.settings.Host
	}
	return host
}

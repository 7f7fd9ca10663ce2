package smtp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/control"
	"github.com/hawser/hawser/internal/opening"
)

// A Dialer opens SMTP sessions. Its zero value reaches servers directly and
// trusts certificates that are valid by themselves. It may be copied and is safe
// for concurrent use while nobody changes it.
type Dialer struct {
	Transport hawser.Transport // nil: hawser.Direct
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

// Open connects to c, turns to TLS unless c.TLS.Mode is none, and logs in if c has
// a login. ctx bounds Open, not the session; c.Timeout bounds it too, without the
// time that a person takes to judge a certificate. Errors are *hawser.Error. The
// caller closes the Session.
func (d Dialer) Open(ctx context.Context, c hawser.Connection) (*Session, error) {
	if c.TLS.Mode == "" {
		c.TLS.Mode = hawser.TLSExplicit
	}
	way := control.NewWay(c, d.Transport, d.Verifier)
	l, err := openLink(ctx, way, c)
	if err != nil {
		return nil, err
	}
	return newSession(way, c, l), nil
}

// openLink opens one connection of a session.
func openLink(ctx context.Context, way *control.Way, c hawser.Connection) (*link, error) {
	l, err := control.Open(ctx, way, c, func(p *control.Dial) (*link, error) {
		return (&dial{Dial: p, c: c}).run()
	})
	return l, busy(err)
}

// busy marks err as one that may be over soon, if the server takes nobody now,
// because it is about to end or has too many sessions.
func busy(err error) error {
	var e *hawser.Error
	var refused *Error
	if errors.As(err, &e) && errors.As(err, &refused) && refused.Temporary() && e.Phase != hawser.PhaseLogin {
		e.Temporary = true
		e.Err = opening.WithHint(e.Err, "the server takes nobody now: try again later, end other sessions, or set limits.sessions lower")
	}
	return err
}

// A dial is the opening of one connection.
type dial struct {
	*control.Dial
	c        hawser.Connection
	name     string // of this machine, as the server is told
	features features
	old      *Error // why EHLO was refused; nil: it was not
}

// run goes through the phases.
func (p *dial) run() (*link, error) {
	if err := p.Connect(); err != nil {
		return nil, err
	}
	if err := p.Converse(func() error { return p.converse() }); err != nil {
		return nil, err
	}
	return &link{Conn: p.Wire, features: p.features, pipelining: p.features.has("PIPELINING"), spoke: time.Now()}, nil
}

// converse is what is said from the greeting to the end of the login.
func (p *dial) converse() error {
	if err := p.greet(); err != nil {
		return err
	}
	if err := p.hello(); err != nil {
		return err
	}
	if p.c.TLS.Mode == hawser.TLSExplicit {
		if err := p.startTLS(); err != nil {
			return err
		}
	}
	p.Enter(hawser.PhaseLogin)
	how, err := p.login(loginsOf(p.c))
	if err != nil {
		return err
	}
	p.Detail = how + "; " + p.features.describe()
	return nil
}

// greet reads the greeting (RFC 5321, section 4.3.1).
func (p *dial) greet() error {
	r, err := receive(p.Wire, "greeting")
	if err != nil {
		return err
	}
	if r.Code != 220 {
		return fmt.Errorf("the server takes no mail: %w", refusal("greeting", r))
	}
	return nil
}

// startTLS is RFC 3207, section 4. A server without it is left: nothing is ever
// sent in the clear instead. What the server said before counts no more.
func (p *dial) startTLS() error {
	p.Enter(hawser.PhaseTrust)
	if !p.features.has("STARTTLS") {
		err := fmt.Errorf("%w: the server offers no STARTTLS, or somebody in between has removed the offer; set tls.mode to implicit, or to none if mail and password may travel in the clear%s", errors.ErrUnsupported, p.oldHello())
		return opening.WithHint(err, "set tls.mode to implicit, with the port of that (465), or to none if mail and password may travel in the clear")
	}
	r, err := exchange(p.Wire, "STARTTLS")
	if err != nil {
		return err
	}
	if r.Code != 220 {
		return fmt.Errorf("the server refuses TLS: %w", refusal("STARTTLS", r))
	}
	if err := p.Shake(); err != nil {
		return err
	}
	return p.hello()
}

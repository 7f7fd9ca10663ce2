package ftp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/tlsconf"
	"github.com/hawser/hawser/internal/wire"
	"github.com/hawser/hawser/internal/wirelog"
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
	var judged answer
	s, err := d.open(ctx, c, &judged)
	// A server waits only so long in a handshake. A person who took longer has
	// answered by now, so the next try is quick.
	const quick = time.Second
	if errors.Is(err, hawser.ErrLost) && judged.took > quick && ctx.Err() == nil {
		s, err = d.open(ctx, c, &judged)
	}
	return s, err
}

func (d Dialer) open(ctx context.Context, c hawser.Connection, judged *answer) (*Session, error) {
	o := opening.Start(ctx, c)
	defer o.Close()
	log := wirelog.New(c)
	defer log.Listen(ctx)()
	judged.opening = o
	p := &dial{Dialer: d, opening: o, c: c, log: log}
	s, err := p.run(judged)
	if err != nil {
		p.close()
		return nil, busy(o.Fail(err))
	}
	o.Done(p.detail)
	return s, nil
}

// busy marks err as one that may be over soon, if the server hung up before a
// login because it had too many of them.
func busy(err error) error {
	var e *hawser.Error
	var refused *Error
	if errors.As(err, &e) && errors.As(err, &refused) && refused.Code == codeClosing && e.Phase != hawser.PhaseLogin {
		e.Temporary = true
	}
	return err
}

// A dial is the opening of one session.
type dial struct {
	Dialer
	opening *opening.Opening
	c       hawser.Connection
	log     *wirelog.Log
	tls     *tlsconf.Client // nil: in the clear
	wire    *wire.Conn      // nil before the server is connected
	detail  string          // of the last phase
}

func (p *dial) close() {
	if p.wire != nil {
		_ = p.wire.Close()
	}
}

// run goes through the phases.
func (p *dial) run(judged *answer) (*Session, error) {
	p.opening.Enter(hawser.PhaseSecrets)
	names, err := newNames(p.c)
	if err != nil {
		return nil, err
	}
	if err := judged.prepare(p.c, p.Verifier); err != nil {
		return nil, err
	}
	p.tls = judged.tls
	if err := p.connect(); err != nil {
		return nil, err
	}
	release := p.wire.Bind(p.opening.Context())
	s, err := p.converse(names)
	switch cut := release(); {
	case cut && err == nil:
		return nil, p.opening.Context().Err()
	case err != nil && p.tls != nil:
		return nil, p.explainTLS(err)
	}
	return s, err
}

// converse is what is said from the greeting to the end of the login.
func (p *dial) converse(names names) (*Session, error) {
	if err := p.greet(); err != nil {
		return nil, err
	}
	p.opening.Enter(hawser.PhaseLogin)
	if err := p.login(); err != nil {
		return nil, err
	}
	return p.session(names)
}

func (p *dial) connect() error {
	p.opening.Enter(hawser.PhaseConnect)
	conn, err := p.transport().DialNet(p.opening.Context(), p.c, "tcp", p.c.Addr())
	if err != nil {
		return err
	}
	p.opening.Done(conn.RemoteAddr().String())
	p.wire = wire.New(conn, opening.Timeout(p.c), p.log)
	if p.c.TLS.Mode == hawser.TLSImplicit {
		return p.shake()
	}
	return nil
}

func (d Dialer) transport() hawser.Transport {
	if d.Transport == nil {
		return hawser.Direct{}
	}
	return d.Transport
}

// greet reads the greeting, and turns to TLS if that is to be explicit.
func (p *dial) greet() error {
	r, err := receive(p.wire, "greeting")
	for err == nil && r.Class() == 1 { // 120: ready in some minutes
		r, err = receive(p.wire, "greeting")
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
	s := &Session{
		addr: p.c.Addr(), settings: p.c, transport: p.transport(), tls: p.tls, wire: p.wire, log: p.log, names: names,
		noopEvery: noopEvery, c: nameOf(p.c), turn: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	s.turn <- struct{}{}
	if err := s.protect(); err != nil {
		return nil, err
	}
	if err := s.startVerbs(); err != nil {
		return nil, err
	}
	if err := s.findHome(); err != nil {
		return nil, err
	}
	p.detail = s.describe()
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

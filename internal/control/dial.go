// Package control opens and keeps the connection on which a line protocol, FTP
// or SMTP, is spoken: what the two drivers have in common beneath what they say.
package control

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/tlsconf"
	"github.com/hawser/hawser/internal/wire"
	"github.com/hawser/hawser/internal/wirelog"
)

// A Way is how one server is reached and judged, for one session. What a Verifier
// accepted is not asked about again on a later connection of the session.
type Way struct {
	transport hawser.Transport
	verifier  hawser.Verifier
	log       *wirelog.Log
	judged    answer
}

// NewWay returns the way to c. A nil transport is hawser.Direct, a nil verifier a
// strict one.
func NewWay(c hawser.Connection, transport hawser.Transport, verifier hawser.Verifier) *Way {
	if transport == nil {
		transport = hawser.Direct{}
	}
	return &Way{transport: transport, verifier: verifier, log: wirelog.New(c)}
}

// Log is the wire log of the session.
func (w *Way) Log() *wirelog.Log { return w.log }

// A Dial is the opening of one session, or one try at it. One goroutine uses it.
type Dial struct {
	*opening.Opening
	Connection hawser.Connection
	Transport  hawser.Transport
	Log        *wirelog.Log
	TLS        *tlsconf.Client // nil: in the clear
	Socket     net.Conn        // below TLS; nil before the server is connected
	Wire       *wire.Conn      // on top of it
	Detail     string          // of the last phase

	way *Way
}

// Open has run open a connection of a session to c, one at a time. It reports the
// phases, closes the connection of a run that failed, and returns the error as an
// *hawser.Error.
//
// A server waits only so long in a handshake. Where a person took longer to judge
// its certificate, run is run once more: the answer is known by then.
func Open[S any](ctx context.Context, w *Way, c hawser.Connection, run func(*Dial) (S, error)) (S, error) {
	defer w.log.Listen(ctx)()
	w.judged.took = 0
	s, err := try(ctx, w, c, run)
	const quick = time.Second
	if errors.Is(err, hawser.ErrLost) && w.judged.took > quick && ctx.Err() == nil {
		s, err = try(ctx, w, c, run)
	}
	return s, err
}

func try[S any](ctx context.Context, w *Way, c hawser.Connection, run func(*Dial) (S, error)) (S, error) {
	o := opening.Start(ctx, c)
	defer o.Close()
	w.judged.opening = o
	d := &Dial{Opening: o, Connection: c, Transport: w.transport, Log: w.log, way: w}
	o.Enter(hawser.PhaseSecrets)
	s, err := run(d)
	if err != nil {
		d.close()
		var none S
		return none, o.Fail(err)
	}
	o.Done(d.Detail)
	return s, nil
}

func (d *Dial) close() {
	if d.Wire != nil {
		_ = d.Wire.Close()
	}
}

// Connect reads the certificates, so that one that is wrong is told before
// anything is sent, and connects. It shakes hands if TLS is to be implicit.
func (d *Dial) Connect() error {
	if err := d.way.judged.prepare(d.Connection, d.way.verifier); err != nil {
		return err
	}
	d.TLS = d.way.judged.tls
	d.Enter(hawser.PhaseConnect)
	conn, err := d.Transport.DialNet(d.Context(), d.Connection, "tcp", d.Connection.Addr())
	if err != nil {
		return err
	}
	d.Done(conn.RemoteAddr().String())
	d.Socket, d.Wire = conn, wire.New(conn, opening.Timeout(d.Connection), d.Log)
	if d.Connection.TLS.Mode == hawser.TLSImplicit {
		return d.Shake()
	}
	return nil
}

// Shake turns the connection to TLS.
func (d *Dial) Shake() error {
	d.Enter(hawser.PhaseTrust)
	err := d.Wire.Upgrade(func(conn net.Conn) (net.Conn, error) {
		t, err := d.TLS.Handshake(d.Context(), conn)
		if err != nil {
			return nil, err // and no *tls.Conn in an interface
		}
		return t, nil
	})
	if err != nil {
		return err
	}
	d.Done(DescribeTLS(d.Wire.NetConn()))
	return nil
}

// Converse runs say, which speaks on the connection, until the end of the dial's
// context.
func (d *Dial) Converse(say func() error) error {
	release := d.Wire.Bind(d.Context())
	err := say()
	_, secure := d.Wire.NetConn().(*tls.Conn)
	switch cut := release(); {
	case cut && err == nil:
		return d.Context().Err()
	case err != nil && secure && !cut: // who was cut off waits for nothing more
		return d.explainTLS(err)
	}
	return err
}

// explainTLS is err of what is said after the handshake: a server of TLS 1.3
// judges our certificate as late as that. Where it has hung up before we could
// write, what it said is still there to be read.
func (d *Dial) explainTLS(err error) error {
	explained := d.TLS.Explain(err)
	if errors.Is(explained, hawser.ErrAuth) || !opening.IsLoss(err) {
		return explained
	}
	if last := d.TLS.Explain(d.Wire.Epitaph()); errors.Is(last, hawser.ErrAuth) {
		return last
	}
	return explained
}

// DescribeTLS is what was negotiated on conn, for a report.
func DescribeTLS(conn net.Conn) string {
	t, ok := conn.(*tls.Conn)
	if !ok {
		return "in the clear"
	}
	state := t.ConnectionState()
	return tls.VersionName(state.Version) + ", " + tls.CipherSuiteName(state.CipherSuite)
}

package ftp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/tlsconf"
)

// An answer is what the Verifier said in one Open, which may dial twice and does
// not ask twice.
type answer struct {
	tls     *tlsconf.Client // remembers what was accepted; nil: in the clear
	opening *opening.Opening
	took    time.Duration
}

// prepare reads the certificates, before anything is sent.
func (a *answer) prepare(c hawser.Connection, v hawser.Verifier) error {
	if mode := c.TLS.Mode; a.tls != nil || mode != hawser.TLSExplicit && mode != hawser.TLSImplicit {
		return nil
	}
	var err error
	a.tls, err = tlsconf.New(c, tlsconf.Options{Addr: c.Addr(), Verifier: v, Unhurried: a.unhurried})
	return err
}

// unhurried lets the clock stand while the Verifier, which may ask a person,
// judges.
func (a *answer) unhurried(judge func(context.Context) error) error {
	err := a.opening.Unhurried(judge)
	a.took = a.opening.Paused()
	return err
}

// authTLS is RFC 4217, section 4. A server that has no TLS is left: nothing is
// ever sent in the clear instead.
func (p *dial) authTLS() error {
	p.opening.Enter(hawser.PhaseTrust)
	r, err := exchange(p.wire, "AUTH TLS", "", "")
	if err != nil {
		return err
	}
	if r.Class() != 2 { // 234
		return fmt.Errorf("the server has no explicit TLS: %w; set tls.mode to implicit or none, if that is what it is meant to have", refusal("AUTH", r))
	}
	return p.shake()
}

// shake turns the control connection to TLS.
func (p *dial) shake() error {
	p.opening.Enter(hawser.PhaseTrust)
	err := p.wire.Upgrade(func(conn net.Conn) (net.Conn, error) {
		t, err := p.tls.Handshake(p.opening.Context(), conn)
		if err != nil {
			return nil, err // and no *tls.Conn in an interface
		}
		return t, nil
	})
	if err != nil {
		return err
	}
	p.opening.Done(describeTLS(p.wire.NetConn()))
	return nil
}

// explainTLS is err of what is said after the handshake: a server of TLS 1.3
// judges our certificate as late as that. Where it has hung up before we could
// write, what it said is still there to be read.
func (p *dial) explainTLS(err error) error {
	explained := p.tls.Explain(err)
	if errors.Is(explained, hawser.ErrAuth) || !opening.IsLoss(err) {
		return explained
	}
	if last := p.tls.Explain(p.wire.Epitaph()); errors.Is(last, hawser.ErrAuth) {
		return last
	}
	return explained
}

// describeTLS is what was negotiated, for a report.
func describeTLS(conn net.Conn) string {
	t, ok := conn.(*tls.Conn)
	if !ok {
		return "in the clear"
	}
	state := t.ConnectionState()
	return tls.VersionName(state.Version) + ", " + tls.CipherSuiteName(state.CipherSuite)
}

// protect sets the level of the data connections (RFC 4217, section 9). It comes
// after the login, where some servers want it.
func (s *Session) protect() error {
	if s.tls == nil {
		return nil
	}
	if _, err := s.command("PBSZ 0"); err != nil && !isRefusal(err) {
		return err
	}
	level := "PROT P"
	if s.settings.TLS.Data == hawser.ProtectClear {
		level = "PROT C"
	}
	if _, err := s.command(level); err != nil {
		return fmt.Errorf("the server refuses what tls.data says: %w", err)
	}
	return nil
}

// protected reports whether data connections are.
func (s *Session) protected() bool {
	return s.tls != nil && s.settings.TLS.Data != hawser.ProtectClear
}

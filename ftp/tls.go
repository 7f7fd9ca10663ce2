package ftp

import (
	"fmt"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

// authTLS is RFC 4217, section 4. A server that has no TLS is left: nothing is
// ever sent in the clear instead.
func (p *dial) authTLS() error {
	p.Enter(hawser.PhaseTrust)
	r, err := exchange(p.Wire, "AUTH TLS", "", "")
	if err != nil {
		return err
	}
	if r.Class() != 2 { // 234
		err := fmt.Errorf("the server has no explicit TLS: %w; set tls.mode to implicit or none, if that is what it is meant to have", refusal("AUTH", r))
		return opening.WithHint(err, "set tls.mode to implicit, with the port of that, or to none if files and password may travel in the clear")
	}
	return p.Shake()
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
		return opening.WithHint(fmt.Errorf("the server refuses what tls.data says: %w", err), "set tls.data to what the server takes: private or clear")
	}
	return nil
}

// protected reports whether data connections are.
func (s *Session) protected() bool {
	return s.tls != nil && s.settings.TLS.Data != hawser.ProtectClear
}

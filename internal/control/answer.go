package control

import (
	"context"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/tlsconf"
)

// An answer is what the Verifier said. Who dials again does not ask again.
type answer struct {
	tls     *tlsconf.Client // remembers what was accepted; nil: in the clear
	opening *opening.Opening
	took    time.Duration
}

// prepare reads the certificates.
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

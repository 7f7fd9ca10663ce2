package ftp

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/hawser/hawser"
)

var _ hawser.Prober = Dialer{}

// Probe tries explicit and implicit TLS, each with passive and active data
// connections, and with TLS 1.2 alone where the default does not come about; and
// FTP in the clear if c asks for no TLS and none was had. To work, a combination
// has to log in and to list the login directory. Where c.Port is set, every
// combination is tried there, else each at its own port. See [hawser.Prober].
func (d Dialer) Probe(ctx context.Context, c hawser.Connection) iter.Seq2[hawser.Connection, hawser.Report] {
	return func(yield func(hawser.Connection, hawser.Report) bool) {
		s := &search{d: d, c: c.Clone(), yield: yield}
		for _, mode := range s.modes() {
			if ctx.Err() != nil || s.over {
				return
			}
			s.try(ctx, mode)
		}
	}
}

// A search is one Probe.
type search struct {
	d       Dialer
	c       hawser.Connection
	yield   func(hawser.Connection, hawser.Report) bool
	secured bool // the server has TLS: a combination with it worked, or was refused for the certificate
	over    bool
}

// modes are the ways to protect a connection, best first.
func (s *search) modes() []hawser.TLSMode {
	modes := []hawser.TLSMode{hawser.TLSExplicit, hawser.TLSImplicit}
	if m := s.c.TLS.Mode; m == "" || m == hawser.TLSNone {
		modes = append(modes, hawser.TLSNone)
	}
	return modes
}

// try goes through the combinations of one mode.
func (s *search) try(ctx context.Context, mode hawser.TLSMode) {
	if mode == hawser.TLSNone && s.secured {
		return // the password need not be shown to the network
	}
	c := s.c.Clone()
	c.TLS.Mode = mode
	if mode == hawser.TLSNone {
		c.TLS = hawser.TLSOptions{Mode: mode}
	}
	err := s.report(ctx, c, hawser.Passive)
	if errors.Is(err, errors.ErrUnsupported) && mode != hawser.TLSNone && c.TLS.MaxVersion == "" && !s.over {
		// Some servers speak TLS 1.3 so badly that it is better not to offer it.
		older := c.Clone()
		older.TLS.MaxVersion = "1.2"
		if s.report(ctx, older, hawser.Passive) == nil {
			c, err = older, nil
		}
	}
	if s.over || err != nil && !loggedIn(err) {
		return // active would fare no better
	}
	s.report(ctx, c, hawser.Active)
}

// loggedIn reports whether err came after the login.
func loggedIn(err error) bool {
	var e *hawser.Error
	return errors.As(err, &e) && e.Phase == hawser.PhaseProbe
}

// report tries one combination and yields how far it came.
func (s *search) report(ctx context.Context, c hawser.Connection, mode hawser.DataMode) error {
	c.FTP.Mode = mode
	if mode == hawser.Passive {
		c.FTP.Ports, c.FTP.External = "", ""
	}
	r := hawser.Report{Name: c.Name}
	ctx = hawser.WithTrace(ctx, &hawser.Trace{Step: func(connection string, step hawser.Step) {
		if connection != c.Name {
			step.Hop = connection
		}
		r.Steps = append(r.Steps, step)
	}})
	r.Err = s.d.tryOut(ctx, c, &r)
	s.secured = s.secured || c.TLS.Mode != hawser.TLSNone && (r.Err == nil || errors.Is(r.Err, hawser.ErrUntrusted))
	if !s.yield(c, r) || errors.Is(r.Err, hawser.ErrAuth) {
		s.over = true
	}
	return r.Err
}

// tryOut logs in and lists the login directory.
func (d Dialer) tryOut(ctx context.Context, c hawser.Connection, r *hawser.Report) error {
	session, err := d.Open(ctx, c)
	if err != nil {
		return err
	}
	defer session.Close()
	start := time.Now()
	for _, entryErr := range session.ReadDir(ctx, ".") {
		if entryErr != nil {
			err = &hawser.Error{Op: "probe", Phase: hawser.PhaseProbe, Name: c.Name, Protocol: c.Protocol, Addr: c.Addr(), Err: entryErr}
			break
		}
	}
	r.Steps = append(r.Steps, hawser.Step{Phase: hawser.PhaseProbe, Took: time.Since(start), Detail: string(c.FTP.Mode) + " data connections", Err: err})
	return err
}

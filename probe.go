package hawser

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// A Prober is a Dialer that can find out which settings work with a server:
// it goes through the sensible ones, best first, and yields what it tried with
// how far that came. The first Report without an Err is of the best that works.
// Breaking out of the loop ends the search. Only c's own login is tried, and never
// with less protection than c has; a login that is refused ends the search,
// because repeating it could lock the account.
type Prober interface {
	Probe(ctx context.Context, c Connection) iter.Seq2[Connection, Report]
}

var (
	_ Prober = Mux(nil)
	_ Prober = (*Retry)(nil)
)

// Probe goes through the settings that the driver of c, saved or not, finds
// sensible with its server; see [Prober]. What it yields has the secrets of c as
// they are stored, so it can be saved. An error before the first try is the only
// Report; it matches errors.ErrUnsupported if the driver is no Prober.
func (m *Manager) Probe(ctx context.Context, c Connection) iter.Seq2[Connection, Report] {
	return func(yield func(Connection, Report) bool) {
		start := time.Now()
		stored := c.Clone()
		c := c.Clone()
		err := m.complete(ctx, &c)
		if err == nil {
			err = m.resolve(ctx, &c)
		}
		if err != nil {
			step := Step{Phase: PhaseLookup, Took: time.Since(start), Err: err}
			yield(stored, Report{Name: c.Name, Steps: []Step{step}, Err: err}.withHints())
			return
		}
		for found, report := range probeBy(ctx, m.Dialer, c) {
			found = found.Clone()
			found.restoreSecrets(stored)
			if !yield(found, report.withHints()) {
				return
			}
		}
	}
}

// restoreSecrets puts the secrets of stored, which are references, back into c.
func (c *Connection) restoreSecrets(stored Connection) {
	c.Hops = nil
	for f := range stored.fields() {
		if _, ok := f.value.Interface().(Secret); !ok {
			continue
		}
		if mine, ok := c.field(f.name); ok {
			mine.value.Set(f.value)
		}
	}
}

// Probe goes on with the driver of c's protocol.
func (m Mux) Probe(ctx context.Context, c Connection) iter.Seq2[Connection, Report] {
	return probeBy(ctx, m[c.Protocol], c)
}

// Probe goes on with the wrapped Dialer, which is to fail where it fails.
func (r *Retry) Probe(ctx context.Context, c Connection) iter.Seq2[Connection, Report] {
	return probeBy(ctx, r.Dialer, c)
}

func probeBy(ctx context.Context, d Dialer, c Connection) iter.Seq2[Connection, Report] {
	if p, ok := d.(Prober); ok {
		return p.Probe(ctx, c)
	}
	return func(yield func(Connection, Report) bool) {
		err := &Error{
			Op: "probe", Name: c.Name, Protocol: c.Protocol,
			Err: fmt.Errorf("%w: the driver of this protocol has nothing to search for", errors.ErrUnsupported),
		}
		yield(c, Report{Name: c.Name, Err: err})
	}
}

package hawser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// A Dialer opens sessions. Drivers are the innermost Dialers; [Mux] and [Retry]
// wrap others. Implementations are safe for concurrent use; one that is also an
// io.Closer is closed by the Manager. hawsertest.TestDialer checks one.
type Dialer interface {
	// Dial connects and logs in to c. ctx bounds Dial alone. Errors are
	// *Error. c is valid, its Hops are filled in and its secrets resolved.
	// The caller closes the Session.
	Dial(ctx context.Context, c Connection) (Session, error)
}

// A Mux dispatches on Protocol; one that is missing gives [ErrNoDriver]. It is
// safe for concurrent use while nobody changes it.
type Mux map[Protocol]Dialer

var _ interface {
	Dialer
	io.Closer
} = Mux(nil)

// Dial dials c with the driver of its protocol.
func (m Mux) Dial(ctx context.Context, c Connection) (Session, error) {
	d := m[c.Protocol]
	if d == nil {
		return nil, &Error{
			Op: "open", Phase: PhaseLookup, Name: c.Name, Protocol: c.Protocol,
			Err: fmt.Errorf("%w %q%s", ErrNoDriver, c.Protocol, suggest(string(c.Protocol), m.names())),
		}
	}
	return d.Dial(ctx, c)
}

// Close closes every driver that is an io.Closer.
func (m Mux) Close() error {
	var errs []error
	for _, d := range m {
		if closer, ok := d.(io.Closer); ok {
			errs = append(errs, closer.Close())
		}
	}
	return errors.Join(errs...)
}

func (m Mux) names() []string {
	var names []string
	for _, p := range slices.Sorted(maps.Keys(m)) {
		names = append(names, string(p))
	}
	return names
}

package hawser

import "context"

// A Session is a logged-in conversation with a server. What it can do is told
// by the capabilities it implements: [FileSystem], [Runner], [Mailer].
//
// One goroutine uses a Session at a time, unless it is [Parallel]; Close may be
// called at any time and unblocks the others. A Session that wraps another has
// Unwrap() Session; see [As]. Capabilities have no Close, so that a wrapper
// only ever intercepts Session.
type Session interface {
	Ping(ctx context.Context) error // one round trip
	Close() error                   // waits a moment at most; later calls return nil
}

// Leasable is a Session that a pool may hand to one job after another. All
// drivers of this module are. Without it a session is used once.
type Leasable interface {
	// Lease prepares the session for a new user: c carries that user's Name and Log.
	// It waits for nobody but, if at all, the server.
	Lease(ctx context.Context, c Connection) error
	// Reusable is false after ErrLost, while a file, a command or a mail is open, and
	// while anything runs: what runs when a session is given back is cut by Close.
	// It does not wait, and may be called while another goroutine uses the session.
	Reusable() bool
}

// Parallel is a Session that N goroutines may use at once. A lease of it is
// exclusive all the same: its holder may use N goroutines.
type Parallel interface{ Parallelism() int }

// As finds the first session in s's chain of Unwrap methods that is a T, and
// reports whether there is one.
func As[T any](s Session) (T, bool) {
	for s != nil {
		if t, ok := s.(T); ok {
			return t, true
		}
		wrapper, ok := s.(interface{ Unwrap() Session })
		if !ok {
			break
		}
		s = wrapper.Unwrap()
	}
	var none T
	return none, false
}

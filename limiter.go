package hawser

import "context"

// A Limiter holds [Limits].Sessions of a server across processes and machines;
// by itself a [Manager] holds it in its own process alone. Implementations are
// safe for concurrent use. registry/etcd has one.
type Limiter interface {
	// Acquire waits for one of c.Limits.Sessions places, which is never 0 here,
	// for a session of c. Who counts together is the Limiter's to say; a
	// sensible one goes by protocol, address, login and way there, so that
	// two names of one server share its places, and a changed password does
	// not double them. ctx bounds the wait; the error then matches ErrBusy and
	// the context's own.
	Acquire(ctx context.Context, c Connection) (Place, error)
}

// A Place is what one session holds of a limit. Its methods may be called
// concurrently.
type Place interface {
	// Recalled is closed when the session should end with its present use, or
	// at once if it is idle: because another process waits for a place, or
	// because this one was lost.
	Recalled() <-chan struct{}
	// Release gives the place to the next who waits. It does not wait long,
	// and later calls do nothing.
	Release()
}

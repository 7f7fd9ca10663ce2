package hawser

import (
	"context"
	"iter"
)

// A Registry holds connections by name. Implementations are safe for
// concurrent use and return copies. hawsertest.TestRegistry checks one.
//
// A Registry may also be a [Writer] or a [Watcher].
type Registry interface {
	// Lookup returns the connection called name. If there is none the error
	// matches ErrNotFound.
	Lookup(ctx context.Context, name string) (Connection, error)
	// All yields every connection in name order. An error ends it. No lock is
	// held while yielding.
	All(ctx context.Context) iter.Seq2[Connection, error]
}

// A Writer is a Registry that can be changed.
type Writer interface {
	// Put stores c and returns it with its new Revision. c.Revision "" means c
	// must be new, AnyRevision overwrites, and any other must be the one
	// stored; else the error matches ErrConflict and nothing changed. A c that
	// is not valid, or has no Name, is refused with an error that matches
	// ErrInvalid.
	Put(ctx context.Context, c Connection) (Connection, error)
	// Delete removes name if revision matches, as for Put; "" is ErrInvalid,
	// and a name that is not there ErrNotFound.
	Delete(ctx context.Context, name, revision string) error
}

// AnyRevision stands for whatever revision is stored; see [Writer].
const AnyRevision = "*"

// A Watcher is a Registry that tells of changes. The subscription stands when
// Watch returns, so that no change after it is missed. Changes may be
// coalesced. An error ends the watch: whoever watches looks everything up anew
// and watches again. A wrapper whose inner Registry cannot be watched returns
// errors.ErrUnsupported.
type Watcher interface {
	Watch(ctx context.Context) (iter.Seq2[Change, error], error)
}

// A Versioner is a Registry that knows without waiting whether it may have
// changed: its Version grows, at the latest, when a Put or Delete of this value
// returns, and when it learns of a change that somebody else made. So whoever
// keeps what was looked up, as a [Manager] does, asks for the Version before it
// uses that, and never serves what the same process has replaced. A Version is
// no count of changes, and it is not stored.
type Versioner interface{ Version() uint64 }

// A Change names a connection that was put or deleted. An empty Name means
// that changes may have been missed: look everything up again.
type Change struct{ Name string }

package sql

import (
	"context"
	database "database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// pollWithin bounds one look, pollTries how often it is tried before the
	// watches end with its error, with pauses that grow from pollPause.
	pollWithin = 5 * time.Second
	pollTries  = 3
	pollPause  = 100 * time.Millisecond
	// manyChanges are told as one that may be of any connection.
	manyChanges = 1000
)

// A poller knows of which changes the watches were told.
type poller struct {
	version atomic.Uint64
	wake    chan struct{} // holds one token while there is a reason to look

	mu      sync.Mutex // guards all below
	seen    mark       // all changes up to this one were told
	watches map[*watch]struct{}
	closed  bool
}

// A mark is a change by which a database that was restored is told from one that was
// not: in that, the same number may be of another change.
type mark struct {
	changes int64
	text    string // "" if the history does not have it any more
}

func markText(at, name database.NullString) string {
	if !at.Valid {
		return ""
	}
	return at.String + " " + name.String
}

func newPoller() *poller {
	return &poller{wake: make(chan struct{}, 1), watches: map[*watch]struct{}{}}
}

// Nudge has the registry look for changes of others now, and not when its next Poll
// is due: for whoever was told of one by other means. It does not wait.
func (r *Registry) Nudge() { signal(r.poller.wake) }

// Channel is the channel of PostgreSQL's NOTIFY that every change is told on when it
// is committed, with its revision. It goes by the prefix of the tables alone, so
// that another schema of the database may use it too.
func (r *Registry) Channel() string { return r.options.Prefix + "changes" }

func signal(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default: // it is awake already
	}
}

// follow looks for changes until ctx ends: now and then while there is a watch, and
// whenever there is a reason.
func (r *Registry) follow(ctx context.Context) {
	timer := time.NewTimer(r.options.Poll)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		if r.poller.watched() {
			timer.Reset(r.options.Poll)
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case <-r.poller.wake:
		case <-due:
		}
		if err := r.lookAgain(ctx); err != nil && ctx.Err() == nil {
			r.poller.end(fmt.Errorf("sql registry: look for changes: %w", err))
		}
	}
}

// lookAgain rides out what is over soon. Whoever watches must not take for unchanged
// for long what cannot be looked at.
func (r *Registry) lookAgain(ctx context.Context) error {
	pause := pollPause
	for tries := 1; ; tries++ {
		err := r.look(ctx)
		hangs := errors.Is(err, context.DeadlineExceeded)
		if err == nil || hangs || tries == pollTries || !sleep(ctx, pause) {
			return err
		}
		pause *= 4
	}
}

// look tells the watches of all changes since the last time.
func (r *Registry) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pollWithin)
	defer cancel()
	from := r.poller.told()
	now, err := r.count(ctx, from.changes)
	restored := now.changes < from.changes || now.mark != from.text && (now.mark != "" || now.pruned < from.changes)
	if err != nil || now.changes == from.changes && !restored {
		return err
	}
	names, err := r.changed(ctx, from.changes)
	if err != nil {
		return err
	}
	// Asked last, so that it tells of all that was pruned before the names were read.
	after, err := r.count(ctx, now.changes)
	if err != nil {
		return err
	}
	if restored || after.pruned > from.changes || len(names) > manyChanges {
		names = []string{""}
	}
	r.poller.tell(mark{now.changes, after.mark}, names...)
	return nil
}

// A count is what look compares.
type count struct {
	changes, pruned int64
	mark            string
}

// count also reads the text of the mark of a change.
func (r *Registry) count(ctx context.Context, change int64) (c count, err error) {
	err = retry(ctx, "count the changes", func(ctx context.Context) error {
		var at, name database.NullString
		row := r.db().QueryRowContext(ctx, r.text(`SELECT m.changes, m.pruned, h.changed_at, h.name
			FROM {p}meta m LEFT JOIN {p}history h ON h.sequence = ? WHERE m.id = 1`), change)
		err := notEmpty(row.Scan(&c.changes, &c.pruned, &at, &name))
		c.mark = markText(at, name)
		return err
	})
	return c, err
}

// changed are the names of what was changed after a change, or more than manyChanges.
func (r *Registry) changed(ctx context.Context, from int64) (names []string, err error) {
	err = r.query(ctx, `SELECT name FROM {p}history WHERE sequence > ? LIMIT ?`, []any{from, manyChanges + 1},
		func(rows *database.Rows) error {
			var name string
			err := rows.Scan(&name)
			names = append(names, name)
			return err
		})
	return names, err
}

func (p *poller) watched() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.watches) > 0
}

func (p *poller) isShut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

func (p *poller) told() mark {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// notice is called with a count that was read by the way. It may be smaller than that
// before, if the database was restored.
func (p *poller) notice(changes int64) {
	if changes != p.told().changes {
		signal(p.wake)
	}
}

// wrote tells of a change of this Registry. Unless the change before it is the last
// that was told, there may be others, or the database was restored: a look finds out.
func (p *poller) wrote(name string, previous, own mark) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if previous == p.seen {
		p.seen = own
	} else if own != p.seen {
		signal(p.wake)
	}
	p.spread(name)
}

// mayHaveWritten tells of a change that may not have happened.
func (p *poller) mayHaveWritten(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	signal(p.wake)
	p.spread(name)
}

// tell tells of changes up to a count. An empty name is any.
func (p *poller) tell(last mark, names ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last.changes > p.seen.changes || len(names) == 1 && names[0] == "" {
		p.seen = last // also back
	}
	p.spread(names...)
}

// spread must be called with mu held.
func (p *poller) spread(names ...string) {
	p.version.Add(1)
	for w := range p.watches {
		w.Add(names...)
	}
}

// end ends all watches with err.
func (p *poller) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.watches {
		w.end(err)
	}
	clear(p.watches)
}

// shut also refuses all that comes later.
func (p *poller) shut() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.end(errClosed)
}

package hawser

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// watchPause lies between a watch that was lost and the next try; it is
	// doubled, up to longestWatchPause, while that fails too.
	watchPause        = 100 * time.Millisecond
	longestWatchPause = 5 * time.Second
	// refreshPause lies between two tries to look up what was changed.
	refreshPause = time.Second
)

// following is what a Manager knows of changes. It is guarded by Manager.mu.
type following struct {
	started bool
	cancel  context.CancelFunc // nil until a watch is started
	live    bool               // a watch stands, so what is not stale is true
	changes uint64             // were told, or may have been missed
	asked   uint64             // lookups were begun
	wake    chan struct{}      // holds one token while something is stale; nil until then
	sweepAt int                // how many names there may be before those are swept
}

// An asking is the state of things when a lookup began.
type asking struct{ number, version, changes uint64 }

// ask must be called with Manager.mu held, as all methods here.
func (f *following) ask(version uint64) asking {
	f.asked++
	return asking{number: f.asked, version: version, changes: f.changes}
}

// signal has what is stale looked up, if a watch was started.
func (f *following) signal() {
	select {
	case f.wake <- struct{}{}:
	default: // it is awake already
	}
}

func (f *following) end() {
	if f.cancel != nil {
		f.cancel()
	}
	f.started = true // so that no other begins
}

// version is that of the Registry, 0 if it has none.
func (m *Manager) version() uint64 {
	if v, ok := m.Registry.(Versioner); ok {
		return v.Version()
	}
	return 0
}

// startFollowing watches the Registry, if it can be watched, from the first
// definition on until Close. It must be called with mu held.
func (m *Manager) startFollowing() {
	if m.follow.started {
		return
	}
	m.follow.started = true
	w, ok := m.Registry.(Watcher)
	if !ok {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.follow.cancel = cancel
	m.follow.wake = make(chan struct{}, 1)
	m.spawn(func() { m.watch(ctx, w) })
	m.spawn(func() { m.refresh(ctx) })
}

// watch follows w until ctx ends. After a watch that was lost, all that was
// known is looked up again.
func (m *Manager) watch(ctx context.Context, w Watcher) {
	for pause := watchPause; ; pause = min(2*pause, longestWatchPause) {
		changes, err := w.Watch(ctx)
		if errors.Is(err, errors.ErrUnsupported) {
			return // every open looks its name up
		}
		if err == nil {
			start := time.Now()
			m.changed("")
			m.setLive(true)
			m.heed(changes)
			m.setLive(false)
			if time.Since(start) > longestWatchPause {
				pause = watchPause
			}
		}
		if !sleep(ctx, jitter(pause)) {
			return
		}
	}
}

func (m *Manager) heed(changes iter.Seq2[Change, error]) {
	for change, err := range changes {
		if err != nil {
			return
		}
		m.changed(change.Name)
	}
}

// setLive says whether a watch stands. What was true when one was lost has been
// confirmed until then.
func (m *Manager) setLive(live bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.follow.live = live
	for _, d := range m.names {
		if !live && !d.stale {
			d.confirmed = time.Now()
		}
	}
}

// changed marks what is made of the connection called name as stale, or all for "".
func (m *Manager) changed(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.follow.changes++
	for _, d := range m.names {
		if name != "" && !d.needs(name) {
			continue
		}
		if m.follow.live && !d.stale {
			d.confirmed = time.Now() // until now it was true
		}
		d.stale, d.failure = true, nil
	}
	m.follow.signal()
}

// refresh looks up what was changed, so that the sessions of old definitions end
// though nobody opens a new one.
func (m *Manager) refresh(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.follow.wake:
		}
		for !m.refreshed(ctx) {
			if !sleep(ctx, jitter(refreshPause)) {
				return
			}
		}
	}
}

// refreshers is how many lookups refresh has under way.
const refreshers = 8

// refreshed reports whether all that was stale is known again.
func (m *Manager) refreshed(ctx context.Context) bool {
	names := make(chan string)
	var failures atomic.Int64
	var workers sync.WaitGroup
	for range refreshers {
		workers.Go(func() {
			for name := range names {
				if !m.refreshName(ctx, name) {
					failures.Add(1)
				}
			}
		})
	}
	for _, name := range m.stale() {
		names <- name
	}
	close(names)
	workers.Wait()
	return failures.Load() == 0
}

// refreshName reports whether the Registry has told what name means.
func (m *Manager) refreshName(ctx context.Context, name string) bool {
	version := m.version()
	m.mu.Lock()
	asked := m.follow.ask(version)
	m.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, shortLookup)
	defer cancel()
	c, err := m.lookupWhole(limited, name)
	if ctx.Err() != nil {
		return true // nobody wants to know any more
	}
	_, _, _ = m.settle(name, c, asked, err)
	var failed *lookupError
	return !errors.As(err, &failed)
}

// stale returns the names whose definition may have changed.
func (m *Manager) stale() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name, d := range m.names {
		if d.stale {
			names = append(names, name)
		}
	}
	return names
}

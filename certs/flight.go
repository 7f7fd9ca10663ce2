package certs

import (
	"context"
	"errors"
	"sync"
)

// flights let dials that have the same question wait for one answer.
type flights struct {
	mu      sync.Mutex
	running map[string]*flight // guarded by mu
}

// A flight is one question on its way.
type flight struct {
	cancel  context.CancelFunc
	waiters int           // guarded by flights.mu
	done    chan struct{} // closed when out and err are set
	out     outcome
	err     error
}

// do returns what ask returns, which runs once for all that call with the same
// key while it does. ctx ends the wait of this caller alone; when no caller is
// left, the context of ask ends.
func (f *flights) do(ctx context.Context, key string, ask func(context.Context) (outcome, error)) (outcome, error) {
	if err := ctx.Err(); err != nil {
		return outcome{}, err
	}
	fl := f.join(ctx, key, ask)
	defer f.leave(key, fl)
	select {
	case <-fl.done:
		return fl.out, fl.err
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	}
}

// join returns the flight of key, and starts it if there is none. Its goroutine
// ends with ask, whose context the last waiter ends: so an Asker that heeds its
// context leaves none behind.
func (f *flights) join(ctx context.Context, key string, ask func(context.Context) (outcome, error)) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl := f.running[key]; fl != nil {
		fl.waiters++
		return fl
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	// An Asker that ends its goroutine (runtime.Goexit) has not said yes.
	fl := &flight{cancel: cancel, waiters: 1, done: make(chan struct{}), err: errNoAnswer()}
	if f.running == nil {
		f.running = make(map[string]*flight)
	}
	f.running[key] = fl
	go func() {
		defer f.end(key, fl)
		fl.out, fl.err = ask(ctx)
	}()
	return fl
}

func errNoAnswer() error { return errors.New("the Asker ended without an answer") }

// leave takes one waiter from fl. What nobody waits for is no longer joined.
func (f *flights) leave(key string, fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl.waiters--
	if fl.waiters == 0 {
		fl.cancel()
		f.forget(key, fl)
	}
}

// end lets the waiters of fl go on.
func (f *flights) end(key string, fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget(key, fl)
	close(fl.done)
}

// forget takes fl off the list. The caller holds f.mu.
func (f *flights) forget(key string, fl *flight) {
	if f.running[key] == fl {
		delete(f.running, key)
	}
}

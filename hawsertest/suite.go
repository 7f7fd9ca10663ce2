package hawsertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"go.uber.org/goleak"
)

// prompt bounds what should take no time, on a busy machine.
const prompt = 2 * time.Second

// patience bounds what takes as long as the server does, so that a hang is a
// failure of its rule and not of the whole test binary.
const patience = time.Minute

// A rule is one subtest of a suite. Its name reads as the rule, without "/",
// which go test -run and -skip take apart.
type rule[S any] struct {
	name  string
	why   string // told when the rule is broken
	check func(s S)
}

// run checks each rule with a subject of its own.
func run[S any](t *testing.T, rules []rule[S], subject func(t *testing.T) S) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("the rule: %s", r.why)
				}
			})
			r.check(subject(t))
		})
	}
}

// within returns what fn returns, or fails t when that takes longer than d.
// fn runs in a goroutine of its own, so it must not fail t; one that hangs is
// left behind, because the rule is broken then anyway.
func within[T any](t testing.TB, d time.Duration, what string, fn func() T) T {
	t.Helper()
	done := make(chan T, 1)
	go func() { done <- fn() }() // ends with fn; done has room for its result
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case result := <-done:
		return result
	case <-timer.C:
		t.Fatalf("%s: still not back after %v", what, d)
		panic("unreachable")
	}
}

// ability returns what v can do as a T, also through the wrappers of a session.
func ability[T any](v any) (T, bool) {
	if s, ok := v.(hawser.Session); ok {
		return hawser.As[T](s)
	}
	t, ok := v.(T)
	return t, ok
}

// reusable reports whether v says that it may be used again. One that is not
// Leasable does not say, and counts as reusable.
func reusable(v any) bool {
	l, ok := ability[hawser.Leasable](v)
	return !ok || l.Reusable()
}

// parallelism is how many goroutines may use v at once, at most most.
func parallelism(v any, most int) int {
	p, ok := ability[hawser.Parallel](v)
	if !ok {
		return 1
	}
	return max(1, min(p.Parallelism(), most))
}

// each calls fn for 0 to n-1 from so many goroutines, and joins the errors.
func each(goroutines, n int, fn func(i int) error) error {
	var (
		workers sync.WaitGroup
		mu      sync.Mutex // guards next and errs
		next    int
		errs    []error
	)
	take := func(err error) (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			errs = append(errs, err)
		}
		next++
		return next - 1, next <= n && len(errs) < 5
	}
	for range goroutines {
		workers.Go(func() {
			for i, ok := take(nil); ok; i, ok = take(fn(i)) {
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

// unsupported reports whether err only says that the server lacks an ability,
// and logs so.
func unsupported(t testing.TB, what string, err error) bool {
	if errors.Is(err, errors.ErrUnsupported) {
		t.Logf("skipped, because the server lacks it: %s: %v", what, err)
		return true
	}
	return false
}

// ended returns a context that has ended.
func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// leaks returns a check that no goroutine is left but those of now. The ends of
// goroutines, also those of a server in this process, get time to happen.
func leaks(t testing.TB) func() {
	now := goleak.IgnoreCurrent()
	return func() {
		t.Helper()
		var err error
		for deadline := time.Now().Add(prompt); time.Now().Before(deadline); {
			if err = goleak.Find(now); err == nil {
				return // Find itself waits a little between its looks
			}
		}
		t.Errorf("goroutines are left: %v", err)
	}
}

// must returns a func that fails t unless err is nil, and returns v. It is for
// calls that are not what is tested.
func must[T any](v T, err error) func(t testing.TB, what string) T {
	return func(t testing.TB, what string) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

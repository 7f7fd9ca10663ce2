package postgres

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// listening are the times of a listener.
type listening struct {
	// connect is how long connecting may take.
	connect time.Duration
	// quiet is how long nothing may be told before the server is asked whether it is
	// still there, and answer how long that may take.
	quiet, answer time.Duration
	// pause lies between two tries to listen, and is doubled up to longest.
	pause, longest time.Duration
}

func (l listening) complete() listening {
	return listening{
		connect: cmp.Or(l.connect, 10*time.Second),
		quiet:   cmp.Or(l.quiet, 15*time.Second), answer: cmp.Or(l.answer, 5*time.Second),
		pause: cmp.Or(l.pause, 100*time.Millisecond), longest: cmp.Or(l.longest, 5*time.Second),
	}
}

// closeWithin bounds the good-bye to the server.
const closeWithin = time.Second

// A listener nudges a registry whenever the server tells of a change.
type listener struct {
	config  func() *pgx.ConnConfig // a func, so that no formatter reaches the password
	channel string
	nudge   func()
	listening

	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// start listens until stop.
func (l *listener) start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.ended.Go(func() { l.run(ctx) })
}

func (l *listener) stop() {
	l.cancel()
	l.ended.Wait()
}

// run listens, and after each end of that tries again. Why it ended is of no use to
// anybody: the nudge has the registry look by itself, and if that fails too, its
// watches end with the error.
func (l *listener) run(ctx context.Context) {
	for pause := l.pause; ; pause = min(2*pause, l.longest) {
		if l.listen(ctx) {
			pause = l.pause
		}
		l.nudge()
		if !sleep(ctx, pause/2+rand.N(pause/2)) {
			return
		}
	}
}

// listen returns when the connection was lost or ctx ended, and reports whether it
// listened at all.
func (l *listener) listen(ctx context.Context) bool {
	conn, err := l.dial(ctx)
	if err != nil {
		return false
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if !l.ask(ctx, conn, "LISTEN "+pgx.Identifier{l.channel}.Sanitize()) {
		return false
	}
	l.nudge() // of what was told before
	for l.wait(ctx, conn) {
	}
	return true
}

func (l *listener) dial(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, l.connect)
	defer cancel()
	return pgx.ConnectConfig(ctx, l.config())
}

// wait reports whether the server told something, or is at least there.
func (l *listener) wait(ctx context.Context, conn *pgx.Conn) bool {
	bounded, cancel := context.WithTimeout(ctx, l.quiet)
	defer cancel()
	_, err := conn.WaitForNotification(bounded)
	switch {
	case err == nil:
		l.nudge()
		return true
	case ctx.Err() != nil || conn.IsClosed() || !errors.Is(err, context.DeadlineExceeded):
		return false
	}
	// A connection that a firewall forgot is silent for ever.
	return l.ask(ctx, conn, "SELECT 1")
}

func (l *listener) ask(ctx context.Context, conn *pgx.Conn, statement string) bool {
	ctx, cancel := context.WithTimeout(ctx, l.answer)
	defer cancel()
	_, err := conn.Exec(ctx, statement)
	return err == nil
}

// sleep reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

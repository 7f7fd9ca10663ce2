package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/seal"
)

const (
	// answerWithin bounds the wait for the database of a caller whose context has no
	// deadline.
	answerWithin = 10 * time.Second
	// contendWithin bounds the tries to get past others who use the database.
	contendWithin = 30 * time.Second
	contendPause  = 64 * time.Millisecond // the longest between two of them
	// outageTries bounds those after the connection was lost, of which the first
	// few may be left over from before the database was started anew.
	outageTries = 6
	outagePause = 20 * time.Millisecond
)

// retry does try until it is done or hopeless, each time within answerWithin. The
// error is that of ctx if ctx ended, and says op if it is the database's.
func retry(ctx context.Context, op string, try func(ctx context.Context) error) error {
	start := time.Now()
	for n := range 1 << 20 {
		hangs, err := once(ctx, try)
		if err == nil || isAnswer(err) {
			return err
		}
		if ctx.Err() != nil {
			return ended(ctx, err)
		}
		if hangs {
			return &hangError{op, answerWithin, err}
		}
		var pause time.Duration
		switch {
		case isContention(err) && time.Since(start) < contendWithin:
			pause = min(time.Millisecond<<min(n, 10), contendPause)
		case isOutage(err) && n+1 < outageTries:
			pause = outagePause << n
		default:
			return fmt.Errorf("%s: %w", op, err)
		}
		if !sleep(ctx, pause/2+rand.N(pause/2)) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("%s: too many tries", op)
}

// once reports also whether answerWithin ended the try.
func once(ctx context.Context, try func(ctx context.Context) error) (hangs bool, err error) {
	bounded, cancel := within(ctx)
	defer cancel()
	err = try(bounded)
	return bounded.Err() != nil, err
}

// within bounds a ctx that has no deadline.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, answerWithin)
}

// A hangError says that the database did not answer, as when a firewall forgot the
// connection. It is no error of a context of the caller's.
type hangError struct {
	op   string
	wait time.Duration
	err  error
}

func (e *hangError) Error() string {
	text := fmt.Sprintf("%s: no answer within %v", e.op, e.wait)
	if commit := new(commitError); errors.As(e.err, &commit) {
		return text + " during the commit; the change may have been stored"
	}
	return text
}
func (e *hangError) Unwrap() error { return os.ErrDeadlineExceeded }

// ended is the error of ctx, which cut short what err is of.
func ended(ctx context.Context, err error) error {
	if commit := new(commitError); errors.As(err, &commit) {
		return fmt.Errorf("%w during the commit; the change may have been stored", ctx.Err())
	}
	return ctx.Err()
}

// isAnswer reports whether err is what was found, and not a failure of the
// database.
func isAnswer(err error) bool {
	for _, answer := range []error{hawser.ErrNotFound, hawser.ErrConflict, hawser.ErrInvalid, seal.ErrKey} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// A commitError is what a commit ended with. It may have taken effect, unless the
// error says that it did not.
type commitError struct{ err error }

func (e *commitError) Error() string {
	return fmt.Sprintf("commit: %v; the change may have been stored", e.err)
}
func (e *commitError) Unwrap() error { return e.err }

// isContention reports whether somebody else was in the way, and nothing was done.
func isContention(err error) bool {
	switch sqlState(err) {
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return true
	}
	const busy, locked = 5, 6 // SQLITE_BUSY and SQLITE_LOCKED, which extended codes end in
	code := sqliteCode(err) & 0xff
	return code == busy || code == locked
}

// isOutage reports whether the connection to the database was lost before a
// commit, so that another try does nothing twice.
func isOutage(err error) bool {
	var commit *commitError
	if errors.As(err, &commit) {
		return false
	}
	state := sqlState(err)
	switch {
	case state == "57P01", state == "57P02", state == "57P03": // shut down, crashed, starting up
		return true
	case len(state) == 5 && state[:2] == "08": // connection exception
		return true
	}
	// Not that of a dial: it says that the database is down.
	var network *net.OpError
	if errors.As(err, &network) && network.Op != "dial" || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	var safe interface{ SafeToRetry() bool } // of pgx: nothing was sent
	return errors.Is(err, driver.ErrBadConn) || errors.As(err, &safe) && safe.SafeToRetry()
}

// sqlState is the SQLSTATE of err, as the drivers for PostgreSQL give it.
func sqlState(err error) string {
	var e interface{ SQLState() string }
	if errors.As(err, &e) {
		return e.SQLState()
	}
	return ""
}

// sqliteCode is the result code of err, as modernc.org/sqlite gives it, 0 for none.
func sqliteCode(err error) int {
	var e interface{ Code() int }
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
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

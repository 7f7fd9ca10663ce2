package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hawser/hawser"
)

type stateError string

func (e stateError) Error() string    { return "state " + string(e) }
func (e stateError) SQLState() string { return string(e) }

type codeError int

func (e codeError) Error() string { return fmt.Sprint("code ", int(e)) }
func (e codeError) Code() int     { return int(e) }

func TestRetry(t *testing.T) {
	t.Parallel()
	const busySnapshot, constraint = 517, 19
	hour := 1 << 20
	for name, row := range map[string]struct {
		err   error
		tries int // at least; those that are tried on and on, many
	}{
		"a conflict":                   {fmt.Errorf("x: %w", hawser.ErrConflict), 1},
		"a failed statement":           {stateError("42601"), 1},
		"a constraint":                 {codeError(constraint), 1},
		"serialization":                {stateError("40001"), hour},
		"a deadlock":                   {fmt.Errorf("x: %w", stateError("40P01")), hour},
		"busy":                         {codeError(5), hour},
		"locked":                       {codeError(6), hour},
		"a snapshot that is too old":   {codeError(busySnapshot), hour},
		"serialization at the commit":  {&commitError{stateError("40001")}, hour},
		"a server that is shut down":   {stateError("57P01"), outageTries},
		"a server that starts":         {stateError("57P03"), outageTries},
		"a lost connection":            {stateError("08006"), outageTries},
		"a bad connection":             {fmt.Errorf("x: %w", driver.ErrBadConn), outageTries},
		"a connection that is reset":   {fmt.Errorf("x: %w", &net.OpError{Op: "read", Err: errors.New("reset")}), outageTries},
		"a connection that ends":       {fmt.Errorf("x: %w", io.ErrUnexpectedEOF), outageTries},
		"a connection that is refused": {&net.OpError{Op: "dial", Err: errors.New("refused")}, 1},
		"an outage during the commit":  {&commitError{stateError("57P01")}, 1},
		"an error that nobody has met": {errors.New("unknown"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start, tries := time.Now(), 0
				err := retry(t.Context(), "op", func(context.Context) error {
					tries++
					return row.err
				})
				assert.ErrorIs(t, err, row.err)
				if row.tries == hour {
					assert.InDelta(t, contendWithin, time.Since(start), float64(time.Second))
					return
				}
				assert.Equal(t, row.tries, tries)
			})
		})
	}
}

func TestRetryBoundsACallerWithoutADeadline(t *testing.T) {
	t.Parallel()
	for text, hang := range map[string]func(err error) error{
		"op: no answer within 10s": func(err error) error { return &net.OpError{Op: "read", Err: err} },
		"op: no answer within 10s during the commit; the change may have been stored": func(err error) error { return &commitError{err} },
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			err := retry(t.Context(), "op", func(ctx context.Context) error {
				<-ctx.Done()
				return hang(ctx.Err())
			})
			assert.EqualError(t, err, text)
			assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
			assert.NotErrorIs(t, err, context.DeadlineExceeded, "no context of the caller's has ended")
			assert.Equal(t, answerWithin, time.Since(start))
		})
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err := retry(ctx, "op", func(context.Context) error { return codeError(5) })
		assert.Equal(t, context.DeadlineExceeded, err)
		assert.Equal(t, time.Second, time.Since(start))
		err = retry(ctx, "op", func(context.Context) error { return &commitError{errors.New("cut")} })
		assert.EqualError(t, err, "context deadline exceeded during the commit; the change may have been stored")
		assert.NoError(t, retry(ctx, "op", func(context.Context) error { return nil }), "what was done is done")
	})
}

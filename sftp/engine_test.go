package sftp

import (
	"bytes"
	"context"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/bounded"
)

// alone is an engine whose server is the test. It ends with lost.
func alone(timeout time.Duration) (e *engine, lost chan error, stop func()) {
	lost = make(chan error, 1)
	calls := &bounded.Caller{Timeout: timeout, Lost: func(err error) {
		select {
		case lost <- err:
		default:
		}
	}}
	e = newEngine(func([]byte) error { return nil }, calls)
	return e, lost, func() {
		e.end(io.EOF)
		calls.Wait()
	}
}

// ask starts n requests and returns them.
func ask(e *engine, n int) []*request {
	requests := make([]*request, n)
	for i := range requests {
		requests[i] = &request{packet: newPacket(fxpClose)}
		e.start(requests[i])
	}
	return requests
}

// ok answers the request of a number.
func ok(t *testing.T, e *engine, number int) {
	t.Helper()
	require.NoError(t, e.receive(bytes.NewReader(make([]byte, 12)), fxpStatus, uint32(firstID+number), 12))
}

func TestEngineWaits(t *testing.T) {
	t.Parallel()
	const timeout = time.Second
	t.Run("for the end of a window that is far behind, while answers come", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			e, lost, stop := alone(timeout)
			defer stop()
			requests := ask(e, maxWindow)
			for i, r := range requests {
				time.Sleep(timeout * 9 / 10)
				ok(t, e, i)
				<-r.done
				require.NoError(t, r.err)
			}
			synctest.Wait()
			assert.Empty(t, lost)
		})
	})
	t.Run("not longer than Timeout where nothing comes", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			e, lost, stop := alone(timeout)
			defer stop()
			ask(e, 3)
			time.Sleep(timeout / 2)
			ok(t, e, 0)
			time.Sleep(timeout - time.Millisecond)
			assert.Empty(t, lost)
			time.Sleep(2 * time.Millisecond)
			err := <-lost
			assert.ErrorIs(t, err, hawser.ErrLost)
			assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		})
	})
	t.Run("for ever where nothing was asked", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			e, lost, stop := alone(timeout)
			defer stop()
			for i := range 3 {
				ask(e, 1)
				ok(t, e, i)
				time.Sleep(time.Hour)
			}
			assert.Empty(t, lost)
		})
	})
	t.Run("no longer than ctx", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			e, _, stop := alone(time.Hour)
			defer stop()
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			late := make(chan struct{})
			start := time.Now()
			err := e.call(ctx, &request{packet: newPacket(fxpOpen)}, func() { close(late) })
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, timeout, time.Since(start))
			ok(t, e, 0)
			<-late
		})
	})
}

func TestEngineAfterItsEnd(t *testing.T) {
	t.Parallel()
	e, _, stop := alone(time.Hour)
	before := ask(e, 2)
	stop()
	for _, r := range append(before, ask(e, 1)...) {
		<-r.done
		assert.ErrorIs(t, r.err, io.EOF)
	}
	assert.ErrorIs(t, e.receive(bytes.NewReader(nil), fxpStatus, firstID, 0), hawser.ErrLost)
}

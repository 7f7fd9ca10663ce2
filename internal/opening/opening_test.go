package opening_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func box() hawser.Connection {
	return hawser.Connection{Name: "box", Protocol: hawser.SSH, Host: "example.com", Port: 2222, Timeout: 10 * time.Second}
}

func asError(t testing.TB, err error) *hawser.Error {
	t.Helper()
	var e *hawser.Error
	require.ErrorAs(t, err, &e)
	return e
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	assert.Equal(t, hawser.DefaultTimeout, opening.Timeout(hawser.Connection{}))
	assert.Equal(t, time.Second, opening.Timeout(hawser.Connection{Timeout: time.Second}))
}

func TestOpeningTellsStepsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var steps []hawser.Step
		note := &hawser.Trace{Step: func(name string, s hawser.Step) {
			assert.Equal(t, "box", name)
			steps = append(steps, s)
		}}
		ctx := hawser.WithTrace(hawser.WithTrace(t.Context(), note), &hawser.Trace{})
		o := opening.Start(ctx, box())
		defer o.Close()
		o.Enter(hawser.PhaseConnect)
		assert.Equal(t, hawser.PhaseConnect, o.Phase())
		time.Sleep(time.Second)
		o.Done("192.0.2.1:22")
		o.Enter(hawser.PhaseLogin)
		time.Sleep(2 * time.Second)
		err := o.Fail(hawser.ErrAuth)
		assert.Equal(t, []hawser.Step{
			{Phase: hawser.PhaseConnect, Took: time.Second, Detail: "192.0.2.1:22"},
			{Phase: hawser.PhaseLogin, Took: 2 * time.Second, Err: err},
		}, steps)
		assert.EqualError(t, err, "open box: ssh example.com:2222: login: login refused")
	})
}

func TestOpeningEndsInTime(t *testing.T) {
	t.Parallel()
	inBubble := func(name string, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, test)
		})
	}
	inBubble("Context ends when the time is up, and Fail says so", func(t *testing.T) {
		o := opening.Start(t.Context(), box())
		defer o.Close()
		o.Enter(hawser.PhaseConnect)
		begun := time.Now()
		<-o.Context().Done()
		assert.Equal(t, 10*time.Second, time.Since(begun))
		synctest.Wait()
		e := asError(t, o.Fail(net.ErrClosed))
		require.ErrorIs(t, e, os.ErrDeadlineExceeded)
		assert.NotErrorIs(t, e, net.ErrClosed)
		assert.ErrorContains(t, e, "no answer within 10s")
		assert.True(t, e.Temporary)
	})
	inBubble("the time of a person does not count", func(t *testing.T) {
		o := opening.Start(t.Context(), box())
		defer o.Close()
		time.Sleep(4 * time.Second)
		require.NoError(t, o.Unhurried(func(context.Context) error { time.Sleep(time.Hour); return nil }))
		require.ErrorIs(t, o.Unhurried(func(context.Context) error { time.Sleep(time.Minute); return fs.ErrExist }), fs.ErrExist)
		assert.Equal(t, time.Hour+time.Minute, o.Paused())
		require.NoError(t, o.Context().Err())
		begun := time.Now()
		<-o.Context().Done()
		assert.Equal(t, 6*time.Second, time.Since(begun), "what was left")
	})
	inBubble("a person is given the caller's context", func(t *testing.T) {
		parent, cancel := context.WithCancel(t.Context())
		o := opening.Start(parent, box())
		defer o.Close()
		err := o.Unhurried(func(ctx context.Context) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		})
		require.ErrorIs(t, err, context.Canceled)
	})
	inBubble("the caller's context counts before all else", func(t *testing.T) {
		parent, cancel := context.WithTimeout(t.Context(), 10*time.Second) // the same moment
		defer cancel()
		o := opening.Start(parent, box())
		defer o.Close()
		o.Enter(hawser.PhaseTrust)
		<-o.Context().Done()
		<-parent.Done()
		synctest.Wait()
		e := asError(t, o.Fail(fmt.Errorf("%w: %w", hawser.ErrLost, io.EOF)))
		assert.Equal(t, context.DeadlineExceeded, e.Err)
		assert.False(t, e.Temporary)
		assert.Equal(t, hawser.PhaseTrust, e.Phase)
	})
	inBubble("Close ends Context", func(t *testing.T) {
		o := opening.Start(t.Context(), box())
		o.Close()
		require.ErrorIs(t, o.Context().Err(), context.Canceled)
	})
}

func TestFail(t *testing.T) {
	t.Parallel()
	missing := &fs.PathError{Op: "open", Path: "id", Err: syscall.ENOENT}
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	for _, row := range []struct {
		name      string
		phase     hawser.Phase
		err       error
		temporary bool
		want      hawser.Phase // "": phase
	}{
		{"a refused connection may be over soon", hawser.PhaseConnect, refused, true, ""},
		{"so may one that is lost before the login", hawser.PhaseTrust, fmt.Errorf("%w: %w", hawser.ErrLost, io.EOF), true, ""},
		{"one lost in the login may have locked the account", hawser.PhaseLogin, io.EOF, false, ""},
		{"a file that is not there will not be there soon", hawser.PhaseSecrets, missing, false, ""},
		{"a refused login stays", hawser.PhaseLogin, hawser.ErrAuth, false, ""},
		{"a refused identity stays, also one that could not be looked up", hawser.PhaseTrust, fmt.Errorf("%w: %w", hawser.ErrUntrusted, missing), false, ""},
		{"an invalid connection stays", hawser.PhaseConnect, &hawser.FieldError{Field: "via", Problem: "x"}, false, ""},
		{"nonsense stays", hawser.PhaseTrust, errors.New("overflow"), false, ""},
		{"a name that does not exist stays", hawser.PhaseConnect, &net.DNSError{Err: "no such host", IsNotFound: true}, false, hawser.PhaseResolve},
		{"a name server that does not answer may be back soon", hawser.PhaseConnect, &net.OpError{Op: "dial", Err: &net.DNSError{IsTimeout: true}}, true, hawser.PhaseResolve},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var told hawser.Step
			o := opening.Start(hawser.WithTrace(t.Context(), &hawser.Trace{Step: func(_ string, s hawser.Step) { told = s }}), box())
			defer o.Close()
			o.Enter(row.phase)
			e := asError(t, o.Fail(row.err))
			if row.want == "" {
				row.want = row.phase
			}
			assert.Equal(t, row.want, e.Phase)
			assert.Equal(t, row.want, told.Phase)
			assert.Equal(t, row.temporary, e.Temporary)
			assert.Equal(t, row.temporary, hawser.Retryable(e))
			assert.ErrorIs(t, e, row.err)
			assert.Equal(t, []string{"open", "box", "example.com:2222", "ssh"}, []string{e.Op, e.Name, e.Addr, string(e.Protocol)})
		})
	}
	t.Run("an error that says where it happened is kept", func(t *testing.T) {
		t.Parallel()
		o := opening.Start(t.Context(), box())
		defer o.Close()
		o.Enter(hawser.PhaseConnect)
		jump := &hawser.Error{Op: "open", Name: "jump", Phase: hawser.PhaseLogin, Err: hawser.ErrAuth}
		assert.Same(t, jump, o.Fail(fmt.Errorf("via: %w", jump)))
	})
}

func TestIsLoss(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err  error
		want bool
	}{
		{io.EOF, true},
		{io.ErrUnexpectedEOF, true},
		{io.ErrClosedPipe, true},
		{net.ErrClosed, true},
		{fmt.Errorf("handshake: %w", io.EOF), true},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		{os.NewSyscallError("write", syscall.EPIPE), true},
		{os.ErrDeadlineExceeded, true},
		{nil, false},
		{errors.New("EOF"), false},
		{hawser.ErrAuth, false},
		{fs.ErrNotExist, false},
	} {
		assert.Equal(t, row.want, opening.IsLoss(row.err), "IsLoss(%v)", row.err)
	}
}

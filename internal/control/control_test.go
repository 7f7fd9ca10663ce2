package control_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/control"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/testserver"
)

func to(t testing.TB, addr string) hawser.Connection {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	number, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	return hawser.Connection{Name: "bank", Protocol: hawser.FTP, Host: host, Port: uint16(number), Timeout: 20 * time.Second}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	server, err := testserver.StartTCP(testserver.Say("220 hello\r\n"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	var steps []hawser.Step
	ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Step: func(_ string, s hawser.Step) { steps = append(steps, s) }})
	c := to(t, server.Addr())
	way := control.NewWay(c, nil, nil)

	greeting, err := control.Open(ctx, way, c, func(d *control.Dial) (string, error) {
		require.NoError(t, d.Connect())
		defer d.Wire.Close()
		d.Enter(hawser.PhaseLogin)
		d.Detail = "hello"
		var text string
		err := d.Converse(func() error {
			r, err := d.Wire.Receive()
			text = r.Text()
			return err
		})
		return text, err
	})
	require.NoError(t, err)
	assert.Equal(t, "hello", greeting)
	require.Len(t, steps, 3)
	assert.Equal(t, hawser.PhaseConnect, steps[1].Phase)
	assert.Equal(t, "hello", steps[2].Detail)

	var dial *control.Dial
	_, err = control.Open(ctx, way, c, func(d *control.Dial) (string, error) {
		dial = d
		require.NoError(t, d.Connect())
		return "half of it", errFake
	})
	var e *hawser.Error
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, errFake)
	assert.Equal(t, "bank", e.Name)
	_, err = dial.Wire.Receive()
	require.ErrorIs(t, err, net.ErrClosed, "the connection of a run that failed is closed")
}

var errFake = errors.New("fake")

// A cancelled dial does not wait for what a server of TLS may still say.
func TestConverseThatIsCut(t *testing.T) {
	t.Parallel()
	id, err := testserver.NewIdentity()
	require.NoError(t, err)
	f := testserver.FTPScript{Identity: id, Implicit: true, Steps: testserver.Steps{{Reply: "220 hello"}}}.Start(t)
	c := to(t, f.Addr())
	c.TLS = hawser.TLSOptions{Mode: hawser.TLSImplicit, Roots: testcert.File(t, "ca.pem", id.PEM())}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var cut time.Time
	_, err = control.Open(ctx, control.NewWay(c, nil, nil), c, func(d *control.Dial) (string, error) {
		require.NoError(t, d.Connect())
		return "", d.Converse(func() error {
			_, err := d.Wire.Receive()
			require.NoError(t, err)
			cut = time.Now()
			cancel()
			_, err = d.Wire.Receive()
			return err
		})
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Less(t, time.Since(cut), 500*time.Millisecond)
}

func TestLife(t *testing.T) {
	t.Parallel()
	c := hawser.Connection{Name: "bank", Protocol: hawser.SMTP, Host: "h"}
	t.Run("one has the turn at a time", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := control.NewLife(c, func() {})
			require.True(t, l.Idle())
			require.NoError(t, l.Begin(t.Context()))
			require.False(t, l.Idle())
			require.False(t, l.TryBegin())
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.ErrorIs(t, l.Begin(ctx), context.DeadlineExceeded)
			got := make(chan error)
			go func() { got <- l.Begin(t.Context()) }()
			synctest.Wait()
			l.Finish()
			require.NoError(t, <-got)
		})
	})
	t.Run("the first end counts, and ends all waits", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ends := 0
			l := control.NewLife(c, func() { ends++ })
			require.NoError(t, l.Begin(t.Context()))
			got := make(chan error)
			go func() { got <- l.Begin(t.Context()) }()
			synctest.Wait()
			l.Lose(hawser.ErrLost)
			l.Lose(errFake)
			require.ErrorIs(t, <-got, hawser.ErrLost)
			<-l.Over()
			require.Equal(t, 1, ends)
			require.ErrorIs(t, l.Lease(c), hawser.ErrLost)
			require.ErrorIs(t, l.Begin(t.Context()), hawser.ErrLost)
		})
	})
	t.Run("errors name who uses it", func(t *testing.T) {
		t.Parallel()
		l := control.NewLife(c, func() {})
		require.NoError(t, l.Lease(hawser.Connection{Name: "next", Protocol: hawser.SMTP}))
		require.EqualError(t, l.Fail("send", errFake), "send next: smtp h:587: fake")
	})
}

func TestSettle(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	closed := net.ErrClosed
	for _, row := range []struct {
		name  string
		ctx   context.Context
		cause error
		err   error
		cut   bool
		want  error
		lost  bool
	}{
		{"what went well", t.Context(), nil, nil, false, nil, false},
		{"a refusal", t.Context(), nil, errFake, false, errFake, false},
		{"a loss", t.Context(), nil, hawser.ErrLost, false, hawser.ErrLost, true},
		{"a loss by the end of the context", ended, nil, hawser.ErrLost, true, context.Canceled, true},
		{"the end of the context, after all went well", ended, nil, nil, true, nil, true},
		{"a loss by Close", t.Context(), closed, hawser.ErrLost, false, closed, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			l := control.NewLife(hawser.Connection{}, func() {})
			if row.cause != nil {
				l.Lose(row.cause)
			}
			require.Equal(t, row.want, l.Settle(row.ctx, row.err, row.cut))
			require.Equal(t, row.lost, l.Cause() != nil)
		})
	}
}

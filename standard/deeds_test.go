package standard_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
)

func requireLost(t *testing.T, err error, begun time.Time) {
	t.Helper()
	require.ErrorIs(t, err, hawser.ErrLost)
	assert.NotErrorIs(t, err, hawser.ErrMaybeSent)
	assert.Less(t, time.Since(begun), soon)
}

// bigSize is that of the file "big" and of all else that is interrupted, in bytes.
const bigSize = 16 << 20

// big is the name of a file of bigSize.
var big = fmt.Sprint("size-", bigSize)

// fill puts big on every server of s that has files.
func fill(t *testing.T, s site) {
	t.Helper()
	m := manage(t, s.through(func(*hawser.Connection) {}))
	for _, kind := range []string{"ftp", "ftp tls", "sftp"} {
		require.NoError(t, hawser.Use(t.Context(), m, kind, func(ctx context.Context, files hawser.FileSystem) error {
			return put(ctx, files, big, make([]byte, bigSize))
		}))
	}
}

// A mark is told of the bytes of a transfer. It holds that up in the middle until
// the test has done something to it.
type mark struct {
	bytes   int64
	last    time.Time     // when some of them moved, or could for the first time
	reached chan struct{} // closed by the mark
	struck  chan struct{} // closed by the test
}

func newMark() *mark { return &mark{reached: make(chan struct{}), struck: make(chan struct{})} }

func (m *mark) Write(p []byte) (int, error) {
	const middle = 256 << 10
	before := m.bytes
	m.last = time.Now()
	if m.bytes += int64(len(p)); before < middle && m.bytes >= middle {
		close(m.reached)
		<-m.struck
	}
	return len(p), nil
}

// A deed is something long that a connection of a kind is for.
type deed struct {
	name, kind string
	do         func(ctx context.Context, m *hawser.Manager, kind string, at *mark) error
}

func deeds() []deed {
	var all []deed
	for _, kind := range []string{"ftp", "ftp tls", "sftp"} {
		all = append(all, deed{kind + " download", kind, download}, deed{kind + " upload", kind, upload})
	}
	return append(all, deed{"ssh command", "ssh", echo}, deed{"smtp message", "smtp starttls", letter})
}

// begin returns once d is in its middle. What comes of it is sent then.
func (d deed) begin(t *testing.T, m *hawser.Manager, at *mark) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- d.do(t.Context(), m, d.kind, at) }()
	select {
	case <-at.reached:
	case err := <-done:
		require.NoError(t, err, "before its middle")
		t.Fatal("it has no middle")
	}
	return done
}

func download(ctx context.Context, m *hawser.Manager, kind string, at *mark) error {
	return hawser.Use(ctx, m, kind, func(ctx context.Context, files hawser.FileSystem) error {
		r, err := files.Open(ctx, big, 0)
		if err != nil {
			return err
		}
		_, err = io.Copy(at, r)
		if err == nil && at.bytes != bigSize {
			return fmt.Errorf("%d bytes were called the whole file", at.bytes)
		}
		_ = r.Close()
		return settled(ctx, files, err)
	})
}

func upload(ctx context.Context, m *hawser.Manager, kind string, at *mark) error {
	return hawser.Use(ctx, m, kind, func(ctx context.Context, files hawser.FileSystem) error {
		w, err := files.Create(ctx, "in-"+rand.Text(), 0)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, io.TeeReader(zeroes(), at))
		closed := w.Close()
		var partial *hawser.PartialError
		if (err != nil || closed != nil) && !errors.As(closed, &partial) {
			return fmt.Errorf("a file that could not be written ended in %v", closed)
		}
		return settled(ctx, files, closed)
	})
}

// settled is err of a transfer, with what the session says to an operation after it:
// where both connections of ftp break, the data connection may be noticed first.
func settled(ctx context.Context, files hawser.FileSystem, err error) error {
	if err == nil {
		return nil
	}
	_, after := files.Stat(ctx, big)
	return errors.Join(err, after)
}

func zeroes() io.Reader { return bytes.NewReader(make([]byte, bigSize)) }

func echo(ctx context.Context, m *hawser.Manager, kind string, at *mark) error {
	return hawser.Use(ctx, m, kind, func(ctx context.Context, shell hawser.Runner) error {
		at.last = time.Now() // of what was echoed, a reset may leave nothing
		return shell.Run(ctx, &hawser.Command{Line: "cat", Stdin: zeroes(), Stdout: at})
	})
}

func letter(ctx context.Context, m *hawser.Manager, kind string, at *mark) error {
	return hawser.Use(ctx, m, kind, func(ctx context.Context, by hawser.Mailer) error {
		_, err := by.Send(ctx, hawser.Envelope{From: "jobs@inside.example", To: []string{"sink@inside.example"}}, lines{at})
		return err
	})
}

// lines are a message.
type lines struct{ at *mark }

func (l lines) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, io.TeeReader(bytes.NewReader(bytes.Repeat([]byte("Subject: long\r\n"), bigSize/15)), l.at))
}

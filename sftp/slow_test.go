package sftp_test

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/sftp"
)

// slow answers packets of a kind one after the other, each after its time.
func slow(each time.Duration, kinds ...byte) testserver.Hook {
	ticker := time.NewTicker(each) // collected with the server
	return func(p testserver.Packet) (forward, reply *testserver.Packet) {
		for _, kind := range kinds {
			if p.Type == kind {
				<-ticker.C
			}
		}
		return &p, nil
	}
}

func TestSlowButAlive(t *testing.T) {
	t.Parallel()
	const timeout = time.Second
	t.Run("a transfer that takes many times Timeout goes on while bytes flow", func(t *testing.T) {
		t.Parallel()
		s, _ := hooked(t, slow(10*time.Millisecond, testserver.FxpRead, testserver.FxpWrite))
		f := patientLogin(t, within(to(s), timeout))
		start := time.Now()
		require.NoError(t, upload(t.Context(), f, "file", content(4*mib)))
		got, err := download(t.Context(), f, "file")
		require.NoError(t, err)
		sameContent(t, content(4*mib), got)
		require.Greater(t, time.Since(start), 2*timeout)
	})
	t.Run("a small request in the middle of a transfer is not lost", func(t *testing.T) {
		t.Parallel()
		s, root := hooked(t, slow(5*time.Millisecond, testserver.FxpRead))
		put(t, root, "file", content(4*mib))
		f := patientLogin(t, within(to(s), timeout))
		r, err := f.Open(t.Context(), "file", 0)
		require.NoError(t, err)
		defer r.Close()
		_, err = io.CopyN(io.Discard, r, mib)
		require.NoError(t, err)
		start := time.Now()
		_, err = f.Stat(t.Context(), "file") // behind 64 READs
		require.NoError(t, err)
		t.Logf("Stat took %v", time.Since(start))
		_, err = io.Copy(io.Discard, r)
		require.NoError(t, err)
	})
	t.Run("a reader and a writer may rest for longer than Timeout", func(t *testing.T) {
		t.Parallel()
		s, root := hooked(t, (&tally{}).hook)
		put(t, root, "file", content(mib))
		f := patientLogin(t, within(to(s), timeout))
		r, err := f.Open(t.Context(), "file", 0)
		require.NoError(t, err)
		w, err := f.Create(t.Context(), "new", 0)
		require.NoError(t, err)
		_, err = io.CopyN(w, r, 100_000)
		require.NoError(t, err)
		<-time.After(2 * timeout) // what is tested is that nothing happens
		_, err = io.Copy(w, r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.NoError(t, w.Close())
		sameContent(t, content(mib), stored(t, root, "new"))
	})
	t.Run("an upload that is given up on a slow server says so within moments", func(t *testing.T) {
		t.Parallel()
		s, root := hooked(t, slow(20*time.Millisecond, testserver.FxpWrite))
		f := login(t, to(s))
		ctx, cancel := context.WithCancel(t.Context())
		w, err := f.Create(ctx, "file", 0)
		require.NoError(t, err)
		_, err = w.Write(content(2 * mib))
		require.NoError(t, err)
		cancel()
		took, err := returns(t, soon, "Close", w.Close)
		t.Logf("%v: %v", took, err)
		var partial *hawser.PartialError
		require.ErrorAs(t, err, &partial)
		assert.Eventually(t, f.Reusable, 2*soon, 10*time.Millisecond)
		sameContent(t, content(2 * mib)[:partial.Good], stored(t, root, "file"))
	})
}

// patientLogin tries again where a busy machine takes longer than Timeout to
// log in.
func patientLogin(t *testing.T, c hawser.Connection) *sftp.Session {
	t.Helper()
	for {
		f, err := sftp.Dialer{}.Open(t.Context(), c)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, f.Close()) })
		return f
	}
}

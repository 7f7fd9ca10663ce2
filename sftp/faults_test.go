package sftp_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/sftp"
)

// unanswered are the operations, and those of a transfer after its OPEN.
func unanswered() map[string]operation {
	all := operations()
	all["reading"] = operation{testserver.FxpRead, all["Open"].run}
	all["writing"] = operation{testserver.FxpWrite, all["Create"].run}
	all["closing a written file"] = operation{testserver.FxpClose, all["Create"].run}
	all["Mkdir"] = operation{testserver.FxpMkdir, func(ctx context.Context, f *sftp.Session) error { return f.Mkdir(ctx, "dir") }}
	all["Remove"] = operation{testserver.FxpRemove, func(ctx context.Context, f *sftp.Session) error { return f.Remove(ctx, "file") }}
	all["Rename"] = operation{testserver.FxpExtended, func(ctx context.Context, f *sftp.Session) error { return f.Rename(ctx, "file", "other") }}
	all["Chtimes"] = operation{testserver.FxpSetstat, func(ctx context.Context, f *sftp.Session) error { return f.Chtimes(ctx, "file", time.Now()) }}
	all["Chmod"] = operation{testserver.FxpSetstat, func(ctx context.Context, f *sftp.Session) error { return f.Chmod(ctx, "file", 0o600) }}
	all["Symlink"] = operation{testserver.FxpSymlink, func(ctx context.Context, f *sftp.Session) error { return f.Symlink(ctx, "file", "other") }}
	return all
}

func TestServerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, o := range unanswered() {
		login := func(t *testing.T, timeout time.Duration) *sftp.Session {
			s, root := hooked(t, testserver.Ignore(o.asks))
			put(t, root, "file", content(100_000))
			return patientLogin(t, within(to(s), timeout))
		}
		t.Run(name+" ends with its context", func(t *testing.T) {
			t.Parallel()
			f := login(t, patience)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			took, err := returns(t, 50*time.Millisecond+soon, name, func() error { return o.run(ctx, f) })
			t.Logf("%v after the end of the context: %v", (took - 50*time.Millisecond).Round(time.Millisecond), err)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.NotErrorIs(t, err, hawser.ErrLost)
			requireClosed(t, f)
		})
		t.Run(name+" ends after Timeout", func(t *testing.T) {
			t.Parallel()
			const timeout = 250 * time.Millisecond
			f := login(t, timeout)
			took, err := returns(t, timeout+soon, name, func() error { return o.run(t.Context(), f) })
			t.Logf("%v after Timeout: %v", (took - timeout).Round(time.Millisecond), err)
			requireLost(t, f, err)
		})
	}
}

func requireLost(t *testing.T, f *sftp.Session, err error) {
	t.Helper()
	assert.ErrorIs(t, err, hawser.ErrLost)
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.False(t, f.Reusable())
	requireClosed(t, f)
}

func requireClosed(t *testing.T, f *sftp.Session) {
	t.Helper()
	_, err := returns(t, soon, "Session.Close", f.Close)
	assert.NoError(t, err)
}

// moving runs a transfer of 4 MiB and calls then in the middle of it.
func moving(ctx context.Context, f *sftp.Session, direction string, then func()) error {
	half := map[int]func() error{mib: func() error { then(); return nil }}
	if direction == "upload" {
		w, err := f.Create(ctx, "file", 0)
		if err != nil {
			return err
		}
		_, _ = io.Copy(w, &gauge{data: content(4 * mib), after: half})
		return w.Close()
	}
	r, err := f.Open(ctx, "big", 0)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.CopyN(io.Discard, r, mib); err != nil {
		return err
	}
	then()
	_, err = io.Copy(io.Discard, r)
	return err
}

func TestServerFallsSilentInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, direction := range []string{"upload", "download"} {
		setUp := func(t *testing.T, timeout time.Duration) (*sftp.Session, *testserver.Relay, string) {
			root := t.TempDir()
			s := start(t, testserver.SSHConfig{Root: root})
			put(t, root, "big", content(40*mib)) // more than may be read ahead
			r := relayed(t, s.Addr(), testserver.RelayConfig{})
			return patientLogin(t, within(through(r, s), timeout)), r, root
		}
		t.Run(direction+" ends with its context", func(t *testing.T) {
			t.Parallel()
			f, r, root := setUp(t, patience)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var cancelled time.Time
			_, err := returns(t, soon, direction, func() error {
				return moving(ctx, f, direction, func() { r.Freeze(); cancelled = time.Now(); cancel() })
			})
			t.Logf("%v after the end of the context: %v", time.Since(cancelled).Round(time.Millisecond), err)
			assert.ErrorIs(t, err, context.Canceled)
			requireTruth(t, err, root)
			requireClosed(t, f)
		})
		t.Run(direction+" ends after Timeout", func(t *testing.T) {
			t.Parallel()
			const timeout = 300 * time.Millisecond
			f, r, root := setUp(t, timeout)
			var frozen time.Time
			_, err := returns(t, timeout+soon, direction, func() error {
				return moving(t.Context(), f, direction, func() { r.Freeze(); frozen = time.Now() })
			})
			t.Logf("%v after Timeout: %v", (time.Since(frozen) - timeout).Round(time.Millisecond), err)
			requireTruth(t, err, root)
			requireLost(t, f, err)
		})
	}
}

// requireTruth checks what a PartialError says of the file.
func requireTruth(t *testing.T, err error, root string) {
	t.Helper()
	var partial *hawser.PartialError
	if !assert.Error(t, err) || !asError(err, &partial) {
		return
	}
	disk := stored(t, root, "file")
	require.GreaterOrEqual(t, int64(len(disk)), partial.Good)
	sameContent(t, content(4 * mib)[:partial.Good], disk[:partial.Good])
}

// round is a session with an upload, a listing and a download of 200,000 bytes.
func round(ctx context.Context, d sftp.Dialer, c hawser.Connection) error {
	f, err := d.Open(ctx, c)
	if err != nil {
		return err
	}
	defer f.Close()
	name := fmt.Sprintf("file-%05d", c.Port) // others run at the same time
	if err := upload(ctx, f, name, content(200_000)); err != nil {
		return err
	}
	if _, err := list(ctx, f, "/"); err != nil {
		return err
	}
	got, err := download(ctx, f, name)
	if err == nil && len(got) != 200_000 {
		return fmt.Errorf("got %d bytes and no error", len(got))
	}
	return err
}

func TestFaultsAtOffsets(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := start(t, testserver.SSHConfig{Root: root})
	whole := relayed(t, s.Addr(), testserver.RelayConfig{})
	require.NoError(t, round(t.Context(), sftp.Dialer{}, through(whole, s)))
	up, down := whole.Bytes()
	for kind, fault := range map[string]testserver.Fault{"cut": testserver.Cut, "stalled": testserver.Stall} {
		n := int64(25)
		if fault == testserver.Stall {
			n = 12
		}
		for i := range n {
			// The end of a session cannot be told from its being cut there.
			for direction, at := range map[string]int64{"up": up * 95 / 100 * i / n, "down": down * 95 / 100 * i / n} {
				t.Run(fmt.Sprintf("%s %s at byte %d", kind, direction, at), func(t *testing.T) {
					t.Parallel()
					flow, cfg := testserver.Flow{Fault: fault, After: at}, testserver.RelayConfig{}
					if cfg.Up = flow; direction == "down" {
						cfg = testserver.RelayConfig{Down: flow}
					}
					r := relayed(t, s.Addr(), cfg)
					timeout, last := 250*time.Millisecond, &lastRead{}
					_, err := returns(t, patience, "the session", func() error {
						return round(t.Context(), sftp.Dialer{Transport: last}, within(through(r, s), timeout))
					})
					require.Error(t, err)
					if fault == testserver.Cut {
						timeout = 0
					}
					took := last.ago() - timeout
					t.Logf("%v after it: %v", took.Round(time.Millisecond), err)
					require.Less(t, took, soon)
					requireTyped(t, err)
				})
			}
		}
	}
}

func requireTyped(t *testing.T, err error) {
	t.Helper()
	var (
		opening *hawser.Error
		path    *fs.PathError
		partial *hawser.PartialError
	)
	if asError(err, &opening) {
		return
	}
	assert.True(t, asError(err, &path) || asError(err, &partial), "the type of %v", err)
	assert.ErrorIs(t, err, hawser.ErrLost)
}

func TestAbandonedRequests(t *testing.T) {
	t.Parallel()
	t.Run("leave the session usable if the answer comes", func(t *testing.T) {
		t.Parallel()
		s := start(t, testserver.SSHConfig{})
		require.NoError(t, os.WriteFile(filepath.Join(s.Root(), "file"), content(10), 0o600))
		r := relayed(t, s.Addr(), testserver.RelayConfig{Delay: 50 * time.Millisecond})
		f := login(t, through(r, s))
		for name, o := range operations() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			err := o.run(ctx, f)
			cancel()
			assert.ErrorIs(t, err, context.DeadlineExceeded, name)
		}
		_, err := f.Stat(t.Context(), "file")
		require.NoError(t, err)
		assert.Eventually(t, f.Reusable, soon, 10*time.Millisecond)
	})
	t.Run("have their handles closed", func(t *testing.T) {
		t.Parallel()
		y := &tally{}
		s, root := hooked(t, y.hook)
		put(t, root, "file", content(10))
		r := relayed(t, s.Addr(), testserver.RelayConfig{Delay: 50 * time.Millisecond})
		f := login(t, through(r, s))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := f.Open(ctx, "file", 0)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = f.Create(ctx, "new", 0)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Eventually(t, func() bool {
			return y.count(testserver.FxpClose) == y.count(testserver.FxpOpen) && y.count(testserver.FxpOpen) > 0
		}, soon, 10*time.Millisecond)
		assert.True(t, f.Reusable())
	})
}

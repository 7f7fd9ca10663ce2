package sftp_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/sftp"
)

// A cut is an upload that does not come to its end.
type cut struct {
	hook   testserver.Hook // nil: none
	after  func(s *testserver.SSH, cancel func()) error
	want   error // nil: any
	good   int64 // -1: not known beforehand
	ends   bool  // the session too
	offset int64 // where the file is continued
}

var errSource = errors.New("the source broke")

// cuts are of 2 MiB in packets of 32 KiB; after runs when half is read.
func cuts() map[string]cut {
	return map[string]cut{
		"the context is cancelled":                   {after: func(_ *testserver.SSH, cancel func()) error { cancel(); return nil }, want: context.Canceled, good: -1},
		"the context of a continuation is cancelled": {after: func(_ *testserver.SSH, cancel func()) error { cancel(); return nil }, want: context.Canceled, good: -1, offset: 100_001},
		"the source fails":                           {after: func(*testserver.SSH, func()) error { return errSource }, want: errSource, good: mib},
		"the source is cut short itself":             {after: func(*testserver.SSH, func()) error { return io.ErrUnexpectedEOF }, want: io.ErrUnexpectedEOF, good: mib},
		"the first WRITE fails":                      {hook: failAt(0, 4), good: 0},
		"the 20th WRITE fails":                       {hook: failAt(19*32*kib, 4), good: 19 * 32 * kib},
		"the 64th and last WRITE fails":              {hook: failAt(63*32*kib, 4), good: 63 * 32 * kib},
		"the first WRITE of a continuation fails":    {hook: failAt(100_001, 4), good: 100_001, offset: 100_001},
		"a WRITE is not permitted":                   {hook: failAt(4*32*kib, 3), want: fs.ErrPermission, good: 4 * 32 * kib},
		"the server drops the connection":            {after: func(s *testserver.SSH, _ func()) error { s.Drop(); return nil }, want: hawser.ErrLost, good: -1, ends: true},
	}
}

// failAt fails the WRITE at an offset; WRITEs come in any order.
func failAt(offset uint64, code uint32) testserver.Hook {
	return func(p testserver.Packet) (forward, reply *testserver.Packet) {
		if p.Type == testserver.FxpWrite && binary.BigEndian.Uint64(p.Payload[4+binary.BigEndian.Uint32(p.Payload):]) == offset {
			return nil, testserver.Status(p.ID, code, "no space left on device")
		}
		return &p, nil
	}
}

func TestUploadCut(t *testing.T) {
	t.Parallel()
	for name, c := range cuts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hook := c.hook
			if hook == nil {
				hook = (&tally{}).hook
			}
			s, root := hooked(t, hook)
			data := content(2 * mib)
			put(t, root, "file", data[:c.offset])
			f := login(t, to(s))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w, err := f.Create(ctx, "file", c.offset)
			require.NoError(t, err)
			source := &gauge{data: data[c.offset:]}
			if c.after != nil {
				source.after = map[int]func() error{mib: func() error { return c.after(s, cancel) }}
			}
			_, copied := io.Copy(w, source)
			disk := requirePartial(t, f, w, root, data, c)
			t.Logf("io.Copy: %v", copied)
			if c.good >= 0 {
				assert.EqualValues(t, c.good, disk)
			}
		})
	}
}

// requirePartial closes w, which must tell the truth about the file. It
// returns how much is right.
func requirePartial(t *testing.T, f *sftp.Session, w io.Closer, root string, data []byte, c cut) int64 {
	t.Helper()
	took, err := returns(t, soon, "Close", w.Close)
	var partial *hawser.PartialError
	require.ErrorAs(t, err, &partial)
	if c.want != nil {
		assert.ErrorIs(t, err, c.want)
	}
	disk := stored(t, root, "file")
	t.Logf("good %d of %d, on disk %d, Close after %v: %v", partial.Good, len(data), len(disk), took.Round(1e6), err)
	assert.Equal(t, "file", partial.Name)
	assert.Less(t, partial.Good, int64(len(data)))
	require.GreaterOrEqual(t, int64(len(disk)), partial.Good)
	sameContent(t, data[:partial.Good], disk[:partial.Good])
	assert.ErrorIs(t, w.Close(), fs.ErrClosed)
	assert.Equal(t, !c.ends, f.Reusable())
	if !c.ends {
		assert.Len(t, disk, int(partial.Good), "the file while the session lives")
		_, err := f.Stat(t.Context(), "file")
		assert.NoError(t, err)
	}
	return partial.Good
}

// What a server refuses at the end may have been kept back until then, so only
// what was there before is sure.
func TestCloseFails(t *testing.T) {
	t.Parallel()
	for name, offset := range map[string]int64{"of a new file": 0, "of a continuation": 30_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, root := hooked(t, testserver.FailNth(testserver.FxpClose, 1, 4, "quota exceeded"))
			data := content(100_000)
			put(t, root, "file", data[:offset])
			f := login(t, to(s))
			w, err := f.Create(t.Context(), "file", offset)
			require.NoError(t, err)
			_, err = w.Write(data[offset:])
			require.NoError(t, err)
			disk := requirePartial(t, f, w, root, data, cut{good: offset})
			assert.Equal(t, offset, disk)
		})
	}
}

// A source that never has anything, and never ends, is not waited for.
func TestSourceWithoutProgress(t *testing.T) {
	t.Parallel()
	s, _ := hooked(t, (&tally{}).hook)
	w, err := login(t, to(s)).Create(t.Context(), "file", 0)
	require.NoError(t, err)
	_, err = io.Copy(w, idle{})
	require.ErrorIs(t, err, io.ErrNoProgress)
	assert.ErrorIs(t, w.Close(), io.ErrNoProgress)
}

// idle reads nothing, without an error.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestDiskFull(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, c hawser.Connection, _ string) {
		if !realServer(t) {
			t.Skip("pkg/sftp's server looks for /dev/full in its root")
		}
		f := login(t, c)
		err := upload(t.Context(), f, "/dev/full", content(mib))
		t.Log(err)
		var partial *hawser.PartialError
		require.ErrorAs(t, err, &partial)
		assert.Zero(t, partial.Good)
		assert.True(t, f.Reusable())
	})
}

// The context may end between the last WRITE and CLOSE.
func TestHandleIsClosedWhenTheContextEndsLate(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	y := &tally{}
	s, root := hooked(t, y.then(func(p testserver.Packet) (forward, reply *testserver.Packet) {
		if p.Type == testserver.FxpFsetstat {
			cancel()
			return nil, nil
		}
		return &p, nil
	}))
	put(t, root, "file", content(1000))
	w, err := login(t, to(s)).Create(ctx, "file", 10)
	require.NoError(t, err)
	_, err = returns(t, soon, "Close", w.Close)
	require.ErrorIs(t, err, context.Canceled)
	assert.Eventually(t, func() bool { return y.count(testserver.FxpClose) == 1 }, soon, 10*time.Millisecond)
}

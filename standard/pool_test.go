package standard_test

import (
	"sync/atomic"
	"testing"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/standard"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The files of a Manager, which leases a session for each operation, keep every
// promise of a FileSystem.
func TestManagerFileSystem(t *testing.T) {
	t.Parallel()
	m := manage(t, ownSite(t).through(func(*hawser.Connection) {}))
	hawsertest.TestFileSystem(t, func(*testing.T) hawser.FileSystem { return plain{m.FileSystem("sftp")} })
}

// plain is a FileSystem without its optional abilities, of which the server in this
// process has not all.
type plain struct{ hawser.FileSystem }

// A session from the pool costs no round trip.
func TestWarmOpenSendsNothing(t *testing.T) {
	t.Parallel()
	m := manage(t, ownSite(t).through(func(*hawser.Connection) {}))
	for _, kind := range kinds() {
		require.NoError(t, work(t.Context(), m, kind, kind), kind)
		var sent atomic.Int32
		ctx := hawser.WithTrace(t.Context(), &hawser.Trace{
			Sent:     func(hawser.Message) { sent.Add(1) },
			Received: func(hawser.Message) { sent.Add(1) },
		})
		s, err := m.Open(ctx, kind)
		require.NoError(t, err, kind)
		require.NoError(t, s.Close(), kind)
		assert.Zero(t, sent.Load(), "messages of %s", kind)
	}
	for _, pool := range m.Stats() {
		assert.EqualValues(t, 1, pool.Opened, pool.Server)
	}
}

// BenchmarkWarmOpen opens and gives back a session that is in the pool, of each
// driver.
func BenchmarkWarmOpen(b *testing.B) {
	for _, kind := range kinds() {
		b.Run(kind, func(b *testing.B) {
			m := standard.New(hawser.NewMemory(ownSite(b)[kind]), standard.Options{})
			defer func() { _ = m.Close() }()
			b.ReportAllocs()
			for b.Loop() {
				s, err := m.Open(b.Context(), kind)
				if err != nil {
					b.Fatal(err)
				}
				_ = s.Close()
			}
		})
	}
}

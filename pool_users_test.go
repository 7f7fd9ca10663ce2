package hawser_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server that was restarted has ended them all.
func TestASessionThatWasLostHasItsSiblingsChecked(t *testing.T) {
	t.Parallel()
	d := &fsServers{}
	m := newManager(t, d, job("bank", "a"))
	var all []hawser.Session
	for range 3 {
		s, err := m.Open(t.Context(), "bank")
		require.NoError(t, err)
		all = append(all, s)
	}
	for _, s := range all {
		require.NoError(t, s.Close())
	}
	d.lose = 1
	for _, s := range d.sessions[:2] {
		s.dead.Store(true)
	}
	_, err := m.FileSystem("bank").Stat(t.Context(), "srv/in/a.csv")
	require.NoError(t, err)
}

// unguarded is a session whose state has no lock, as a Session may: one goroutine uses it at a time.
type unguarded struct {
	*poolSession
	open bool
}

func (s *unguarded) Reusable() bool { return !s.open }

// What it asked the session would race with that user.
func TestASecondCloseDoesNotTouchTheNextUsersSession(t *testing.T) {
	t.Parallel()
	d := &fakeServers{}
	m := newManager(t, dialFunc(func(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
		s, err := d.Dial(ctx, c)
		return &unguarded{poolSession: s.(*poolSession)}, err
	}), job("bank", "a"))
	s, err := m.Open(t.Context(), "bank")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	next, err := m.Open(t.Context(), "bank")
	require.NoError(t, err)
	p, _ := hawser.As[*unguarded](next)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 {
			_ = s.Close() // later calls return nil
		}
	}()
	for range 1000 {
		p.open = !p.open
	}
	<-done
}

// A server must not see a login after Close.
func TestCloseCutsADial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeServers{}
		m := &hawser.Manager{Registry: hawser.NewMemory(job("bank", "a")), Dialer: dialFunc(func(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
			select {
			case <-time.After(30 * time.Second):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return d.Dial(ctx, c)
		})}
		l := newSharedLimit(1)
		m.Limiter = l
		go func() { _, _ = m.Open(t.Context(), "bank") }()
		synctest.Wait()
		require.NoError(t, m.Shutdown(t.Context()))
		t.Log("limiter places after Shutdown:", l.taken())
		synctest.Wait()
		assert.Zero(t, l.taken())
		time.Sleep(31 * time.Second)
		t.Log("dialed after Close:", d.dialed())
		assert.Zero(t, d.dialed())
	})
}

// Whoever calls it may take everything to be closed.
func TestASecondCloseWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeServers{}
		m := newManager(t, dialFunc(func(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
			s, err := d.Dial(ctx, c)
			return slowClose{s.(*poolSession), time.Second}, err
		}), job("bank", "a"))
		_, err := m.Open(t.Context(), "bank")
		require.NoError(t, err)
		go func() { _ = m.Close() }()
		synctest.Wait()
		require.NoError(t, m.Close())
		require.Zero(t, d.opened())
	})
}

// Also with a context that has ended.
func TestShutdownThatCutsNothingIsNoError(t *testing.T) {
	t.Parallel()
	bad := 0
	for range 200 {
		m := &hawser.Manager{Registry: hawser.NewMemory(), Dialer: &fakeServers{}}
		if m.Shutdown(canceled(t)) != nil {
			bad++
		}
	}
	require.Zero(t, bad, "of 200")
}

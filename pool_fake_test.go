package hawser_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

// fakeServers is a driver whose sessions may serve one user after another. It
// counts as a server does: a session until it is closed.
type fakeServers struct {
	before func(c hawser.Connection) error // called by Dial; nil: all is well

	mu       sync.Mutex     // guards all below
	open     map[string]int // sessions by address and password
	most     map[string]int // that were open at once
	sessions []*poolSession
}

func (d *fakeServers) Dial(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d.before != nil {
		if err := d.before(c); err != nil {
			return nil, err
		}
	}
	s := &poolSession{d: d, at: c.Addr() + " " + c.Auth.Password.Reveal()}
	s.user.Store(&c.Name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		d.open, d.most = map[string]int{}, map[string]int{}
	}
	d.open[s.at]++
	d.most[s.at] = max(d.most[s.at], d.open[s.at])
	d.sessions = append(d.sessions, s)
	return s, nil
}

// dialed is how many sessions were opened, of any server.
func (d *fakeServers) dialed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.sessions)
}

// opened is how many are open now.
func (d *fakeServers) opened() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	sum := 0
	for _, n := range d.open {
		sum += n
	}
	return sum
}

// poolSession is Leasable.
type poolSession struct {
	d      *fakeServers
	at     string
	user   atomic.Pointer[string]
	dead   atomic.Bool // does not answer
	soiled atomic.Bool // is not Reusable
	pings  atomic.Int64
	closed atomic.Bool
	users  atomic.Int64 // at this moment; counted by tests
}

func (s *poolSession) Ping(context.Context) error {
	s.pings.Add(1)
	switch {
	case s.closed.Load():
		return net.ErrClosed
	case s.dead.Load():
		return hawser.ErrLost
	}
	return nil
}

func (s *poolSession) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.open[s.at]--
	return nil
}

func (s *poolSession) Lease(_ context.Context, c hawser.Connection) error {
	if s.closed.Load() {
		return net.ErrClosed
	}
	s.user.Store(&c.Name)
	return nil
}

func (s *poolSession) Reusable() bool { return !s.closed.Load() && !s.soiled.Load() }

// job is a connection to a server called host.
func job(name, host string) hawser.Connection {
	c := valid(ftp)
	c.Name, c.Host = name, host
	c.Auth.Password = hawser.NewSecret("first")
	return c
}

func limited(c hawser.Connection, sessions int) hawser.Connection {
	c.Limits.Sessions = sessions
	return c
}

// lease opens name and returns the driver's session too.
func lease(t testing.TB, m *hawser.Manager, name string) (hawser.Session, *poolSession) {
	t.Helper()
	s, err := m.Open(t.Context(), name)
	require.NoError(t, err)
	inner, ok := hawser.As[*poolSession](s)
	require.True(t, ok)
	return s, inner
}

// edit stores what change makes of name.
func edit(t testing.TB, m *hawser.Manager, name string, change func(c *hawser.Connection)) {
	t.Helper()
	reg := m.Registry.(interface {
		hawser.Registry
		hawser.Writer
	})
	c, err := reg.Lookup(t.Context(), name)
	require.NoError(t, err)
	change(&c)
	_, err = reg.Put(t.Context(), c)
	require.NoError(t, err)
}

// stats are those of the only pool.
func stats(t testing.TB, m *hawser.Manager) hawser.PoolStats {
	t.Helper()
	all := m.Stats()
	require.Len(t, all, 1, "pools")
	return all[0]
}

var errRefused = errors.New("refused by the fake server")

func (s *poolSession) String() string { return fmt.Sprint("session at ", s.at) }

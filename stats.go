package hawser

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// PoolStats says how the pool of one server and login is used.
type PoolStats struct {
	Server   string   // "sftp sftp.example.com:22 as jobs via gate.example.com:22"
	Names    []string // of the connections that lead there, in order
	Sessions int      // the limit; see [Limits]

	Open    int // sessions that are open, being opened or being closed
	Idle    int // of Open: those that wait for a user
	Waiting int // opens that wait for one of Sessions

	// What follows is counted since the pool came to be.

	Opened  int64         // sessions that were dialed
	Reused  int64         // opens that got a session from the pool
	Waits   int64         // opens that had to wait for one of Sessions
	Waited  time.Duration // in all, by those that do not wait any more
	Refused int64         // waits that ended without a session

	ClosedIdle     int64 // by Limits.Idle, or with the Manager
	ClosedLifetime int64 // by Limits.Lifetime
	ClosedBroken   int64 // were not Reusable, or did not answer
	ClosedChanged  int64 // of a definition that was changed or deleted
	ClosedExcess   int64 // made room for another definition, or for a smaller limit
	ClosedRecalled int64 // made room for another process; see [Limiter]
	ClosedUsed     int64 // of a driver whose sessions are not Leasable
}

// Stats returns the state of each pool, in the order of their servers. A pool
// that no name leads to any more, and that has no sessions, is forgotten, and its
// counts with it.
func (m *Manager) Stats() []PoolStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []PoolStats
	for _, p := range m.pools {
		s := p.count
		s.Server, s.Names, s.Sessions = p.server, slices.Sorted(maps.Keys(p.names)), p.limit
		s.Open, s.Idle, s.Waiting = p.open, len(p.idle)+len(p.checking), p.queue.Len()+p.asking.Len()
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b PoolStats) int { return strings.Compare(a.Server, b.Server) })
	return all
}

package etcd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/hawser/hawser"
)

// line is a queue of entries: node and limit of each, in turn. All of them were first
// seen at start, and those of node "a" are places of the Limiter.
func line(start time.Time, entries ...string) *queue {
	l := &Limiter{leases: map[clientv3.LeaseID]*lease{}, queues: map[string]*queue{}, removing: map[string]removal{}}
	q := &queue{l: l, prefix: "q", places: map[string]*place{}, moment: moment{revision: 100}}
	l.queues["q"] = q
	for i, text := range entries {
		e := entry{key: fmt.Sprint("q/", i), created: int64(i + 1), lease: clientv3.LeaseID(text[0]), seen: start}
		_, _ = fmt.Sscanf(text[1:], "%d", &e.sessions)
		q.entries = append(q.entries, e)
		if text[0] == 'a' {
			q.places[e.key] = &place{
				l: l, q: q, key: e.key, sessions: e.sessions, created: e.created,
				granted: make(chan struct{}), recalled: make(chan struct{}),
			}
		}
	}
	return q
}

// recalled lists the places that are, by their turn.
func (q *queue) recalledTurns() string {
	var turns []string
	for i, e := range q.entries {
		if p := q.places[e.key]; p != nil && p.isRecalled() {
			turns = append(turns, fmt.Sprint(i))
		}
	}
	return strings.Join(turns, " ")
}

func TestTurns(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		entries string // space separated: node, limit
		after   time.Duration
		granted string
		want    string // recalled
	}{
		{"without who waits nothing is recalled", "a3 a3 a3", time.Hour, "0 1 2", ""},
		{"at first nothing is recalled, for a place may be given back", "a3 a3 a3 b3", recallAfter / 2, "0 1 2", ""},
		{"one who waits recalls the oldest", "a3 a3 a3 b3", leastHold, "0 1 2", "0"},
		{"two who wait recall two", "a3 a3 a3 b3 c3", leastHold, "0 1 2", "0 1"},
		{"the oldest may be of another node, which recalls it", "c3 a3 a3 b3", leastHold, "1 2", ""},
		{"nobody recalls of his own node at first", "b3 a3 a3 b3", leastHold, "1 2", "1"},
		{"who waits long recalls one more each second", "a3 a3 a3 b3", recallAfter + recallMore, "0 1 2", "0 1"},
		{"and also of his own node", "a3 a3 a3 a3", recallAfter + recallMore, "0 1 2", "0 1"},
		{"not more than there is", "a3 a3 a3 b3", time.Hour, "0 1 2", "0 1 2"},
		{"each has the limit that he came with", "a5 a5 a3 a5 a3", 0, "0 1 2 3", ""},
		{"a limit that became smaller waits for more to go", "a5 a5 a5 b2", leastHold, "0 1 2", "0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			q := line(start, strings.Fields(row.entries)...)
			q.settle(start)
			q.settle(start.Add(row.after))
			var granted []string
			for i, e := range q.entries {
				if p := q.places[e.key]; p != nil && p.isGranted() {
					granted = append(granted, fmt.Sprint(i))
				}
			}
			assert.Equal(t, row.granted, strings.Join(granted, " "))
			assert.Equal(t, row.want, q.recalledTurns())
		})
	}
	t.Run("a place is held for a while at least", func(t *testing.T) {
		t.Parallel()
		start := time.Now()
		q := line(start, "a1", "b1")
		q.settle(start)
		q.settle(start.Add(recallAfter))
		require.Empty(t, q.recalledTurns())
		require.True(t, q.contended)
		q.settle(start.Add(leastHold))
		require.Equal(t, "0", q.recalledTurns())
		require.False(t, q.contended)
	})
}

func TestServerKey(t *testing.T) {
	t.Parallel()
	base := sftp("bank")
	base.Via, base.Hops = "gate", []hawser.Connection{{Protocol: hawser.SSH, Host: "gate.example.com"}}
	base.Proxy = hawser.Proxy{Type: hawser.ProxySOCKS5, Host: "proxy.example.com", Port: 1080}
	t.Run("is for people to read", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "sftp,sftp.example.com:22,jobs,through=socks5:proxy.example.com:1080,via=gate.example.com:22", serverKey(base))
	})
	t.Run("is the same for all names and secrets of a server", func(t *testing.T) {
		t.Parallel()
		same := base.Clone()
		same.Name, same.Description, same.Via, same.Host, same.Port = "other", "text", "same gate", "SFTP.example.com", 22
		same.Auth.Password, same.Auth.Key.File, same.Proxy.Password = hawser.NewSecret("x"), "key", hawser.NewSecret("y")
		same.Limits.Sessions, same.Revision = 3, "7"
		require.Equal(t, serverKey(base), serverKey(same))
	})
	t.Run("differs by all that leads to another session", func(t *testing.T) {
		t.Parallel()
		seen := map[string]bool{serverKey(base): true}
		for _, change := range []func(c *hawser.Connection){
			func(c *hawser.Connection) { c.Protocol = hawser.SSH },
			func(c *hawser.Connection) { c.Host = "other" },
			func(c *hawser.Connection) { c.Port = 23 },
			func(c *hawser.Connection) { c.Auth.User = "other" },
			func(c *hawser.Connection) { c.Auth.User = "jobs,through=socks5:proxy.example.com:1080" },
			func(c *hawser.Connection) { c.Auth.User = "a/b" },
			func(c *hawser.Connection) { c.Proxy.Host = "other" },
			func(c *hawser.Connection) { c.Proxy = hawser.Proxy{} },
			func(c *hawser.Connection) { c.Hops[0].Host = "other" },
			func(c *hawser.Connection) { c.Hops = nil },
			func(c *hawser.Connection) { c.Hops, c.Via = nil, "" },
			func(c *hawser.Connection) { c.Auth.User = strings.Repeat("u", 1000) },
		} {
			c := base.Clone()
			change(&c)
			key := serverKey(c)
			require.False(t, seen[key], key)
			require.NotContains(t, key, "/")
			require.LessOrEqual(t, len(key), longestKey)
			seen[key] = true
		}
	})
}

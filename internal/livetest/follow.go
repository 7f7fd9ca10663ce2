package livetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
)

// Follow edits a definition of reg under fifty jobs that transfer files through
// it, by SFTP and by FTP: to another server with another password and back, and to
// another password of the same server. It shows that no transfer fails or is lost,
// that each open after an edit uses the new definition, also where an idle session
// of the old one is at hand, and that those are gone from the server soon.
//
// An edit counts from when Put returned; if reg is a [hawser.Watcher] and no
// [hawser.Versioner], from when the first open used it. reg is a [hawser.Writer]
// that keeps literal secrets. Names that begin with "live " are put and deleted in
// it.
func Follow(t *testing.T, reg hawser.Registry) {
	t.Helper()
	for _, protocol := range []hawser.Protocol{hawser.SFTP, hawser.FTP} {
		t.Run(string(protocol), func(t *testing.T) { follow(t, reg, protocol) })
		t.Run(string(protocol)+" at rest", func(t *testing.T) { followAtRest(t, reg, protocol) })
	}
}

// followAtRest has one job, so that sessions of an old definition are idle, and
// nobody needs their places.
func followAtRest(t *testing.T, reg hawser.Registry, protocol hawser.Protocol) {
	a, b := newSite(t, protocol), newSite(t, protocol)
	c := newCrew(t, reg, "live at rest, "+string(protocol), a)
	for i := range 20 {
		require.NoError(t, c.transfer(t.Context()))
		c.edit(t, []*site{b, a}[i%2])
		require.NoError(t, c.transfer(t.Context()), "an open right after an edit")
	}
	old := c.last()
	s, err := c.manager.Open(t.Context(), c.conn.Name)
	require.NoError(t, err)
	c.edit(t, old.at)
	require.NoError(t, c.transfer(t.Context()))
	files, ok := hawser.As[hawser.FileSystem](s)
	require.True(t, ok)
	require.NoError(t, there(t.Context(), files, old.at.root), "a transfer by a session that was opened before an edit")
	require.NoError(t, s.Close())
	c.gone(t, old)
	c.remove(t)
}

func follow(t *testing.T, reg hawser.Registry, protocol hawser.Protocol) {
	const jobs = 50
	a, b := newSite(t, protocol), newSite(t, protocol)
	c := newCrew(t, reg, "live "+string(protocol), a)
	c.start(t, jobs)
	for _, at := range []*site{b, b, a, a, b} {
		before := c.last()
		c.edit(t, at)
		c.settle(t)
		c.gone(t, before)
	}
	// Two edits, and the second undoes the first before anybody has followed it.
	before := c.last()
	between := c.edit(t, a)
	c.edit(t, b)
	c.settle(t)
	c.gone(t, before, between)
	c.settle(t)
	c.end(t)
	c.remove(t)
}

// edit puts the next edition, at a site, and demands that it is used from now on.
// As an operator does, it has the server take the new password before.
func (c *crew) edit(t *testing.T, at *site) edition {
	t.Helper()
	e := c.next(at)
	c.define(e)
	put, err := c.reg.(hawser.Writer).Put(t.Context(), c.conn)
	require.NoError(t, err, "Put of edition %d", e.number)
	c.conn.Revision = put.Revision
	if c.tells() {
		c.used(t, e)
	}
	c.enforce(e)
	return e
}

// tells reports whether a watch alone tells the Manager of a Put.
func (c *crew) tells() bool {
	_, watches := c.reg.(hawser.Watcher)
	_, knows := c.reg.(hawser.Versioner)
	return watches && !knows
}

// define makes e what is put next.
func (c *crew) define(e edition) {
	c.conn.Description = fmt.Sprint("edition ", e.number)
	c.conn.Protocol, c.conn.Host, c.conn.Port = e.at.protocol, "127.0.0.1", e.at.port
	c.conn.Auth = hawser.Auth{User: user, Password: hawser.NewSecret(e.password)}
	c.conn.SSH.HostKeys = e.at.hostKeys
}

// used waits until an open uses e.
func (c *crew) used(t *testing.T, e edition) {
	t.Helper()
	c.eventually(t, fmt.Sprintf("an open uses edition %d", e.number), func() bool {
		found := ""
		err := hawser.Use(t.Context(), c.manager, c.conn.Name, func(_ context.Context, s *marked) error {
			found = s.password
			return nil
		})
		require.NoError(t, err)
		return found == e.password
	})
}

// last is the newest edition.
func (c *crew) last() edition {
	c.history.mu.Lock()
	defer c.history.mu.Unlock()
	return c.editions[len(c.editions)-1]
}

// gone waits until no session of the editions is left, and lets their passwords
// end: what still logs in by one fails, and who waits for the crew next sees it.
func (c *crew) gone(t *testing.T, old ...edition) {
	t.Helper()
	for _, e := range old {
		c.eventually(t, fmt.Sprintf("no session of edition %d is left", e.number), func() bool { return c.marks.opened(e.password) == 0 })
		e.at.allow(e.password, false)
		if e.at != c.last().at {
			c.eventually(t, fmt.Sprintf("the server of edition %d has no session", e.number), func() bool { return e.at.sessions() == 0 })
		}
	}
}

// remove deletes the definition, and with it the sessions that are idle.
func (c *crew) remove(t *testing.T) {
	t.Helper()
	require.NoError(t, c.reg.(hawser.Writer).Delete(t.Context(), c.conn.Name, c.conn.Revision))
	if _, ok := c.reg.(hawser.Watcher); !ok {
		_, err := c.manager.Open(t.Context(), c.conn.Name) // which looks the name up
		require.ErrorIs(t, err, hawser.ErrNotFound)
	}
	at := c.last().at
	c.eventually(t, "the server of a definition that was deleted has no session", func() bool { return at.sessions() == 0 })
	_, err := c.manager.Open(t.Context(), c.conn.Name)
	require.ErrorIs(t, err, hawser.ErrNotFound)
}

package livetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
)

// Outage takes the backend of reg away under jobs that transfer files, by stop,
// and gives it back by start. It shows that no transfer fails, that lookups say
// that the last good definition serves, that a name which nobody has used yet is
// not called missing, and that an edit after start is followed.
//
// Stop and start return once the backend is down or up; calls of reg may fail for
// a while after start, as they do after stop. reg is a [hawser.Writer] that keeps
// literal secrets. Names that begin with "live " are put and deleted in it.
func Outage(t *testing.T, reg hawser.Registry, stop, start func()) {
	t.Helper()
	const jobs = 10
	a, b := newSite(t, hawser.SFTP), newSite(t, hawser.SFTP)
	c := newCrew(t, reg, "live outage", a)
	c.start(t, jobs)
	first := c.last()
	stop()
	c.eventually(t, "a lookup says that the last good definition serves", c.fallsBack)
	for range 3 {
		c.settle(t)
	}
	s, err := c.manager.Open(t.Context(), "live unused")
	require.Error(t, err, "an open of a name that nobody has used yet: %v", s)
	assert.NotErrorIs(t, err, hawser.ErrNotFound, "nobody can know while the registry is down")
	start()
	e := c.recover(t, b)
	c.used(t, e)
	c.enforce(e)
	c.settle(t)
	c.gone(t, first)
	c.settle(t)
	c.end(t)
	c.remove(t)
}

// fallsBack reports whether a lookup was told to serve the last good definition.
func (c *crew) fallsBack() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for detail := range c.notes {
		if strings.HasPrefix(detail, "last good definition") {
			return true
		}
	}
	return false
}

// recover puts an edition at a site once the registry takes it. One that was
// refused may have been stored all the same.
func (c *crew) recover(t *testing.T, at *site) edition {
	t.Helper()
	e := c.next(at)
	c.define(e)
	c.conn.Revision = hawser.AnyRevision
	c.eventually(t, "the registry takes an edit again", func() bool {
		put, err := c.reg.(hawser.Writer).Put(t.Context(), c.conn)
		if err != nil {
			return false
		}
		c.conn.Revision = put.Revision
		return true
	})
	return e
}

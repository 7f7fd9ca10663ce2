package ftp

import (
	"context"
	"net"

	"github.com/hawser/hawser"
)

// A way is how a data connection is opened.
type way int

const (
	passive way = iota // by us
	active             // by the server
)

func (w way) String() string {
	if w == active {
		return "active"
	}
	return "passive"
}

// mode is w as ftp.mode has it.
func (w way) mode() hawser.DataMode {
	if w == active {
		return hawser.Active
	}
	return hawser.Passive
}

// ways is what a session has learned of the ways. The zero value knows nothing.
type ways struct {
	good           bool // known is one that worked
	known          way
	noEPSV, noEPRT bool // the server has refused them
}

// order returns the ways to try for a mode.
func (w *ways) order(mode hawser.DataMode) []way {
	switch {
	case mode == hawser.Active:
		return []way{active}
	case mode != hawser.Auto:
		return []way{passive}
	case w.good:
		return []way{w.known}
	}
	return []way{passive, active}
}

func (w *ways) worked(by way) { w.good, w.known = true, by }

// An opener is a data connection on its way. One of connect and abandon is
// called, or abandon after a connect that failed.
type opener interface {
	way() way
	addr() string // where the one who waits does so, host:port
	connect(ctx context.Context) (net.Conn, error)
	abandon()
}

// prepare tells the server how, or asks it where.
func (s *Session) prepare(ctx context.Context, w way) (opener, error) {
	if w == active {
		return s.prepareActive(ctx)
	}
	return s.preparePassive(ctx)
}

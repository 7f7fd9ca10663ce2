package smtp

import (
	"time"

	"github.com/hawser/hawser/internal/wire"
)

// A link is one connection of a session, on which commands and replies are in
// step.
type link struct {
	*wire.Conn
	features   features
	pipelining bool
	sent       int       // transactions so far
	open       bool      // the last one has neither come to an end nor been reset
	spoke      time.Time // when the last reply came
}

// noop makes one round trip.
func (l *link) noop() (wire.Reply, error) {
	defer func() { l.spoke = time.Now() }()
	return exchange(l.Conn, "NOOP")
}

// quit says goodbye, and waits a moment for the answer (RFC 5321, section
// 4.1.1.10).
func (l *link) quit() {
	const moment = 500 * time.Millisecond
	timer := time.AfterFunc(moment, l.Interrupt)
	defer timer.Stop()
	_, _ = exchange(l.Conn, "QUIT")
	_ = l.Close()
}

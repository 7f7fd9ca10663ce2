package smtp

import (
	"time"

	"github.com/hawser/hawser/internal/wire"
)

const (
	// mostWaiting is how many replies may be outstanding. Without a bound, a
	// server that waits to be rid of its replies and a client that waits to be rid
	// of its commands wait for each other (RFC 2920, section 3.1).
	mostWaiting = 100
	// endWithin is how long a server may take to answer the end of a message (RFC
	// 5321, section 4.5.3.2.6). It has many things to do, and whoever gives up too
	// early sends the message twice. The replies that it could have sent before
	// may come together with that.
	endWithin = 10 * time.Minute
)

// A flight is a group of commands that go out together (RFC 2920), or one by one
// where the server offers no PIPELINING. Their replies are taken in order.
type flight struct {
	o       *operation
	waiting []waiting
	ends    *bool // set once the end of a message is on its way; nil: none is in the flight
}

// A waiting is a reply that is to come.
type waiting struct {
	command string
	take    func(wire.Reply)
}

// add puts a command on the flight.
func (f *flight) add(line string, take func(wire.Reply)) error {
	if err := f.o.link.Queue(line, ""); err != nil {
		return err
	}
	f.waiting = append(f.waiting, waiting{verbOf(line), take})
	if f.o.link.pipelining && len(f.waiting) < mostWaiting {
		return nil
	}
	return f.land()
}

// land sends what waits and takes the replies. A loss ends it.
func (f *flight) land() error {
	all := f.waiting
	f.waiting = nil
	if err := unasked(f.o.link.Conn); err != nil {
		return err
	}
	if err := f.o.link.Flush(); err != nil {
		f.takeLastWords(all)
		return err
	}
	until := time.Time{}
	if f.ends != nil {
		*f.ends = true
		until = time.Now().Add(f.o.s.endWithin)
	}
	for _, w := range all {
		r, err := f.o.receive(w.command, until)
		if err != nil {
			return err
		}
		w.take(r)
	}
	return nil
}

// takeLastWords takes what a server said before it ceased to listen.
func (f *flight) takeLastWords(all []waiting) {
	for _, w := range all {
		r, said := f.o.lastWords()
		if !said || !answers(w.command, r) {
			return
		}
		w.take(r)
	}
}

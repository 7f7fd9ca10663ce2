package ftp

import (
	"sync"
	"time"
)

// noopEvery is how often the control connection is spoken on during a transfer.
// Firewalls forget a connection on which nothing moves, some after five minutes.
const noopEvery = time.Minute

// idle keeps a control connection alive by NOOP while a long transfer is under
// way. Most servers answer when the transfer is over.
type idle struct {
	stop chan struct{} // closed by close
	done chan struct{} // closed when nobody speaks any more
	once sync.Once
	sent int // NOOPs; complete when done is closed
}

// startIdle begins; close ends it.
func startIdle(s *Session) *idle {
	i := &idle{stop: make(chan struct{}), done: make(chan struct{})}
	go i.run(s)
	return i
}

func (i *idle) run(s *Session) {
	defer close(i.done)
	tick := time.NewTicker(s.noopEvery)
	defer tick.Stop()
	for {
		select {
		case <-i.stop:
			return
		case <-s.life.Over():
			return
		case <-tick.C:
		}
		if s.wire.Send("NOOP", "", "") != nil {
			return // the end of the transfer tells
		}
		i.sent++
	}
}

// close ends it and returns how many replies are still to come, if it is the
// first to ask.
func (i *idle) close() (sent int) {
	if i == nil {
		return 0
	}
	i.once.Do(func() {
		close(i.stop)
		<-i.done
		sent = i.sent
	})
	return sent
}

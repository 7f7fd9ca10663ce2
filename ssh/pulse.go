package ssh

import "sync"

// A pulse tells whether x/crypto still reads a connection. To who reads a
// channel, x/crypto says io.EOF when the server ended the channel, and says the
// same when the connection broke or a packet was forged. But it asks for more
// after the one, and never again after the other.
type pulse struct {
	changed *sync.Cond

	// changed.L guards both.
	reading bool
	err     error // why nothing is read any more; nil while all is well
}

func newPulse() *pulse { return &pulse{changed: sync.NewCond(&sync.Mutex{})} }

// begin is called before each read.
func (p *pulse) begin() {
	p.changed.L.Lock()
	defer p.changed.L.Unlock()
	p.reading = true
	p.changed.Broadcast()
}

// end is called after each read, before anybody sees its result, and with an
// error when the connection is closed. The first error stays.
func (p *pulse) end(err error) {
	p.changed.L.Lock()
	defer p.changed.L.Unlock()
	p.reading = false
	if err != nil && p.err == nil {
		p.err = err
		p.changed.Broadcast()
	}
}

// over is why nothing is read any more, as far as that is known yet.
func (p *pulse) over() error {
	p.changed.L.Lock()
	defer p.changed.L.Unlock()
	return p.err
}

// verdict waits until the connection is read on, and returns nil, or is over. A
// moment does: x/crypto is at the one or the other.
func (p *pulse) verdict() error {
	p.changed.L.Lock()
	defer p.changed.L.Unlock()
	for !p.reading && p.err == nil {
		p.changed.Wait()
	}
	return p.err
}

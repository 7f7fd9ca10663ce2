package hawsertest

import (
	"encoding/gob"
	"net"
	"strconv"
	"sync"
	"testing"
)

// A parcel is what a fakeMailer and a fakePost say to each other. The post
// answers all but Data and Reset.
type parcel struct {
	Kind    string // Ping, Mail, Data, Reset, End; of an answer OK or No
	From    string
	To      []string
	Data    []byte
	ID      string
	Refused []string
}

// fakePost is a server of parcels, which delivers what came whole.
type fakePost struct {
	listener net.Listener
	refuse   string

	mu        sync.Mutex // guards all below
	delivered []Delivered
}

// newPost serves until the test ends.
func newPost(t testing.TB) *fakePost {
	p := &fakePost{listener: listen(t), refuse: "refused@post.invalid"}
	go func() { // ends with the listener
		for conn, err := p.listener.Accept(); err == nil; conn, err = p.listener.Accept() {
			go p.serve(conn) // ends with its client's connection
		}
	}()
	return p
}

func (p *fakePost) serve(conn net.Conn) {
	defer conn.Close()
	in, out := gob.NewDecoder(conn), gob.NewEncoder(conn)
	var d Delivered
	for {
		var heard parcel
		if in.Decode(&heard) != nil {
			return // what has not come whole is not delivered
		}
		answer := parcel{Kind: "OK"}
		switch heard.Kind {
		case "Data":
			d.Data = append(d.Data, heard.Data...)
			continue
		case "Reset":
			d = Delivered{}
			continue
		case "Mail":
			d = Delivered{From: heard.From}
			answer.Refused = p.accept(&d, heard.To)
		case "End":
			answer.ID = p.deliver(d)
		}
		if out.Encode(answer) != nil {
			return
		}
	}
}

// accept gives d its recipients, and returns the others.
func (p *fakePost) accept(d *Delivered, to []string) []string {
	var refused []string
	for _, address := range to {
		if address == p.refuse {
			refused = append(refused, address)
		} else {
			d.To = append(d.To, address)
		}
	}
	return refused
}

// deliver keeps d behind trace fields, and returns its queue id.
func (p *fakePost) deliver(d Delivered) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.Data = append([]byte("Received: from here\r\n\tby there; now\r\nX-Queue: 1\r\n"), d.Data...)
	p.delivered = append(p.delivered, d)
	return strconv.Itoa(len(p.delivered))
}

// inbox returns what has been delivered so far.
func (p *fakePost) inbox(testing.TB) []Delivered {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delivered[:len(p.delivered):len(p.delivered)]
}

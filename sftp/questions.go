package sftp

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/hawser/hawser"
)

// questions are the requests under way that want more for an answer than yes.
// pkg/sftp takes a STATUS of OK for the answer to any request, and so for the
// end of a listing, or for a file without a handle. Its zero value is ready;
// its methods may be called concurrently.
type questions struct {
	mu    sync.Mutex // guards both
	kinds map[uint32]byte
	blank int // NAMEs without an entry in a row
}

// asked notes a request by its head.
func (q *questions) asked(head []byte) {
	if len(head) < 5 || !wantsMore(head[0]) {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.kinds == nil {
		q.kinds = map[uint32]byte{}
	}
	q.kinds[binary.BigEndian.Uint32(head[1:])] = head[0]
}

// answered returns an error if the packet is no answer to what was asked.
func (q *questions) answered(head []byte) error {
	if len(head) < 9 {
		return nil // pkg/sftp refuses it
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	id, number := binary.BigEndian.Uint32(head[1:]), binary.BigEndian.Uint32(head[5:])
	kind, open := q.kinds[id]
	delete(q.kinds, id)
	if open && head[0] == fxpStatus && number == 0 {
		return fmt.Errorf("%w: malformed answer: the server answered %s with OK and nothing else", hawser.ErrLost, packetName(kind))
	}
	if head[0] != fxpName {
		return nil
	}
	if q.blank++; number > 0 {
		q.blank = 0
	}
	const most = 100 // a few are forgiven, but pkg/sftp would ask for ever
	if q.blank > most {
		return fmt.Errorf("%w: malformed answer: the server goes on listing nothing", hawser.ErrLost)
	}
	return nil
}

// wantsMore is true for requests other than READ, whose answers the transfer
// checks.
func wantsMore(kind byte) bool {
	switch kind {
	case fxpOpen, fxpOpendir, fxpReaddir, fxpStat, fxpLstat, fxpFstat, fxpRealpath, fxpReadlink:
		return true
	}
	return false
}

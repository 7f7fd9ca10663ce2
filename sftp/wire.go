package sftp

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wirelog"
	"github.com/hawser/hawser/ssh"
)

// A wire is the byte stream below pkg/sftp. It replays the handshake that was
// made without it, sees every packet pass, for the log and for what the
// library does not check, and notices when the stream ends.
//
// pkg/sftp reads from one goroutine and writes from one at a time. A
// translator of other versions of the protocol would stand here.
type wire struct {
	stream *ssh.Stream
	log    *wirelog.Log
	lose   func(error)
	heard  atomic.Int64 // when a byte last came, in Unix nanoseconds

	replay   []byte // what is read before the stream
	greeted  bool   // pkg/sftp's own INIT was swallowed
	held     []byte // the head of a packet whose payload follows in the next Write
	sent     frames
	received frames
}

func newWire(stream *ssh.Stream, g greeting, log *wirelog.Log, lose func(error)) *wire {
	w := &wire{stream: stream, log: log, lose: lose, replay: g.versionMsg}
	w.heard.Store(time.Now().UnixNano())
	return w
}

// Read reads from the server. Its end is the end of the session.
func (w *wire) Read(p []byte) (int, error) {
	if len(w.replay) > 0 {
		n := copy(p, w.replay)
		w.replay = w.replay[n:]
		return n, nil
	}
	n, err := w.stream.Read(p)
	if n > 0 {
		w.heard.Store(time.Now().UnixNano())
		w.received.pass(p[:n], w.log.Listening(), func(head []byte, length int) { err = w.arrived(head, length, err) })
	}
	if err != nil {
		w.lose(complaint(fmt.Errorf("%w: the SFTP stream ended: %w", hawser.ErrLost, err), w.stream.Stderr()))
	}
	return n, err
}

// arrived looks at a packet of the server.
func (w *wire) arrived(head []byte, length int, err error) error {
	if isEmptyData(head) {
		// pkg/sftp would ask for the same bytes again, for ever.
		return fmt.Errorf("%w: the server answered a READ with nothing, which is neither data nor the end", hawser.ErrLost)
	}
	if w.log.Listening() {
		w.log.Received("%s", describe(head, length))
	}
	return err
}

// Write sends p to the server. pkg/sftp writes a packet with a payload in two
// parts; they go out as one.
func (w *wire) Write(p []byte) (int, error) {
	if !w.greeted {
		w.greeted = true // INIT, in one Write
		return len(p), nil
	}
	w.sent.pass(p, w.log.Listening(), func(head []byte, length int) {
		if w.log.Listening() {
			w.log.Sent("%s", describe(head, length))
		}
	})
	if w.sent.within() {
		w.held = append(w.held, p...)
		return len(p), nil
	}
	if len(w.held) == 0 {
		return w.stream.Write(p)
	}
	whole := append(w.held, p...)
	w.held = whole[:0]
	if _, err := w.stream.Write(whole); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close closes the stream.
func (w *wire) Close() error { return w.stream.Close() }

// silence is how long no byte has come.
func (w *wire) silence() time.Duration {
	return time.Duration(time.Now().UnixNano() - w.heard.Load())
}

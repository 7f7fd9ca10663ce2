package sftp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wirelog"
	"github.com/hawser/hawser/ssh"
)

// A wire is the byte stream below pkg/sftp and the engine, who share it and
// are told apart by request id. To pkg/sftp it is the server: it replays the
// handshake that was made without it, hands it the packets that are for it,
// and sees every packet pass for the log. A translator of other versions of
// the protocol would stand here.
//
// pkg/sftp reads from one goroutine, which thereby also serves the engine.
type wire struct {
	stream *ssh.Stream
	reader *bufio.Reader // of stream; small, so that content goes past it
	log    *wirelog.Log
	lose   func(error)
	engine *engine
	start  time.Time
	heard  atomic.Int64 // when bytes last came, in nanoseconds since start: the wall clock may jump

	due     questions // of pkg/sftp
	ready   []byte    // what pkg/sftp reads next
	passing int       // bytes of the current packet that it reads after that

	mu      sync.Mutex // one packet at a time; guards all below
	greeted bool       // pkg/sftp's own INIT was swallowed
	held    []byte     // a packet of pkg/sftp that is not whole yet
}

// describeMost is how much of a packet is looked at for the log, in bytes.
const describeMost = 1 << 10

func newWire(stream *ssh.Stream, g greeting, log *wirelog.Log, lose func(error)) *wire {
	w := &wire{stream: stream, log: log, lose: lose, start: time.Now(), ready: g.replay}
	w.reader = bufio.NewReaderSize(heardReader{w}, describeMost+headSize)
	return w
}

// heardReader notes when bytes come.
type heardReader struct{ w *wire }

func (r heardReader) Read(p []byte) (int, error) {
	n, err := r.w.stream.Read(p)
	if n > 0 {
		r.w.heard.Store(int64(time.Since(r.w.start)))
	}
	return n, err
}

// silence is how long no byte has come.
func (w *wire) silence() time.Duration {
	return time.Since(w.start) - time.Duration(w.heard.Load())
}

// Read gives pkg/sftp what is for it. The end of the stream is that of the
// session.
func (w *wire) Read(p []byte) (int, error) {
	for len(w.ready) == 0 && w.passing == 0 {
		if err := w.nextPacket(); err != nil {
			return 0, w.end(err)
		}
	}
	if len(w.ready) > 0 {
		n := copy(p, w.ready)
		w.ready = w.ready[n:]
		return n, nil
	}
	n, err := w.reader.Read(p[:min(len(p), w.passing)])
	w.passing -= n
	if err != nil {
		err = w.end(err)
	}
	return n, err
}

// end makes the end of the stream, or what is wrong with it, that of the
// session.
func (w *wire) end(err error) error {
	if !errors.Is(err, hawser.ErrLost) {
		err = fmt.Errorf("%w: the SFTP stream ended: %w", hawser.ErrLost, err)
	}
	err = complaint(err, w.stream.Stderr())
	w.lose(err)
	return err
}

// nextPacket reads the head of a packet and either has the engine take the
// rest or makes it ready for pkg/sftp.
func (w *wire) nextPacket() error {
	var head [headSize]byte
	if _, err := io.ReadFull(w.reader, head[:]); err != nil {
		return err
	}
	length := int(min(binary.BigEndian.Uint32(head[:]), 1<<30)) - (headSize - 4)
	if length < 0 {
		return malformed(errors.New("a packet shorter than its head"))
	}
	w.logReceived(head[4:], length)
	kind, id := head[4], binary.BigEndian.Uint32(head[5:])
	if id >= firstID {
		return w.engine.receive(w.reader, kind, id, length)
	}
	number, _ := w.reader.Peek(min(length, 4)) // what is not there is refused below or by pkg/sftp
	if err := w.due.answered(append(head[4:], number...)); err != nil {
		return err
	}
	w.ready, w.passing = head[:], length
	return nil
}

func (w *wire) logReceived(head []byte, length int) {
	if !w.log.Listening() {
		return
	}
	body, _ := w.reader.Peek(min(length, describeMost)) // what is not there shows as malformed
	w.log.Received("%s", describe(append(append([]byte(nil), head...), body...)))
}

// Write takes packets of pkg/sftp, which come in up to two parts.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.greeted {
		w.greeted = true // INIT, in one part
		return len(p), nil
	}
	w.held = append(w.held, p...)
	if len(w.held) < 4 || len(w.held) < 4+int(binary.BigEndian.Uint32(w.held)) {
		return len(p), nil
	}
	defer func() { w.held = w.held[:0] }()
	w.due.asked(w.held[4:])
	if err := w.write(w.held); err != nil {
		return 0, fmt.Errorf("%w: %w", hawser.ErrLost, err)
	}
	return len(p), nil
}

// send writes whole packets of the engine.
func (w *wire) send(packets []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.write(packets)
}

// write must be called with mu held.
func (w *wire) write(packets []byte) error {
	for rest := packets; w.log.Listening() && len(rest) >= 4; {
		end := 4 + int(binary.BigEndian.Uint32(rest))
		w.log.Sent("%s", describe(rest[4:min(end, 4+describeMost)]))
		rest = rest[end:]
	}
	_, err := w.stream.Write(packets)
	return err
}

// Close is how pkg/sftp gives up the stream: it met an answer that it does not
// understand, or the session ended before.
func (w *wire) Close() error {
	w.lose(fmt.Errorf("%w: %w", hawser.ErrLost, errMalformed))
	return w.stream.Close()
}

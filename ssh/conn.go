package ssh

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/wirelog"
)

// readBuffer is how much is read from the socket at once, in bytes. x/crypto
// reads through 4 KiB, which costs several system calls a packet.
const readBuffer = 256 << 10

// socket is the byte stream below SSH: buffered, watched for signs of life,
// and logged up to the server's identification line.
type socket struct {
	net.Conn
	reader  *bufio.Reader
	start   time.Time
	heard   atomic.Int64 // when a byte last came, in nanoseconds since start
	log     *wirelog.Log
	opening []byte // what came of the lines before the key exchange; nil after
	began   []byte // the first bytes; nil once the server has said SSH-
	pulse   *pulse
	poison  atomic.Pointer[func()] // has x/crypto write; nil during the handshake

	mu    sync.Mutex // guards all below
	held  []byte     // the head of a packet, to be sent with its tail
	flush *time.Timer
	err   error // sticky
}

func newSocket(c net.Conn, log *wirelog.Log) *socket {
	s := &socket{Conn: c, start: time.Now(), log: log, opening: []byte{}, pulse: newPulse()}
	s.reader = bufio.NewReaderSize(c, readBuffer)
	return s
}

// Read is called by one goroutine, that of x/crypto's transport.
func (s *socket) Read(p []byte) (int, error) {
	s.pulse.begin()
	n, err := s.reader.Read(p)
	s.pulse.end(err)
	if err != nil {
		s.stopWriting()
	}
	if n > 0 {
		s.heard.Store(int64(time.Since(s.start)))
		if s.opening != nil {
			s.identify(p[:n])
		}
	}
	return n, err
}

// writerSize is the buffer through which x/crypto writes: of a packet that is
// larger it writes so much first, and then the rest.
const writerSize = 4096

// Write sends p, but keeps what looks like the head of a packet for the rest,
// so that each packet is one system call and goes out in full segments. A head
// without a tail, a packet of just that size, goes out a moment later. Where
// nothing comes any more, nothing is sent.
func (s *socket) Write(p []byte) (int, error) {
	if err := s.pulse.over(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	if len(p) == writerSize && len(s.held) == 0 {
		s.hold(p)
		return len(p), nil
	}
	if len(s.held) == 0 {
		return s.Conn.Write(p)
	}
	return len(p), s.sendHeld(p)
}

func (s *socket) hold(p []byte) {
	const moment = time.Millisecond
	s.held = append(s.held, p...)
	if s.flush == nil {
		s.flush = time.AfterFunc(moment, s.flushHeld)
		return
	}
	s.flush.Reset(moment)
}

// flushHeld sends a head that is still alone.
func (s *socket) flushHeld() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) > 0 && s.err == nil {
		_ = s.sendHeld(nil) // the error is kept for the next Write
	}
}

// sendHeld must be called with mu held.
func (s *socket) sendHeld(tail []byte) error {
	s.flush.Stop()
	both := net.Buffers{s.held}
	if len(tail) > 0 {
		both = append(both, tail)
	}
	_, s.err = both.WriteTo(s.Conn)
	s.held = s.held[:0]
	return s.err
}

// stopWriting has x/crypto find that it cannot write, before Read tells it that the
// connection broke: to what it sends after it closed its channels, and before it
// knows, it waits for an answer for ever. The first error of Write it keeps to
// itself, so something must be written for that.
func (s *socket) stopWriting() {
	_ = s.Conn.Close() // unblocks a Write
	if write := s.poison.Load(); write != nil {
		(*write)()
	}
}

// Close closes the connection, also for x/crypto, which does so when it gives up.
func (s *socket) Close() error {
	s.pulse.end(net.ErrClosed)
	return s.Conn.Close()
}

// stranger is a hint, for a handshake that failed, if what the server said is of
// another protocol.
func (s *socket) stranger() string { return opening.Stranger(opening.SSH, s.began) }

// silence is how long no byte has come.
func (s *socket) silence() time.Duration { return time.Since(s.start) - s.lastHeard() }

// lastHeard is when a byte last came, since start: the wall clock may jump.
func (s *socket) lastHeard() time.Duration { return time.Duration(s.heard.Load()) }

// identify logs the lines up to the one that begins with SSH-, which may be
// preceded by others (RFC 4253, section 4.2).
func (s *socket) identify(p []byte) {
	const most = 8 << 10 // bytes, against a server that never comes to the point
	const head = 64      // bytes
	s.began = append(s.began, p[:min(len(p), head-min(len(s.began), head))]...)
	s.opening = append(s.opening, p...)
	for {
		line, rest, found := bytes.Cut(s.opening, []byte("\n"))
		if !found {
			break
		}
		text := strings.TrimSuffix(string(line), "\r")
		s.log.Received("%s", text)
		s.opening = rest
		if strings.HasPrefix(text, "SSH-") {
			s.opening, s.began = nil, nil
			return
		}
	}
	if len(s.opening) > most {
		s.opening = nil
	}
}

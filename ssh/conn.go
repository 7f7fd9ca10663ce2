package ssh

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"sync/atomic"
	"time"

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
	heard   atomic.Int64 // when a byte last came, in Unix nanoseconds
	log     *wirelog.Log
	opening []byte // what came of the lines before the key exchange; nil after
}

func newSocket(c net.Conn, log *wirelog.Log) *socket {
	s := &socket{Conn: c, log: log, opening: []byte{}}
	s.reader = bufio.NewReaderSize(c, readBuffer)
	s.heard.Store(time.Now().UnixNano())
	return s
}

// Read is called by one goroutine, that of x/crypto's transport.
func (s *socket) Read(p []byte) (int, error) {
	n, err := s.reader.Read(p)
	if n > 0 {
		s.heard.Store(time.Now().UnixNano())
		if s.opening != nil {
			s.identify(p[:n])
		}
	}
	return n, err
}

// silence is how long no byte has come.
func (s *socket) silence() time.Duration {
	return time.Duration(time.Now().UnixNano() - s.heard.Load())
}

// identify logs the lines up to the one that begins with SSH-, which may be
// preceded by others (RFC 4253, section 4.2).
func (s *socket) identify(p []byte) {
	const most = 8 << 10 // bytes, against a server that never comes to the point
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
			s.opening = nil
			return
		}
	}
	if len(s.opening) > most {
		s.opening = nil
	}
}

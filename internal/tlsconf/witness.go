package tlsconf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// maxHead bounds, in bytes, what a witness keeps of what it read.
const maxHead = 256

// A witness stands between crypto/tls and the connection during a handshake. It
// notes how the peer began and what broke the stream, because crypto/tls tells
// both in texts alone, and a program must not decide by those.
type witness struct {
	net.Conn
	id   []byte // the session identifier that the first bytes sent must say; nil: any
	done bool   // the handshake is over: nothing is noted any more
	head []byte // the first bytes that the peer sent
	err  error  // of the stream
}

// Read notes what it reads.
func (w *witness) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if !w.done {
		w.head = append(w.head, b[:min(n, maxHead-len(w.head))]...)
		w.note(err)
	}
	return n, err
}

// Write notes whether it failed. On a stream that broke it does so at once:
// crypto/tls still flushes what it had ready, and a peer that does not read
// would hold that up. It sends nothing if the first message does not say the
// identifier that it has to: see idReader.
func (w *witness) Write(b []byte) (int, error) {
	if !saysID(b, w.id) {
		return 0, errors.New("the session identifier was not said where it belongs")
	}
	w.id = nil
	if !w.done && w.err != nil {
		return 0, w.err
	}
	n, err := w.Conn.Write(b)
	if !w.done {
		w.note(err)
	}
	return n, err
}

func (w *witness) note(err error) {
	if w.err == nil {
		w.err = err
	}
}

// dismiss ends the noting.
func (w *witness) dismiss() { w.done, w.head = true, nil }

// broke reports whether err, of crypto/tls, is that of the stream.
func (w *witness) broke(err error) bool {
	return w.err != nil && (errors.Is(err, w.err) || w.err == io.EOF && errors.Is(err, io.ErrUnexpectedEOF))
}

// CloseWrite ends the stream in one direction if the connection below can.
func (w *witness) CloseWrite() error {
	half, ok := w.Conn.(interface{ CloseWrite() error })
	if !ok {
		return fmt.Errorf("close in one direction: %w", errors.ErrUnsupported)
	}
	return half.CloseWrite()
}

// saysID reports whether record begins with a ClientHello (RFC 5246, section
// 7.4.1.2) of the session identifier id; nil is any record.
func saysID(record, id []byte) bool {
	const (
		before = 5 + 4 + 2 + 32 // headers of record and message, version, random
		hello  = 1
	)
	if id == nil {
		return true
	}
	if len(record) < before+1+len(id) || record[0] != 22 || record[5] != hello || int(record[before]) != len(id) {
		return false
	}
	return bytes.Equal(record[before+1:before+1+len(id)], id)
}

// readServerHello returns the version that the server chose and the identifier
// of its session (RFC 5246, section 7.4.1.3) if head begins with a ServerHello,
// else zeros. The version of TLS 1.3 says 1.2 there.
func readServerHello(head []byte) (version uint16, session []byte) {
	const (
		record      = 5 // type, version, length
		message     = 4 // type, length
		random      = 32
		handshake   = 22
		serverHello = 2
	)
	if len(head) < record+message+2 || head[0] != handshake || head[record] != serverHello {
		return 0, nil
	}
	version = binary.BigEndian.Uint16(head[record+message:])
	if rest := head[record+message+2:]; len(rest) > random {
		n, rest := int(rest[random]), rest[random+1:]
		if len(rest) >= n {
			session = rest[:n]
		}
	}
	return version, session
}

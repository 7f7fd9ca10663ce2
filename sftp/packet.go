package sftp

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hawser/hawser"
)

// headSize is what every packet behind the handshake begins with: its length,
// type and request id.
const headSize = 4 + 1 + 4

// maxHandle is the longest handle, in bytes (draft-ietf-secsh-filexfer-02,
// section 6.2).
const maxHandle = 256

// newPacket begins a packet; append* add its fields. [engine.start] fills in
// length and id.
func newPacket(kind byte) []byte {
	packet := make([]byte, headSize, 64)
	packet[4] = kind
	return packet
}

func appendUint32(b []byte, n uint32) []byte { return binary.BigEndian.AppendUint32(b, n) }
func appendUint64(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, n) }

func appendString(b []byte, s string) []byte {
	return append(appendUint32(b, uint32(len(s))), s...)
}

// cutString splits an SSH string off b (RFC 4251, section 5).
func cutString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

// A statusError is a STATUS other than OK.
type statusError struct {
	code    uint32
	message string
}

func (e *statusError) Error() string {
	if e.message == "" {
		return statusName(e.code)
	}
	return fmt.Sprintf("%s: %s", statusName(e.code), hawser.Printable(e.message))
}

// errMalformed is what an answer is that the protocol does not know. It ends
// the session: what else may be wrong cannot be told.
var errMalformed = errors.New("malformed answer")

// parseStatus reads what follows the id of a STATUS; nil is OK.
func parseStatus(body []byte) error {
	if len(body) < 4 {
		return errMalformed
	}
	code := binary.BigEndian.Uint32(body)
	if code == statusOK {
		return nil
	}
	message, _, _ := cutString(body[4:]) // some servers leave it out
	return &statusError{code: code, message: string(message)}
}

// parseHandle reads what follows the id of a HANDLE.
func parseHandle(body []byte) (string, error) {
	handle, _, ok := cutString(body)
	if !ok || len(handle) > maxHandle {
		return "", errMalformed
	}
	return string(handle), nil
}

// parseSize reads the size out of what follows the id of an ATTRS.
func parseSize(body []byte) (int64, error) {
	const hasSize = 1
	switch {
	case len(body) < 4:
		return 0, errMalformed
	case binary.BigEndian.Uint32(body)&hasSize == 0:
		return 0, errors.New("the server does not tell the size of the file")
	case len(body) < 12:
		return 0, errMalformed
	}
	return int64(binary.BigEndian.Uint64(body[4:])), nil
}

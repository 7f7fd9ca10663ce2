package ftp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// size asks how long the file called line is, in bytes (RFC 3659, section 4). A
// server without SIZE gives an error that matches errors.ErrUnsupported.
func (s *Session) size(line string) (int64, error) {
	r, err := s.exchange("SIZE " + line)
	if err != nil {
		return 0, err
	}
	if r.Code != 213 {
		return 0, refusal("SIZE", r)
	}
	size, err := strconv.ParseInt(strings.TrimSpace(r.Text()), 10, 64)
	if err != nil || size < 0 {
		return 0, fmt.Errorf("%w: SIZE: the server tells no number: %s", errors.ErrUnsupported, r)
	}
	return size, nil
}

// checkSize compares what the server has with what was sent, if it tells.
func (s *Session) checkSize(line string, sent int64) error {
	size, err := s.size(line)
	switch {
	case isRefusal(err), errors.Is(err, errors.ErrUnsupported):
		return nil // it does not tell
	case err != nil:
		return err
	case size != sent:
		return fmt.Errorf("%w: the server has %d bytes of %d, though it called the file complete", errIncomplete, size, sent)
	}
	return nil
}

// errIncomplete is an upload of which something is missing.
var errIncomplete = errors.New("incomplete")

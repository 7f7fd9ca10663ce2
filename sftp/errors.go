package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/pkg/sftp"

	"github.com/hawser/hawser"
)

// Codes of STATUS (draft-ietf-secsh-filexfer-02, section 7, and -13, section
// 9.1) that have a meaning in Go. Servers send the later ones at version 3, too.
const (
	statusOK           = 0
	statusEOF          = 1
	statusNoSuchFile   = 2
	statusDenied       = 3
	statusFailure      = 4
	statusUnsupported  = 8
	statusNoSuchPath   = 10
	statusExists       = 11
	statusWriteProtect = 12
)

func statusName(code uint32) string {
	names := []string{
		"OK", "EOF", "NO_SUCH_FILE", "PERMISSION_DENIED", "FAILURE", "BAD_MESSAGE",
		"NO_CONNECTION", "CONNECTION_LOST", "OP_UNSUPPORTED",
	}
	if code < uint32(len(names)) {
		return names[code]
	}
	return fmt.Sprintf("code %d", code)
}

// explain turns an error of pkg/sftp into one that can be matched. Where the
// session is over, the cause of that is what counts.
func (s *Session) explain(err error) error {
	if err == nil || isContext(err) {
		return err
	}
	if cause := s.shell.Cause(); cause != nil {
		return cause
	}
	if errors.Is(err, errMalformed) {
		s.shell.Lose(fmt.Errorf("%w: %w", hawser.ErrLost, err))
		return s.shell.Cause()
	}
	code, ok := statusCode(err)
	if meaning := meanings()[code]; ok && meaning != nil {
		return fmt.Errorf("%w: %w", meaning, err)
	}
	return err
}

// meanings are the codes that have a name in the standard library.
func meanings() map[uint32]error {
	return map[uint32]error{
		statusEOF:          io.ErrUnexpectedEOF, // where it is not the end of a file
		statusNoSuchFile:   fs.ErrNotExist,
		statusDenied:       fs.ErrPermission,
		statusUnsupported:  errors.ErrUnsupported,
		statusNoSuchPath:   fs.ErrNotExist,
		statusExists:       fs.ErrExist,
		statusWriteProtect: fs.ErrPermission,
	}
}

// statusCode is the code of a STATUS, met by pkg/sftp or by the engine.
func statusCode(err error) (code uint32, ok bool) {
	var theirs *sftp.StatusError
	var ours *statusError
	switch {
	case errors.As(err, &ours):
		return ours.code, true
	case errors.As(err, &theirs):
		return theirs.Code, true
	}
	return 0, false
}

// judge ends the session where err, of pkg/sftp, is not what a server says but
// what it should never send. Where the session is over it returns the cause.
func (s *Session) judge(err error) error {
	var status *sftp.StatusError
	switch {
	case err == nil, isContext(err), errors.As(err, &status):
		return err
	case errors.Is(err, hawser.ErrLost), errors.Is(err, sftp.ErrSSHFxConnectionLost):
		return s.settle(err)
	case isAnswer(err):
		return err
	}
	s.shell.Lose(malformed(err))
	return s.shell.Cause()
}

// isAnswer reports whether err is what pkg/sftp makes of a STATUS, or ours.
func isAnswer(err error) bool {
	for _, known := range []error{fs.ErrNotExist, fs.ErrPermission, fs.ErrClosed, fs.ErrInvalid, errors.ErrUnsupported} {
		if errors.Is(err, known) {
			return true
		}
	}
	return errors.Is(err, io.EOF) && !errors.Is(err, hawser.ErrLost)
}

// settle returns the cause of the session's end, which err is a consequence
// of: whoever waits for an answer hears of it a moment before it is known.
func (s *Session) settle(err error) error {
	const moment = 250 * time.Millisecond
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-s.shell.Ended():
	case <-timer.C:
		s.shell.Lose(fmt.Errorf("%w: %w", hawser.ErrLost, err))
	}
	return s.shell.Cause()
}

// malformed is why a session ends whose server answers what makes no sense.
func malformed(err error) error {
	return fmt.Errorf("%w: %w: %w", hawser.ErrLost, errMalformed, err)
}

// pathError is what every operation on a file returns.
func (s *Session) pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: s.explain(err)}
}

// isFailure reports whether the server said no more than SSH_FX_FAILURE, which
// at version 3 stands for most reasons.
func isFailure(err error) bool {
	code, ok := statusCode(err)
	return ok && code == statusFailure
}

// checkName refuses names that no server could be trusted to take as they are.
func checkName(op, name string) error {
	if name == "" || strings.ContainsAny(name, "\r\n\x00") {
		return &fs.PathError{Op: op, Path: name, Err: fmt.Errorf("%w: a name must not be empty or hold CR, LF or NUL", fs.ErrInvalid)}
	}
	return nil
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

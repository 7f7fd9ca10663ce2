package sftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pkg/sftp"

	"github.com/hawser/hawser"
)

// Codes of STATUS (draft-ietf-secsh-filexfer-02, section 7, and -13, section
// 9.1), as far as they have a name in Go. Servers send the later ones at
// version 3, too.
const (
	statusUnsupported   = 8
	statusNoSuchPath    = 10
	statusExists        = 11
	statusWriteProtect  = 12
	statusDirNotEmpty   = 18
	statusNotADirectory = 19
)

// explain turns an error of pkg/sftp into one that can be matched. Where the
// session is over, the cause of that is what counts.
func (s *Session) explain(err error) error {
	if err == nil || isContext(err) {
		return err
	}
	if cause := s.shell.Cause(); cause != nil {
		return cause
	}
	var status *sftp.StatusError
	switch {
	case errors.Is(err, sftp.ErrSSHFxConnectionLost):
		return fmt.Errorf("%w: %w", hawser.ErrLost, err)
	case !errors.As(err, &status):
		return err
	}
	switch status.Code {
	case statusUnsupported:
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	case statusNoSuchPath:
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case statusExists:
		return fmt.Errorf("%w: %w", fs.ErrExist, err)
	case statusWriteProtect:
		return fmt.Errorf("%w: %w", fs.ErrPermission, err)
	}
	return err
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
	const failure = 4
	var status *sftp.StatusError
	return errors.As(err, &status) && status.Code == failure
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

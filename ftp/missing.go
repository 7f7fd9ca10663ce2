package ftp

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// A kind is what a name turns out to be.
type kind int

const (
	unknown kind = iota
	invalid
	forbidden
	missing
	file
	directory
)

// 550 means "no", whatever the reason, and so does 553. What it means is asked
// by other commands first; then a closed table of texts has to do.

// explainOpen is err of a command that wants name to be a file.
func (s *Session) explainOpen(err error, name string) error {
	refused := vague(err)
	if refused == nil {
		return err
	}
	k, broken := s.kindOf(name)
	switch {
	case broken != nil:
		return broken
	case k == missing:
		return as(fs.ErrNotExist, err)
	case k == directory:
		return as(errIsDir, err)
	case k == file && textOf(refused) != missing:
		return as(fs.ErrPermission, err)
	}
	return byText(refused, err)
}

// explainCreate is err of a command that makes name, or replaces it.
func (s *Session) explainCreate(err error, name string) error {
	refused := vague(err)
	if refused == nil {
		return err
	}
	if k, broken := s.kindOf(name); broken != nil {
		return broken
	} else if k == directory {
		return as(errIsDir, err)
	}
	return s.explainParent(err, refused, name)
}

// explainMkdir is err of MKD.
func (s *Session) explainMkdir(err error, name string) error {
	var refused *Error
	if errors.As(err, &refused) && refused.Code == codeExists {
		return as(fs.ErrExist, err)
	}
	if refused = vague(err); refused == nil {
		return err
	}
	k, broken := s.kindOf(name)
	switch {
	case broken != nil:
		return broken
	case k == file, k == directory:
		return as(fs.ErrExist, err)
	}
	return s.explainParent(err, refused, name)
}

// explainParent is err of a command that failed because of where name is.
func (s *Session) explainParent(err error, refused *Error, name string) error {
	parent := path.Dir(name)
	if parent == "." || parent == "/" {
		return byText(refused, err)
	}
	k, broken := s.kindOf(parent)
	switch {
	case broken != nil:
		return broken
	case k == missing:
		return as(fs.ErrNotExist, err)
	case k == file:
		return as(errNotDir, err)
	}
	return byText(refused, err)
}

// vague returns the reply that err is, if it can mean several things.
func vague(err error) *Error {
	var refused *Error
	if !errors.As(err, &refused) {
		return nil
	}
	switch refused.Code {
	case codeUnavailable, codeNotNow:
		if textOf(refused) == unknown {
			return nil // not now, which is not for ever
		}
		return refused
	case codeRefused, codeNameForbidden, 554:
		return refused
	}
	return nil
}

// as makes err match category too.
func as(category, err error) error { return fmt.Errorf("%w: %w", category, err) }

// byText lets the words of the reply decide, and else holds that it was not
// permitted, which is what a refusal of something that is there comes to.
func byText(refused *Error, err error) error {
	switch textOf(refused) {
	case missing:
		return as(fs.ErrNotExist, err)
	case file:
		return as(fs.ErrExist, err)
	case invalid:
		return as(fs.ErrInvalid, err)
	}
	return as(fs.ErrPermission, err)
}

// textOf is what the text of a refusal says of the name: forbidden, missing,
// there (file), not possible (invalid), or nothing.
func textOf(refused *Error) kind {
	text := strings.ToLower(refused.Text)
	for _, row := range []struct {
		words string
		kind  kind
	}{
		{"permission", forbidden},
		{"denied", forbidden},
		{"not permitted", forbidden},
		{"not allowed", forbidden},
		{"no such file", missing},
		{"not found", missing},
		{"does not exist", missing},
		{"doesn't exist", missing},
		{"cannot find", missing},
		{"can't find", missing},
		{"no such directory", missing},
		{"file exists", file},
		{"already exists", file},
		{"invalid directory name", invalid},
		{"invalid file name", invalid},
		{"invalid filename", invalid},
	} {
		if strings.Contains(text, row.words) {
			return row.kind
		}
	}
	return unknown
}

// kindOf asks what name is: by MLST where the server has it, else by SIZE, which
// only files have, and by CWD, which only directories let in.
func (s *Session) kindOf(name string) (kind, error) {
	if s.features.has("MLST") {
		entry, err := s.mlst(name)
		switch {
		case err == nil && entry.IsDir():
			return directory, nil
		case err == nil:
			return file, nil
		case !isRefusal(err):
			return unknown, err
		case !errors.Is(err, errors.ErrUnsupported):
			return refusedKind(err), nil
		}
	}
	_, err := s.size(name)
	switch {
	case err == nil:
		return file, nil
	case !isRefusal(err) && !errors.Is(err, errors.ErrUnsupported):
		return unknown, err
	}
	in, broken := s.enter(name)
	if broken != nil {
		return unknown, broken
	}
	if in {
		return directory, s.leave()
	}
	return refusedKind(err), nil
}

// refusedKind is what a question that was refused tells: that there is nothing,
// unless the text speaks of permission, or the server does not know the question
// or will not answer it now.
func refusedKind(err error) kind {
	var refused *Error
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return unknown
	case errors.As(err, &refused) && (textOf(refused) == forbidden || isNotNow(refused)):
		return unknown
	}
	return missing
}

// isNotNow reports a refusal that may be another answer soon, and so tells
// nothing of the name (RFC 959, section 4.2.1), unless its text does.
func isNotNow(refused *Error) bool { return refused.Code/100 == 4 && textOf(refused) == unknown }

// enter goes to a directory, and reports whether it is one.
func (s *Session) enter(name string) (bool, error) {
	if s.home == "" {
		return false, nil // there would be no way back
	}
	r, err := s.exchange("CWD " + name)
	return isDone(r), err
}

// leave goes back to where names start. Where that fails, names would mean other
// files, so the session ends.
func (s *Session) leave() error {
	r, err := s.exchange("CWD " + s.home)
	if err == nil && !isDone(r) {
		err = fmt.Errorf("%w: there is no way back to %q: %w", errLostHome, s.home, refusal("CWD", r))
	}
	return err
}

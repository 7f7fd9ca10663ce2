package ftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/listing"
)

// Stat describes the file that name leads to. A server without MLST tells of a
// file its size and its time, and of a directory that it is one.
func (s *Session) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	var found fs.FileInfo
	err := s.on(ctx, "stat", name, func(line string) (err error) {
		found, err = s.stat(line)
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (s *Session) stat(line string) (fs.FileInfo, error) {
	if s.features.has("MLST") {
		entry, err := s.mlst(line)
		refused := vague(err)
		switch {
		case err == nil:
			return entry, nil
		case refused != nil && textOf(refused) == forbidden:
			return nil, as(fs.ErrPermission, err)
		case refused != nil:
			return nil, as(fs.ErrNotExist, err)
		case !errors.Is(err, errors.ErrUnsupported):
			return nil, err
		}
	}
	return s.statPlain(line)
}

// mlst asks for the facts of one name (RFC 3659, section 7).
func (s *Session) mlst(line string) (listing.Entry, error) {
	r, err := s.exchange("MLST " + line)
	if err != nil {
		return listing.Entry{}, err
	}
	body := r.Body()
	switch {
	case r.Code != 250:
		return listing.Entry{}, refusal("MLST", r)
	case len(body) == 0:
		return listing.Entry{}, fmt.Errorf("%w: MLST: there are no facts in %s", errors.ErrUnsupported, r)
	}
	entry, err := listing.ParseMLST(body[0], s.listingOptions())
	if err != nil {
		return listing.Entry{}, fmt.Errorf("%w: MLST: %w", errors.ErrUnsupported, err)
	}
	return entry, nil
}

// statPlain asks by SIZE and MDTM, and by CWD for a directory.
func (s *Session) statPlain(line string) (fs.FileInfo, error) {
	base := path.Base(line)
	name, err := s.names.decode(base)
	if err != nil {
		return nil, err
	}
	size, err := s.size(line)
	switch {
	case err == nil:
		modified, err := s.modified(line)
		if err != nil {
			return nil, err
		}
		mode, attributes, err := s.look(line)
		if err != nil {
			return nil, err
		}
		return &plainInfo{name: name, size: size, modified: modified, mode: mode, attributes: attributes}, nil
	case !isRefusal(err):
		return nil, err
	}
	in, broken := s.enter(line)
	if broken != nil {
		return nil, broken
	}
	if in {
		return &plainInfo{name: name, mode: fs.ModeDir}, s.leave()
	}
	var refused *Error
	isRefused := errors.As(err, &refused)
	switch {
	case errors.Is(err, errors.ErrUnsupported), isRefused && isNotNow(refused):
		return nil, err
	case isRefused && textOf(refused) == forbidden:
		return nil, as(fs.ErrPermission, err)
	}
	return nil, as(fs.ErrNotExist, err)
}

// modified asks when a file was changed (RFC 3659, section 3). The zero time is
// that of a server that does not tell.
func (s *Session) modified(line string) (time.Time, error) {
	r, err := s.exchange("MDTM " + line)
	if err != nil || r.Code != 213 {
		return time.Time{}, err
	}
	// With fractions, as the format allows them after the seconds.
	at, err := time.Parse("20060102150405", strings.TrimSpace(r.Text()))
	if err != nil {
		return time.Time{}, nil
	}
	return at, nil
}

// look asks by STAT, which lists on the control connection, for what a listing
// tells of a file besides its size and time. Where the answer is not of this one
// file, nothing is told.
func (s *Session) look(line string) (fs.FileMode, *hawser.FileAttributes, error) {
	if s.noLook || strings.ContainsAny(line, "*?[]{}\\") || strings.HasPrefix(line, "-") {
		return 0, nil, nil // which many servers take for patterns and options
	}
	r, err := s.exchange("STAT " + line)
	if err != nil {
		return 0, nil, err
	}
	s.noLook = r.Class() != 2
	body := r.Body()
	if s.noLook || len(body) != 1 {
		return 0, nil, nil
	}
	entries, err := listing.ParseList(strings.NewReader(body[0]+"\r\n"), s.listingOptions())
	if err != nil || len(entries) != 1 || entries[0].IsDir() {
		return 0, nil, nil
	}
	attributes, _ := entries[0].Sys().(*hawser.FileAttributes)
	return entries[0].Mode() &^ fs.ModeType, attributes, nil
}

// plainInfo is what SIZE, MDTM, STAT and CWD tell.
type plainInfo struct {
	name       string
	size       int64
	modified   time.Time
	mode       fs.FileMode
	attributes *hawser.FileAttributes
}

func (i *plainInfo) Name() string       { return i.name }
func (i *plainInfo) Size() int64        { return i.size }
func (i *plainInfo) ModTime() time.Time { return i.modified }
func (i *plainInfo) IsDir() bool        { return i.mode.IsDir() }
func (i *plainInfo) Mode() fs.FileMode  { return i.mode }

func (i *plainInfo) Sys() any {
	if i.attributes == nil {
		return nil
	}
	return i.attributes
}

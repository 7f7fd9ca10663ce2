package ftp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"

	"github.com/hawser/hawser/internal/listing"
)

// A listMode is how a session lists directories, once it knows.
type listMode int

const (
	listAll   listMode = iota // LIST -a, for servers that leave out names with a dot
	listPlain                 // LIST: "-a" is taken for a name
)

// maxListing bounds a directory, in bytes: some millions of entries.
const maxListing = 1 << 30

// ReadDir yields the entries of a directory, in the server's order. It reads the
// whole directory before it yields, so the session is free inside the loop.
func (s *Session) ReadDir(ctx context.Context, name string) iter.Seq2[fs.FileInfo, error] {
	return func(yield func(fs.FileInfo, error) bool) {
		const op = "readdir"
		line, err := s.names.encode(op, name)
		if err != nil {
			yield(nil, err)
			return
		}
		entries, err := s.list(ctx, line)
		if err != nil {
			yield(nil, pathError(op, name, err))
			return
		}
		for i := range entries {
			if !yield(&entries[i], nil) {
				return
			}
		}
	}
}

func (s *Session) list(ctx context.Context, line string) ([]listing.Entry, error) {
	if s.features.has("MLST") { // which says that there is MLSD too (RFC 3659, section 7.8)
		text, err := s.download(ctx, func() (*data, error) {
			d, err := s.openData(ctx, "MLSD "+line, 0)
			return d, s.explainDir(err, line)
		})
		if !errors.Is(err, errors.ErrUnsupported) {
			if err != nil {
				return nil, err
			}
			return listing.ParseMLSD(bytes.NewReader(text), s.listingOptions())
		}
	}
	return s.listLong(ctx, line)
}

// listLong is LIST, within the directory: as an argument, a name with a space or
// a star in it, or with a dash in front, means something else to many servers.
//
// Some servers let nobody enter "." (VMS, z/OS), and without a way back nobody
// enters anything.
func (s *Session) listLong(ctx context.Context, line string) ([]listing.Entry, error) {
	switch {
	case line == ".":
		text, err := s.listHere(ctx)
		return s.parseList(text, err)
	case s.home == "":
		text, err := s.download(ctx, func() (*data, error) {
			d, err := s.openData(ctx, "LIST "+line, 0)
			return d, s.explainDir(err, line)
		})
		return s.parseList(text, err)
	}
	err := s.do(ctx, func() error {
		_, err := s.command("CWD " + line)
		return s.explainDir(err, line)
	})
	if err != nil {
		return nil, err
	}
	text, err := s.listHere(ctx)
	// Also where ctx has ended: then names would mean other files from here on.
	if back := s.do(ctx, s.leave); back != nil {
		s.life.Lose(fmt.Errorf("%w: %w", errLostHome, back))
		if err == nil {
			err = back
		}
	}
	return s.parseList(text, err)
}

func (s *Session) parseList(text []byte, err error) ([]listing.Entry, error) {
	if err != nil {
		return nil, err
	}
	return listing.ParseList(bytes.NewReader(text), s.listingOptions())
}

// listHere lists the current directory, with the names that begin with a dot.
func (s *Session) listHere(ctx context.Context) ([]byte, error) {
	command := func(line string) ([]byte, error) {
		return s.download(ctx, func() (*data, error) { return s.openData(ctx, line, 0) })
	}
	if s.listing == listAll {
		text, err := command("LIST -a")
		// Where "-a" is an option there is "." at least.
		if err == nil && hasDot(text) {
			return text, nil
		}
		if err != nil && !isRefusal(err) {
			return nil, err
		}
	}
	text, err := command("LIST")
	if err == nil && len(text) > 0 {
		s.listing = listPlain
	}
	return text, err
}

// hasDot reports whether a line of a listing is of the directory itself.
func hasDot(text []byte) bool {
	for line := range bytes.Lines(text) {
		if bytes.HasSuffix(bytes.TrimRight(line, "\r\n"), []byte(" .")) {
			return true
		}
	}
	return false
}

// download reads all that a data connection brings.
func (s *Session) download(ctx context.Context, open func() (*data, error)) ([]byte, error) {
	t, err := s.startTransfer(ctx, open)
	if err != nil {
		return nil, err
	}
	r := &reader{t: t, want: -1, path: func(err error) error { return err }}
	text, err := io.ReadAll(io.LimitReader(r, maxListing+1))
	switch {
	case err == nil && len(text) > maxListing:
		err = fmt.Errorf("the listing has more than %d bytes", maxListing)
	case err == nil && t.d.wasCut() && len(text) > 0 && text[len(text)-1] != '\n':
		err = fmt.Errorf("the listing was cut: %w", io.ErrUnexpectedEOF)
	}
	return text, errors.Join(err, r.Close())
}

// explainDir is err of a command that wants name to be a directory.
func (s *Session) explainDir(err error, name string) error {
	if vague(err) == nil && !isBadArgument(err) {
		return err
	}
	k, broken := s.kindOf(name)
	switch {
	case broken != nil:
		return broken
	case k == missing:
		return as(fs.ErrNotExist, err)
	case k == file:
		return as(errNotDir, err)
	case k == unknown && vague(err) != nil:
		return byText(vague(err), err)
	}
	return as(fs.ErrPermission, err)
}

// isBadArgument reports a 501, which ProFTPD has for MLSD of a file.
func isBadArgument(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Code == codeBadArguments
}

func (s *Session) listingOptions() listing.Options {
	return listing.Options{Now: time.Now(), Location: s.zone(), Decode: s.decoder()}
}

func (s *Session) decoder() func(string) (string, error) {
	if s.names.encoding == nil {
		return nil
	}
	return s.names.decode
}

// zone is where the server's clock is, for times that it tells as its own.
func (s *Session) zone() *time.Location {
	zone, err := time.LoadLocation(strings.TrimSpace(s.settings.FTP.TimeZone))
	if err != nil {
		return time.UTC // Validate has refused it
	}
	return zone
}

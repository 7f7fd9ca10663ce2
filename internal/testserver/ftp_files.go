package testserver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

func ftpFileCommands() map[string]ftpCommand {
	return map[string]ftpCommand{
		"PWD":  {run: ftpPWD},
		"CWD":  {run: ftpCWD, argument: true},
		"CDUP": {run: func(ctx context.Context, s *ftpSession, _ string) { ftpCWD(ctx, s, "..") }},
		"SIZE": {run: ftpSIZE, argument: true},
		"MDTM": {run: ftpMDTM, argument: true},
		"MFMT": {run: ftpMFMT, argument: true},
		"MLST": {run: ftpMLST},
		"DELE": {run: ftpDELE, argument: true},
		"MKD":  {run: ftpMKD, argument: true},
		"RMD":  {run: ftpRMD, argument: true},
		"RNFR": {run: ftpRNFR, argument: true},
		"RNTO": {run: ftpRNTO, argument: true},
		"SITE": {run: ftpSITE, argument: true},
	}
}

// The reasons of our own why a command is refused.
var (
	errNotRegular   = errors.New("not a regular file")
	errNotDirectory = errors.New("not a directory")
	errIsDirectory  = errors.New("is a directory")
	errBeyondEnd    = errors.New("the file ends before that")
)

// absolute is a name as PWD shows it.
func (s *ftpSession) absolute(name string) string {
	if !strings.HasPrefix(name, "/") {
		name = s.dir + "/" + name
	}
	return path.Clean(name)
}

// path is the name that the server's Root knows.
func (s *ftpSession) path(name string) string {
	if p := strings.TrimPrefix(s.absolute(name), "/"); p != "" {
		return p
	}
	return "."
}

// refuse answers an error of the file system in the words of other servers, without the name.
func (s *ftpSession) refuse(err error) {
	text := "it cannot be done"
	var inner *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		text = "No such file or directory"
	case errors.Is(err, fs.ErrExist):
		text = "File exists"
	case errors.Is(err, fs.ErrPermission):
		text = "Permission denied"
	case errors.As(err, &inner):
		text = inner.Err.Error()
	case err != nil:
		text = err.Error()
	}
	s.reply(550, text)
}

// done answers err, or that all went well.
func (s *ftpSession) done(err error) {
	if err != nil {
		s.refuse(err)
		return
	}
	s.reply(250, "done")
}

// quoted writes a name as replies have it (RFC 959, appendix II).
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func ftpPWD(_ context.Context, s *ftpSession, _ string) {
	s.reply(257, quoted(s.dir)+" is where you are")
}

func ftpCWD(_ context.Context, s *ftpSession, name string) {
	info, err := s.server.root.Stat(s.path(name))
	if err == nil && !info.IsDir() {
		err = errNotDirectory
	}
	if err == nil {
		s.dir = s.absolute(name)
	}
	s.done(err)
}

// ftpSIZE answers RFC 3659, section 4. The size of a text is not known without reading it.
func ftpSIZE(_ context.Context, s *ftpSession, name string) {
	info, err := s.server.root.Stat(s.path(name))
	switch {
	case err != nil:
		s.refuse(err)
	case !info.Mode().IsRegular():
		s.refuse(errNotRegular)
	case !s.binary:
		s.reply(550, "SIZE not allowed in ASCII mode")
	default:
		s.reply(213, strconv.FormatInt(info.Size(), 10))
	}
}

// ftpTime is how times are written (RFC 3659, section 2.3), in UTC.
const ftpTime = "20060102150405"

func ftpMDTM(_ context.Context, s *ftpSession, name string) {
	info, err := s.server.root.Stat(s.path(name))
	if err != nil {
		s.refuse(err)
		return
	}
	s.reply(213, info.ModTime().UTC().Format(ftpTime))
}

// ftpMFMT answers draft-somers-ftp-mfxx-04, section 3.1.
func ftpMFMT(_ context.Context, s *ftpSession, arg string) {
	stamp, name, _ := strings.Cut(arg, " ")
	modified, err := time.ParseInLocation(ftpTime, stamp, time.UTC)
	if err != nil || name == "" {
		s.reply(501, "want YYYYMMDDHHMMSS name")
		return
	}
	if err := s.server.root.Chtimes(s.path(name), time.Time{}, modified); err != nil {
		s.refuse(err)
		return
	}
	s.reply(213, "Modify="+stamp+"; "+name)
}

func ftpDELE(_ context.Context, s *ftpSession, name string) {
	info, err := s.server.root.Lstat(s.path(name))
	if err == nil && info.IsDir() {
		err = errIsDirectory
	}
	if err == nil {
		err = s.server.root.Remove(s.path(name))
	}
	s.done(err)
}

func ftpMKD(_ context.Context, s *ftpSession, name string) {
	if err := s.server.root.Mkdir(s.path(name), 0o755); err != nil {
		s.refuse(err)
		return
	}
	s.reply(257, quoted(s.absolute(name))+" is there now")
}

func ftpRMD(_ context.Context, s *ftpSession, name string) {
	info, err := s.server.root.Lstat(s.path(name))
	if err == nil && !info.IsDir() {
		err = errNotDirectory
	}
	if err == nil {
		err = s.server.root.Remove(s.path(name))
	}
	s.done(err)
}

func ftpRNFR(_ context.Context, s *ftpSession, name string) {
	if _, err := s.server.root.Lstat(s.path(name)); err != nil {
		s.refuse(err)
		return
	}
	s.rename = s.path(name)
	s.reply(350, "and its new name")
}

func ftpRNTO(_ context.Context, s *ftpSession, name string) {
	from := s.rename
	s.rename = ""
	if from == "" {
		s.reply(503, "RNFR comes first")
		return
	}
	var link *os.LinkError
	err := s.server.root.Rename(from, s.path(name))
	if errors.As(err, &link) {
		err = &fs.PathError{Op: link.Op, Path: link.New, Err: link.Err}
	}
	s.done(err)
}

// ftpSITE knows CHMOD alone.
func ftpSITE(_ context.Context, s *ftpSession, arg string) {
	words := strings.SplitN(arg, " ", 3)
	if len(words) != 3 || !strings.EqualFold(words[0], "CHMOD") {
		s.reply(504, "only SITE CHMOD mode name is known")
		return
	}
	mode, err := strconv.ParseUint(words[1], 8, 9)
	if err != nil {
		s.reply(501, "want an octal mode")
		return
	}
	if err := s.server.root.Chmod(s.path(words[2]), os.FileMode(mode)); err != nil {
		s.refuse(err)
		return
	}
	s.reply(200, "done")
}

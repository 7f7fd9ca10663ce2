package testserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

func ftpTransferCommands() map[string]ftpCommand {
	return map[string]ftpCommand{
		"TYPE": {run: ftpTYPE, argument: true},
		"REST": {run: ftpREST, argument: true},
		"RETR": {run: ftpRETR, argument: true},
		"STOR": {run: ftpStore(os.O_TRUNC), argument: true},
		"APPE": {run: ftpStore(os.O_APPEND), argument: true},
		"ABOR": says(226, "nothing goes on any more"),
		"LIST": {run: ftpList(listLine)},
		"NLST": {run: ftpList(nameLine)},
		"MLSD": {run: ftpMLSD},
	}
}

func ftpTYPE(_ context.Context, s *ftpSession, kind string) {
	switch strings.ToUpper(kind) {
	case "I", "L 8":
		s.binary = true
	case "A", "A N":
		s.binary = false
	default:
		s.reply(504, "only A and I are known")
		return
	}
	s.reply(200, "type is "+kind)
}

// ftpREST answers RFC 3659, section 5.
func ftpREST(_ context.Context, s *ftpSession, arg string) {
	offset, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || offset < 0 {
		s.reply(501, "want a number of bytes")
		return
	}
	s.restart = offset
	s.reply(350, "will start at "+arg)
}

func ftpRETR(ctx context.Context, s *ftpSession, name string) {
	offset := s.restart
	s.restart = 0
	f, err := s.server.root.Open(s.path(name))
	if err != nil {
		s.refuse(err)
		return
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err == nil && offset > info.Size() {
		err = errBeyondEnd
	}
	if err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		s.refuse(err)
		return
	}
	s.transfer(ctx, func(c net.Conn) error {
		if s.binary {
			_, err := io.Copy(c, f)
			return err
		}
		w := &lineEnds{w: bufio.NewWriter(c)}
		if _, err := io.Copy(w, f); err != nil {
			return err
		}
		return w.w.Flush()
	})
}

// ftpStore is STOR or APPE. STOR after REST keeps what the file has.
func ftpStore(flag int) func(ctx context.Context, s *ftpSession, name string) {
	return func(ctx context.Context, s *ftpSession, name string) {
		offset := s.restart
		s.restart = 0
		mode := os.O_WRONLY | os.O_CREATE | flag
		if offset > 0 {
			mode = os.O_WRONLY | os.O_CREATE
		}
		f, err := s.server.root.OpenFile(s.path(name), mode, 0o644)
		if err != nil {
			s.refuse(err)
			return
		}
		defer func() { _ = f.Close() }()
		if offset > 0 {
			if _, err := f.Seek(offset, io.SeekStart); err != nil {
				s.refuse(err)
				return
			}
		}
		s.transfer(ctx, func(c net.Conn) error {
			if s.binary {
				_, err := io.Copy(f, c)
				return err
			}
			text, err := io.ReadAll(c)
			_, writeErr := f.Write(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
			return errors.Join(err, writeErr)
		})
	}
}

// lineEnds turns LF into CR LF, as TYPE A wants it (RFC 959, section 3.1.1.1).
type lineEnds struct {
	w *bufio.Writer
}

func (l *lineEnds) Write(b []byte) (int, error) {
	for i, c := range b {
		if c == '\n' {
			_ = l.w.WriteByte('\r')
		}
		if err := l.w.WriteByte(c); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

// send transfers text.
func (s *ftpSession) send(ctx context.Context, text string) {
	s.transfer(ctx, func(c net.Conn) error {
		_, err := io.WriteString(c, text)
		return err
	})
}

// transfer makes the data connection, runs move on it and answers. ABOR and the end of the session interrupt it.
func (s *ftpSession) transfer(ctx context.Context, move func(c net.Conn) error) {
	if s.server.cfg.Require && !s.private {
		s.reply(521, "say PROT P first")
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.begin(cancel)
	s.listenMeanwhile()
	code, text := s.move(ctx, move)
	if s.end() {
		code, text = 426, "aborted"
	}
	s.reply(code, text)
}

// move returns the last reply of the transfer.
func (s *ftpSession) move(ctx context.Context, move func(c net.Conn) error) (code int, text string) {
	raw, err := s.connect(ctx)
	if err != nil {
		return 425, err.Error()
	}
	defer func() { _ = raw.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	s.reply(150, "here it goes")
	c := net.Conn(raw)
	if s.private {
		secure, err := s.protect(ctx, raw)
		if err != nil {
			return 522, err.Error()
		}
		c = secure
	}
	if hook := s.server.cfg.Data; hook != nil {
		c = hook(s.command, c)
	}
	if err := move(c); err != nil {
		return 426, err.Error()
	}
	// The end of the content is told before the reply.
	if secure, ok := c.(*tls.Conn); ok {
		err = secure.CloseWrite()
	}
	if err := errors.Join(err, c.Close()); err != nil {
		return 426, err.Error()
	}
	return 226, "done"
}

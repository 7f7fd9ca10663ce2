package ftp

import (
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/control"
)

// findHome asks where the login has landed, to come back there. Where a server
// does not say, the session never leaves.
func (s *Session) findHome() error {
	r, err := s.exchange("PWD")
	if err != nil {
		return err
	}
	if r.Code == 257 {
		s.home = unquote(r.Text())
	}
	return nil
}

// unquote reads the name of a 257 reply: within quotes, with those that it holds
// doubled (RFC 959, appendix II).
func unquote(text string) string {
	_, rest, found := strings.Cut(text, `"`)
	if !found {
		return ""
	}
	var name strings.Builder
	for i := 0; i < len(rest); i++ {
		if rest[i] != '"' {
			name.WriteByte(rest[i])
			continue
		}
		if i+1 == len(rest) || rest[i+1] != '"' {
			return name.String()
		}
		name.WriteByte('"')
		i++
	}
	return ""
}

// describe is what a report says of a session.
func (s *Session) describe() string {
	text := control.DescribeTLS(s.wire.NetConn())
	if s.home != "" {
		text += ", in " + hawser.Printable(s.home)
	}
	return text
}

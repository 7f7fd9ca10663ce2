package ftp

import (
	"context"
	"fmt"
	"time"

	jftp "github.com/jlaffaye/ftp"
)

// Chtimes sets the modification time, to the second, by MFMT or by MDTM with two
// arguments, as vsftpd has it. A server without either gives an error that
// matches errors.ErrUnsupported.
func (s *Session) Chtimes(ctx context.Context, name string, mtime time.Time) error {
	return s.on(ctx, "chtimes", name, func(line string) error {
		if !s.features.has("MFMT") && !s.features.has("MDTM") {
			return unsupported("setting a time")
		}
		err := s.verb(func(c *jftp.ServerConn) error { return c.SetTime(line, mtime) })
		if !s.features.has("MFMT") && (vague(err) != nil || isBadArgument(err)) {
			return s.explainReadOnly(err, line)
		}
		return s.explainOpen(err, line)
	})
}

// explainReadOnly is err of MDTM with a time, which many servers take for a part
// of a name that they do not have.
func (s *Session) explainReadOnly(err error, name string) error {
	k, broken := s.kindOf(name)
	switch {
	case broken != nil:
		return broken
	case k == file, k == directory:
		return fmt.Errorf("%w: %w", unsupported("setting a time"), err)
	}
	return s.explainOpen(err, name)
}

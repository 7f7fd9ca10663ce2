package ftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	jftp "github.com/jlaffaye/ftp"
)

// Mkdir makes a directory with the server's default permissions.
func (s *Session) Mkdir(ctx context.Context, name string) error {
	return s.on(ctx, "mkdir", name, func(line string) error {
		return s.explainMkdir(s.verb(func(c *jftp.ServerConn) error { return c.MakeDir(line) }), line)
	})
}

// Rename replaces newname in one step where the server does. One that refuses to
// gives an error that matches fs.ErrExist.
func (s *Session) Rename(ctx context.Context, oldname, newname string) error {
	to, err := s.names.encode("rename", newname)
	if err != nil {
		return err
	}
	return s.on(ctx, "rename", oldname, func(from string) error {
		err := s.verb(func(c *jftp.ServerConn) error { return c.Rename(from, to) })
		if err == nil && verbOf(s.shown.line) == "RNFR" { // class 2, but it is RNTO that renames
			err = refusal("RNFR", s.shown.last)
		}
		return s.explainRename(err, from, to)
	})
}

func (s *Session) explainRename(err error, from, to string) error {
	refused := vague(err)
	if refused == nil {
		return err
	}
	if refused.Command == "RNFR" {
		return s.explainOld(err, refused, from)
	}
	k, broken := s.kindOf(to)
	switch {
	case broken != nil:
		return broken
	case k == file, k == directory:
		return as(fs.ErrExist, err)
	}
	if k, broken = s.kindOf(from); broken != nil {
		return broken
	} else if k == missing {
		return as(fs.ErrNotExist, err)
	}
	return s.explainParent(err, refused, to)
}

// explainOld is err of a command that wants name to be there.
func (s *Session) explainOld(err error, refused *Error, name string) error {
	k, broken := s.kindOf(name)
	if broken != nil {
		return broken
	}
	return s.explainOldKind(err, refused, k)
}

// Remove removes a file or an empty directory.
func (s *Session) Remove(ctx context.Context, name string) error {
	return s.on(ctx, "remove", name, func(line string) error {
		err := s.verb(func(c *jftp.ServerConn) error { return c.Delete(line) })
		refused := vague(err)
		if refused == nil {
			return err
		}
		k, broken := s.kindOf(line)
		if broken != nil {
			return broken
		}
		if k != directory {
			return s.explainOldKind(err, refused, k)
		}
		err = s.verb(func(c *jftp.ServerConn) error { return c.RemoveDir(line) })
		if vague(err) != nil {
			return fmt.Errorf("it may not be empty: %w", as(fs.ErrPermission, err))
		}
		return err
	})
}

func (s *Session) explainOldKind(err error, refused *Error, k kind) error {
	switch k {
	case missing:
		return as(fs.ErrNotExist, err)
	case unknown:
		return byText(refused, err)
	}
	return as(fs.ErrPermission, err)
}

// unsupported is an error of a server that has no command for op.
func unsupported(op string) error {
	return fmt.Errorf("%w: the server has no command for %s", errors.ErrUnsupported, op)
}

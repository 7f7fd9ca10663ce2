package ftp

import (
	"context"
	"fmt"
	"io/fs"
)

// Chmod sets permissions by SITE CHMOD, which Unix servers have.
func (s *Session) Chmod(ctx context.Context, name string, mode fs.FileMode) error {
	return s.on(ctx, "chmod", name, func(line string) error {
		_, err := s.command(fmt.Sprintf("SITE CHMOD %04o %s", octal(mode), line))
		return s.explainOpen(err, line)
	})
}

// octal is mode as Unix has it.
func octal(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	for flag, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&flag != 0 {
			bits |= bit
		}
	}
	return bits
}

package ftp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Quote sends a command line as it is and returns the server's reply, whatever
// it is: its code, and its lines. It is for what this package has no method for,
// such as SITE commands. Commands that would change what the session's own mean,
// or that open data connections, match errors.ErrUnsupported and are not sent.
// The wire log shows the line as it is.
func (s *Session) Quote(ctx context.Context, line string) (code int, lines []string, err error) {
	verb := strings.ToUpper(verbOf(line))
	encoded, err := s.names.encode("quote", line)
	if err != nil {
		return 0, nil, err
	}
	if strings.ContainsFunc(verb, func(r rune) bool { return r < 'A' || r > 'Z' }) || slices.Contains(kept(), verb) {
		return 0, nil, s.life.Fail("quote", fmt.Errorf("%w: %s would change what the session relies on", errors.ErrUnsupported, verb))
	}
	err = s.do(ctx, func() error {
		r, err := s.exchange(encoded)
		code, lines = r.Code, r.Lines
		return err
	})
	if err != nil {
		return 0, nil, s.life.Fail("quote", err)
	}
	return code, lines, nil
}

// kept are the commands that a session keeps for itself.
func kept() []string {
	return []string{
		"", "USER", "PASS", "ACCT", "REIN", "OPTS", "LANG", "QUIT", "AUTH", "PBSZ", "PROT", "CCC", "HOST",
		"CWD", "XCWD", "CDUP", "XCUP", "SMNT", "TYPE", "MODE", "STRU", "REST", "ABOR", "RNFR",
		"PORT", "PASV", "EPRT", "EPSV", "LPRT", "LPSV", "SPSV", "PRET",
		"RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD",
	}
}

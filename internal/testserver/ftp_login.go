package testserver

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"strings"
)

// ftpCommand is what a session does on a verb.
type ftpCommand struct {
	run      func(ctx context.Context, s *ftpSession, arg string)
	free     bool // before login too
	argument bool // must not be empty
}

// ftpCommands are all verbs.
func ftpCommands() map[string]ftpCommand {
	commands := map[string]ftpCommand{
		"USER": {run: ftpUSER, free: true, argument: true},
		"PASS": {run: ftpPASS, free: true},
		"ACCT": {run: ftpACCT, free: true, argument: true},
		"AUTH": {run: ftpAUTH, free: true, argument: true},
		"PBSZ": {run: ftpPBSZ, free: true, argument: true},
		"PROT": {run: ftpPROT, free: true, argument: true},
		"CCC":  says(533, "the control connection stays protected"),
		"QUIT": {run: ftpQUIT, free: true},
		"NOOP": says(200, "nothing done"),
		"SYST": says(215, "UNIX Type: L8"),
		"HELP": says(214, "see RFC 959"),
		"CLNT": says(200, "pleased to meet you"),
		"ALLO": says(202, "no need to"),
		"MODE": only("S"),
		"STRU": only("F"),
		"STAT": {run: ftpSTAT},
		"FEAT": {run: ftpFEAT, free: true},
		"OPTS": {run: ftpOPTS, free: true, argument: true},
	}
	for _, more := range []map[string]ftpCommand{ftpDataCommands(), ftpTransferCommands(), ftpFileCommands(), ftpHashCommands()} {
		for verb, command := range more {
			commands[verb] = command
		}
	}
	return commands
}

// says is a command with one answer.
func says(code int, text string) ftpCommand {
	return ftpCommand{free: true, run: func(_ context.Context, s *ftpSession, _ string) { s.reply(code, text) }}
}

// only is a command that knows one argument.
func only(known string) ftpCommand {
	return ftpCommand{argument: true, run: func(_ context.Context, s *ftpSession, arg string) {
		if !strings.EqualFold(arg, known) {
			s.reply(504, "only "+known+" is known")
			return
		}
		s.reply(200, "so be it")
	}}
}

func ftpUSER(_ context.Context, s *ftpSession, name string) {
	if s.server.cfg.Require && !s.secure {
		s.reply(530, "TLS comes first")
		return
	}
	s.user, s.accepted, s.loggedIn = name, false, false
	if secure, ok := s.control.(*tls.Conn); ok && s.server.cfg.CertLogin {
		if len(secure.ConnectionState().VerifiedChains) > 0 {
			s.loggedIn = true
			s.reply(232, "your certificate will do")
			return
		}
	}
	s.reply(331, "password")
}

func ftpPASS(_ context.Context, s *ftpSession, password string) {
	if s.user == "" {
		s.reply(503, "USER comes first")
		return
	}
	want, known := s.server.cfg.Users[s.user]
	if s.server.cfg.Users != nil && (!known || subtle.ConstantTimeCompare([]byte(password), []byte(want)) != 1) {
		s.user = ""
		s.reply(530, "wrong user or password")
		return
	}
	if s.server.cfg.Account != "" {
		s.accepted = true
		s.reply(332, "account")
		return
	}
	s.loggedIn = true
	s.reply(230, "welcome")
}

func ftpACCT(_ context.Context, s *ftpSession, account string) {
	switch {
	case s.server.cfg.Account == "":
		s.reply(202, "no need to")
	case !s.accepted:
		s.reply(503, "USER and PASS come first")
	case subtle.ConstantTimeCompare([]byte(account), []byte(s.server.cfg.Account)) != 1:
		s.accepted, s.user = false, ""
		s.reply(530, "wrong account")
	default:
		s.loggedIn = true
		s.reply(230, "welcome")
	}
}

// ftpAUTH begins TLS (RFC 4217, section 4).
func ftpAUTH(ctx context.Context, s *ftpSession, mechanism string) {
	switch {
	case s.tls == nil:
		s.reply(502, "there is no TLS here")
	case s.secure:
		s.reply(503, "TLS is on already")
	case !strings.EqualFold(mechanism, "TLS") && !strings.EqualFold(mechanism, "TLS-C"):
		s.reply(504, "only TLS is known")
	case s.pending != nil || s.lines.Buffered() > 0:
		// What came before the handshake may be anybody's.
		s.reply(503, "wait for the answer")
		s.over = true
	default:
		s.reply(234, "go on with TLS")
		s.user, s.accepted, s.loggedIn = "", false, false
		s.over = s.handshake(ctx) != nil
	}
}

func ftpPBSZ(_ context.Context, s *ftpSession, _ string) {
	if !s.secure {
		s.reply(503, "AUTH comes first")
		return
	}
	s.reply(200, "PBSZ=0")
}

func ftpPROT(_ context.Context, s *ftpSession, level string) {
	switch {
	case !s.secure:
		s.reply(503, "AUTH comes first")
	case strings.EqualFold(level, "P"):
		s.private = true
		s.reply(200, "data will be private")
	case strings.EqualFold(level, "C") && s.server.cfg.Require:
		s.reply(534, "data must be private")
	case strings.EqualFold(level, "C"):
		s.private = false
		s.reply(200, "data will be clear")
	default:
		s.reply(536, "only C and P are known")
	}
}

func ftpQUIT(_ context.Context, s *ftpSession, _ string) {
	s.reply(221, "goodbye")
	s.over = true
}

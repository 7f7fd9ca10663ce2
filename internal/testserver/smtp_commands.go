package testserver

import (
	"context"
	"fmt"
	"strings"
)

// smtpCommand is what a session does on a verb.
type smtpCommand struct {
	run     func(ctx context.Context, s *smtpSession, arg string)
	alone   bool // nothing may come along behind it (RFC 2920, section 3.1; RFC 4954, section 4)
	content bool // content comes along behind it
}

// smtpCommands are all verbs.
func smtpCommands() map[string]smtpCommand {
	return map[string]smtpCommand{
		"EHLO":     {run: smtpEHLO, alone: true},
		"HELO":     {run: smtpHELO, alone: true},
		"STARTTLS": {run: smtpSTARTTLS, alone: true},
		"AUTH":     {run: smtpAUTH, alone: true},
		"MAIL":     {run: smtpMAIL},
		"RCPT":     {run: smtpRCPT},
		"DATA":     {run: smtpDATA, alone: true},
		"BDAT":     {run: smtpBDAT, content: true},
		"RSET":     {run: smtpRSET},
		"NOOP":     {run: answers(250, "2.0.0", "nothing done"), alone: true},
		"VRFY":     {run: answers(252, "2.0.0", "send it and see"), alone: true},
		"HELP":     {run: answers(214, "2.0.0", "see RFC 5321"), alone: true},
		"QUIT":     {run: smtpQUIT},
	}
}

// answers is a command with one answer.
func answers(code int, enhanced, text string) func(context.Context, *smtpSession, string) {
	return func(_ context.Context, s *smtpSession, _ string) { s.reply(code, enhanced, text) }
}

func smtpHELO(_ context.Context, s *smtpSession, name string) {
	if name == "" {
		s.reply(501, "5.5.4", "HELO needs a name")
		return
	}
	s.greeted, s.extended, s.mail = true, false, smtpTransaction{}
	s.reply(250, "", "localhost")
}

func smtpEHLO(_ context.Context, s *smtpSession, name string) {
	if name == "" {
		s.reply(501, "5.5.4", "EHLO needs a name")
		return
	}
	s.greeted, s.extended, s.mail = true, true, smtpTransaction{}
	lines := []string{"localhost"}
	for _, keyword := range smtpKeywords() {
		switch {
		case !s.server.offers(keyword), keyword == "STARTTLS" && s.secure:
			continue
		case keyword == "SIZE" && s.server.cfg.MaxSize > 0:
			keyword = fmt.Sprintf("SIZE %d", s.server.cfg.MaxSize)
		case keyword == "AUTH":
			keyword = "AUTH " + strings.Join(s.server.mechanisms, " ")
		}
		lines = append(lines, keyword)
	}
	s.reply(250, "", strings.Join(lines, "\n"))
}

// smtpSTARTTLS begins TLS (RFC 3207, section 4).
func smtpSTARTTLS(ctx context.Context, s *smtpSession, arg string) {
	switch {
	case arg != "":
		s.reply(501, "5.5.4", "STARTTLS is all there is to say")
	case s.secure:
		s.reply(503, "5.5.1", "TLS is on already")
	default:
		reply := s.words(220, "2.0.0", "go on with TLS")
		s.say(reply)
		if refuses(reply) {
			return
		}
		s.over = s.out.Flush() != nil || s.handshake(ctx) != nil
	}
}

func smtpMAIL(_ context.Context, s *smtpSession, arg string) {
	cfg := &s.server.cfg
	switch {
	case !s.greeted:
		s.reply(503, "5.5.1", "EHLO comes first")
		return
	case cfg.RequireLogin && !s.loggedIn:
		s.reply(530, "5.7.0", "Authentication required")
		return
	case s.mail.open:
		s.reply(503, "5.5.1", "there is a sender already")
		return
	case cfg.MaxMessages > 0 && s.taken >= cfg.MaxMessages:
		s.reply(452, "4.5.3", "Too many messages sent")
		return
	}
	from, parameters, ok := parseSMTPPath(arg, "FROM:")
	if !ok {
		s.reply(501, "5.1.7", "want FROM:<address>")
		return
	}
	m := smtpTransaction{open: true, mail: Mail{From: from, MailLine: s.command}, body: smtpBody{
		limit: cfg.MaxSize, discard: cfg.Discard,
	}}
	if !s.parameters(parameters, smtpMAILParameters(&m)) || !s.writable(from, m.utf8) {
		return
	}
	if cfg.MaxSize > 0 && m.announced > cfg.MaxSize {
		s.reply(552, "5.3.4", "the message is too long")
		return
	}
	reply := s.verdict(from, "2.1.0")
	if !refuses(reply) {
		s.mail = m
	}
	s.say(reply)
}

func smtpRCPT(_ context.Context, s *smtpSession, arg string) {
	m := &s.mail
	switch {
	case !m.open:
		s.reply(503, "5.5.1", "MAIL comes first")
		return
	case m.chunked:
		s.reply(503, "5.5.1", "the message has begun")
		return
	}
	to, parameters, ok := parseSMTPPath(arg, "TO:")
	if !ok || to == "" {
		s.reply(501, "5.1.3", "want TO:<address>")
		return
	}
	if !s.parameters(parameters, smtpRCPTParameters()) || !s.writable(to, m.utf8) {
		return
	}
	reply := s.verdict(to, "2.1.5")
	if !refuses(reply) {
		m.mail.To, m.mail.RcptLines = append(m.mail.To, to), append(m.mail.RcptLines, s.command)
	}
	s.say(reply)
}

// writable refuses an address that RFC 6531, section 3.3, wants announced.
func (s *smtpSession) writable(addr string, utf8 bool) bool {
	if !utf8 && strings.ContainsFunc(addr, func(r rune) bool { return r > '~' }) {
		s.reply(553, "5.6.7", "that address needs SMTPUTF8")
		return false
	}
	return true
}

// verdict is the reply to an address.
func (s *smtpSession) verdict(addr, enhanced string) string {
	if refusal, ok := s.server.cfg.Refuse[addr]; ok {
		return s.changed(refusal)
	}
	return s.words(250, enhanced, "Ok")
}

func smtpRSET(_ context.Context, s *smtpSession, _ string) {
	s.mail = smtpTransaction{}
	s.reply(250, "2.0.0", "Ok")
}

func smtpQUIT(_ context.Context, s *smtpSession, _ string) {
	s.reply(221, "2.0.0", "goodbye")
	s.over = true
}

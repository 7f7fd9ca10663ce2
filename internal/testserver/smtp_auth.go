package testserver

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// smtpMechanism is one exchange of AUTH. It returns who has logged in, or errWrongLogin, or what ask returned.
type smtpMechanism func(x *smtpExchange) (user string, err error)

// smtpMechanisms are all that AUTH knows.
func smtpMechanisms() map[string]smtpMechanism {
	return map[string]smtpMechanism{
		"PLAIN":         (*smtpExchange).plain,
		"LOGIN":         (*smtpExchange).login,
		"CRAM-MD5":      (*smtpExchange).cramMD5,
		"SCRAM-SHA-1":   (*smtpExchange).scramSHA1,
		"SCRAM-SHA-256": (*smtpExchange).scramSHA256,
		"XOAUTH2":       (*smtpExchange).xoauth2,
		"OAUTHBEARER":   (*smtpExchange).oauthBearer,
		"EXTERNAL":      (*smtpExchange).external,
		"ANONYMOUS":     (*smtpExchange).anonymous,
	}
}

// chooseMechanisms finds what AUTH offers.
func (s *SMTP) chooseMechanisms() error {
	s.mechanisms = slices.Clone(s.cfg.Mechanisms)
	if s.mechanisms == nil && s.cfg.Users != nil {
		s.mechanisms = []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"}
	}
	if s.cfg.Mechanisms == nil && s.cfg.Tokens != nil {
		s.mechanisms = append(s.mechanisms, "XOAUTH2", "OAUTHBEARER")
	}
	known := smtpMechanisms()
	for _, name := range s.mechanisms {
		if known[name] == nil {
			return fmt.Errorf("testserver: Mechanisms has %q, which the server does not know", name)
		}
		// Its server proves that it knows the password, too (RFC 5802, section 3).
		if strings.HasPrefix(name, "SCRAM-") && s.cfg.Users == nil {
			return fmt.Errorf("testserver: Mechanisms has %q, which needs Users", name)
		}
	}
	if s.cfg.RequireLogin && (len(s.mechanisms) == 0 || slices.Contains(s.cfg.Without, "AUTH")) {
		return errors.New("testserver: RequireLogin, but AUTH is not offered")
	}
	return nil
}

// everybody reports whether any login will do.
func (s *SMTP) everybody() bool { return s.cfg.Users == nil && s.cfg.Tokens == nil }

// How an exchange fails.
var (
	errWrongLogin = errors.New("wrong login")
	errNotBase64  = errors.New("not base64")
	errCancelled  = errors.New("cancelled by the client")
	errUnasked    = errors.New("the server speaks first")
	errAnswered   = errors.New("that has had its answer")
)

// smtpExchange is an AUTH that is under way (RFC 4954, section 4).
type smtpExchange struct {
	*smtpSession
	initial  []byte
	hasFirst bool // initial came with AUTH
}

// smtpAUTH logs in.
func smtpAUTH(_ context.Context, s *smtpSession, arg string) {
	name, initial, hasFirst := strings.Cut(arg, " ")
	name = strings.ToUpper(name)
	switch {
	case !s.extended:
		s.reply(503, "5.5.1", "EHLO comes first")
		return
	case s.loggedIn, s.mail.open:
		s.reply(503, "5.5.1", "that comes too late")
		return
	case !slices.Contains(s.server.mechanisms, name):
		s.reply(504, "5.5.4", "that mechanism is not offered")
		return
	}
	x := &smtpExchange{smtpSession: s, hasFirst: hasFirst}
	user, err := "", error(nil)
	if initial != "=" { // which stands for an empty one
		x.initial, err = decodeSASL(initial)
	}
	if err == nil {
		user, err = smtpMechanisms()[name](x)
	}
	x.conclude(user, err)
}

// conclude says how the exchange ended.
func (x *smtpExchange) conclude(user string, err error) {
	switch {
	case err == nil:
		reply := x.words(235, "2.7.0", "welcome")
		if !refuses(reply) {
			x.loggedIn, x.user = true, user
		}
		x.say(reply)
	case errors.Is(err, errWrongLogin):
		x.reply(535, "5.7.8", "wrong user or password")
	case errors.Is(err, errNotBase64):
		x.reply(501, "5.5.2", "that is not base64")
	case errors.Is(err, errCancelled):
		x.reply(501, "5.7.0", "so be it")
	case errors.Is(err, errUnasked):
		x.reply(501, "5.7.0", "the mechanism wants no initial response")
	case !errors.Is(err, errAnswered):
		x.over = true // The connection is gone.
	}
}

// first is the initial response, which the client is asked for if it did not come with AUTH.
func (x *smtpExchange) first() ([]byte, error) {
	if x.hasFirst {
		return x.initial, nil
	}
	return x.ask("")
}

// ask says a challenge and returns the response.
func (x *smtpExchange) ask(challenge string) ([]byte, error) {
	reply := x.words(334, "", base64.StdEncoding.EncodeToString([]byte(challenge)))
	x.say(reply)
	if refuses(reply) {
		return nil, errAnswered
	}
	line, err := x.readLine()
	switch {
	case err != nil:
		return nil, err
	case x.hasty(true):
		return nil, errAnswered
	case line == "*":
		return nil, errCancelled
	}
	return decodeSASL(line)
}

func decodeSASL(text string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errNotBase64
	}
	return b, nil
}

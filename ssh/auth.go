package ssh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/wirelog"
)

// The names of methods (RFC 4252, RFC 4256).
const (
	methodInteractive = "keyboard-interactive"
	methodPassword    = "password"
)

// A login is the conversation of RFC 4252: what is offered, and what the
// server said to it. x/crypto uses it from one goroutine.
type login struct {
	user     string
	password hawser.Secret
	signers  []xssh.Signer
	agent    *agentLink // nil: none
	agentErr error      // why the agent gave no keys
	log      *wirelog.Log

	tried    []string // methods that the server refused
	takes    []string // methods that the server would take
	answered bool     // the password was an answer to a question
	problem  error    // what first ended a method on this side
	ours     bool     // the method tried last ended on this side
}

// newLogin loads the keys of c, and those of the agent. ctx bounds the login.
func newLogin(ctx context.Context, c hawser.Connection, log *wirelog.Log) (*login, error) {
	l := &login{user: c.Auth.User, password: c.Auth.Password, log: log}
	own, err := loadKey(c.Auth.Key)
	if err != nil {
		return nil, err
	}
	if c.Auth.Agent {
		l.agent, l.agentErr = openAgent(ctx)
	}
	if l.agent != nil {
		l.signers = l.agent.signers
	}
	l.signers = limitSignatures(append(l.signers, own...), profileOf(c.SSH.Algorithms).signatures)
	if l.agentErr != nil && len(own) == 0 && l.password.IsZero() {
		return nil, l.agentErr // there is nothing else to offer
	}
	return l, nil
}

func (l *login) close() { l.agent.close() }

// methods returns what x/crypto may offer, in order. It takes the first one of
// each kind alone, so all keys go into one, and begins with "none" by itself.
func (l *login) methods() []xssh.AuthMethod {
	var methods []xssh.AuthMethod
	if len(l.signers) > 0 {
		methods = append(methods, xssh.PublicKeysCallback(l.offerKeys))
	}
	if !l.password.IsZero() {
		methods = append(methods, xssh.KeyboardInteractive(l.answer), xssh.PasswordCallback(l.offerPassword))
	}
	return methods
}

func (l *login) offerKeys() ([]xssh.Signer, error) {
	for _, signer := range l.signers {
		key := signer.PublicKey()
		l.log.Sent("USERAUTH_REQUEST %s publickey %s %s", l.user, key.Type(), fingerprint(key))
	}
	return l.signers, nil
}

func (l *login) offerPassword() (string, error) {
	if l.answered && slices.Contains(l.tried, methodInteractive) {
		// It would be refused again, and may lock the account.
		return "", l.fail(errors.New("the password was refused as an answer to keyboard-interactive, so it was not tried again"))
	}
	l.log.Sent("USERAUTH_REQUEST %s password ***", l.user)
	return l.password.Reveal(), nil
}

// answer gives the password to the first question that is not echoed. Servers
// also ask nothing at all, to show a text.
func (l *login) answer(_, instruction string, questions []string, echos []bool) ([]string, error) {
	l.log.Received("USERAUTH_INFO_REQUEST %s %q", instruction, questions)
	if len(questions) == 0 {
		l.log.Sent("USERAUTH_INFO_RESPONSE")
		return nil, nil
	}
	if len(questions) > 1 || echos[0] || l.answered {
		return nil, l.fail(fmt.Errorf("the server asks %s, and a connection holds no answer but its password", quoteAll(questions)))
	}
	l.answered = true
	l.log.Sent("USERAUTH_INFO_RESPONSE ***")
	return []string{l.password.Reveal()}, nil
}

// fail ends a method on this side. The first reason is the one that counts.
func (l *login) fail(err error) error {
	if l.problem == nil {
		l.problem = err
	}
	l.ours = true
	return err
}

func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = fmt.Sprintf("%q", strings.TrimSpace(text))
	}
	return strings.Join(quoted, " and ")
}

// observe is told by x/crypto after each refusal what the server would take.
// It leaves the choice to x/crypto, which goes through methods in order.
func (l *login) observe(state *xssh.ClientAuthContext) (xssh.AuthMethod, error) {
	l.tried, l.takes = state.TriedMethods, state.AllowedMethods
	if !l.ours { // x/crypto also calls it when the server has said nothing
		l.log.Received("USERAUTH_FAILURE %s", strings.Join(l.takes, ","))
	}
	l.ours = false
	return nil, nil
}

// attempted reports whether the server refused a login, so that the failure of
// the handshake is one of the login unless the connection broke.
func (l *login) attempted() bool { return len(l.tried) > 0 || len(l.takes) > 0 }

// refusal is the error of a login that the server did not accept.
func (l *login) refusal(err error) error {
	text := "the server takes " + listOf(l.takes)
	if offered := l.offered(); len(offered) > 0 {
		text = "offered " + strings.Join(offered, " and ") + "; " + text
	}
	if l.agentErr != nil {
		text += "; " + l.agentErr.Error()
	}
	if inner := errors.Unwrap(err); inner != nil {
		err = inner // without "handshake failed", which is wrong of a login
	}
	if l.problem != nil {
		err = l.problem // x/crypto has the last one
	}
	return opening.WithHint(fmt.Errorf("%w: %s: %w", hawser.ErrAuth, hawser.Printable(text), err), l.hint())
}

// hint is what to do about a login that was refused.
func (l *login) hint() string {
	takesKeys := slices.Contains(l.takes, "publickey")
	takesPassword := slices.Contains(l.takes, methodPassword) || slices.Contains(l.takes, methodInteractive)
	hasKeys, hasPassword := len(l.signers) > 0, !l.password.IsZero()
	switch {
	case takesKeys && hasKeys && !hasPassword:
		return "check auth.user, and have the server know the public key that was offered (OpenSSH: authorized_keys)"
	case takesPassword && hasPassword:
		return "check auth.user and auth.password"
	case takesKeys && !hasKeys:
		return "the server takes keys: set auth.key or auth.agent"
	case takesPassword && !hasPassword:
		return "the server takes a password: set auth.password"
	}
	return "check auth.user, and which ways to log in the server has"
}

// offered says what the connection had to show, without secrets.
func (l *login) offered() []string {
	var offered []string
	for _, signer := range l.signers {
		offered = append(offered, signer.PublicKey().Type()+" key "+fingerprint(signer.PublicKey()))
	}
	if !l.password.IsZero() {
		offered = append(offered, "password")
	}
	return offered
}

func listOf(names []string) string {
	if len(names) == 0 {
		return "no further method"
	}
	return strings.Join(names, ", ")
}

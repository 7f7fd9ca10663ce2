package hawsertest

import (
	"errors"
	"strings"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func addressRules() []rule[*mails] {
	return []rule[*mails]{
		{"no recipient is invalid", "and noticed before the message is written", noRecipient},
		{"an address that is none is refused before anything is sent", "it could hold a command or a parameter of one; the error names the field", badAddresses},
		{"a quoted local part is an address", "addresses of gateways look like that (RFC 5321, section 4.1.2)", quotedLocalPart},
		{"an address that is not ASCII arrives or is unsupported", "it must not become another one (RFC 6531)", otherScript},
	}
}

// invalid sends nothing for env, and asks for a *hawser.FieldError of field.
func (m *mails) invalid(env hawser.Envelope, field string) *letter {
	m.Helper()
	l := m.letter("this is not to be sent\r\n")
	_, err := m.fails(m.ctx, prompt, env, l)
	assert.ErrorIs(m, err, hawser.ErrInvalid, "Send to %q from %q", env.To, env.From)
	var problem *hawser.FieldError
	if assert.ErrorAs(m, err, &problem, "Send to %q from %q", env.To, env.From) {
		assert.Contains(m, problem.Field, field, "FieldError.Field")
	}
	assert.False(m, strings.ContainsAny(err.Error(), "\r\n\x00"), "the error %q is one line", err)
	unwritten(m, l)
	return l
}

func noRecipient(m *mails) {
	l := m.invalid(hawser.Envelope{From: m.From}, "to")
	m.goesOn()
	m.absent(l)
}

func badAddresses(m *mails) {
	bad := []string{
		"<" + m.To[0] + ">", "<" + m.To[0], m.To[0] + ">", "Name <" + m.To[0] + ">",
		m.To[0] + "\r\nRCPT TO:<" + m.To[1] + ">", m.To[0] + "\r", m.To[0] + "\n", "\n" + m.To[0], "a\x00" + m.domain(),
		"a b" + m.domain(), " " + m.To[0], m.To[0] + " ", "a\t" + m.domain(), m.To[0] + " NOTIFY=NEVER",
		m.To[0] + "> NOTIFY=NEVER", m.To[0] + ">\r\nDATA\r\n", "a\x7f" + m.domain(),
	}
	var letters []*letter
	for _, address := range bad {
		letters = append(letters,
			m.invalid(m.to(m.To[0], address, m.To[1]), "to[1]"),
			m.invalid(hawser.Envelope{From: address, To: m.To}, "from"))
	}
	letters = append(letters, m.invalid(m.to(m.To[0], "", m.To[1]), "to[1]"))
	assert.True(m, reusable(m.mailer), "Reusable after an address that is none: nothing was sent")
	m.goesOn()
	m.absent(letters...)
}

// mayArrive sends l to one address that the server need not accept.
func (m *mails) mayArrive(l *letter, address string) {
	m.Helper()
	receipt, err := m.send(m.ctx, patience, m.to(address), l)
	switch {
	case unsupported(m, address, err):
	case len(receipt.Refused) > 0:
		m.Logf("the server refuses %s: %v", address, receipt.Refused[0])
		require.Error(m, err, "Send to a recipient that is refused")
		assert.NotErrorIs(m, err, hawser.ErrInvalid, "Send to %s", address)
	default:
		require.NoError(m, err, "Send to %s", address)
		m.arrives(l, address)
		return
	}
	m.goesOn()
	m.absent(l)
}

func quotedLocalPart(m *mails) {
	l := m.letter("quoted\r\n")
	_, err := m.send(m.ctx, patience, m.to(m.To[0]), l)
	require.NoError(m, err, "Send")
	m.mayArrive(m.letter("quoted\r\n"), `"hawser,test"`+m.domain())
}

func otherScript(m *mails) { m.mayArrive(m.letter("in any script\r\n"), "grüße"+m.domain()) }

func envelopeRules() []rule[*mails] {
	return []rule[*mails]{
		{"what no notification knows is refused before anything is sent", "a typing error must not turn off the notice of a failure; the error names the field", badNotify},
		{"a notification may be asked for", "where the server offers none, the message goes without", notify},
	}
}

func badNotify(m *mails) {
	env := func(change func(env *hawser.Envelope)) hawser.Envelope {
		e := m.to(m.To[0])
		change(&e)
		return e
	}
	var letters []*letter
	for _, list := range [][]string{{"LATER"}, {"FAILURE", ""}, {"NEVER", "FAILURE"}, {"SUCCESS\r\nRSET"}, {"FAILURE,DELAY"}} {
		letters = append(letters, m.invalid(env(func(e *hawser.Envelope) { e.Notify = list }), "notify"))
	}
	for _, value := range []string{"ALL", "HDRS ENVID=1", "FULL\r\n"} {
		letters = append(letters, m.invalid(env(func(e *hawser.Envelope) { e.Return = value }), "return"))
	}
	for _, id := range []string{"a\r\nRSET", "a\x00b", "grüße", strings.Repeat("x", 101)} { // RFC 3461, section 4.4
		letters = append(letters, m.invalid(env(func(e *hawser.Envelope) { e.ID = id }), "id"))
	}
	m.goesOn()
	m.absent(letters...)
}

func notify(m *mails) {
	for _, env := range []hawser.Envelope{
		{Notify: []string{"FAILURE", "DELAY"}},
		{Notify: []string{"NEVER"}, Return: "HDRS"},
		{Notify: []string{"SUCCESS", "FAILURE", "DELAY"}, Return: "FULL", ID: "hawsertest=1+2 & <more>"},
		{Return: "HDRS", ID: strings.Repeat("x", 100)},
	} {
		env.From, env.To = m.From, m.To[:2]
		l := m.sized(1000)
		_, err := m.send(m.ctx, patience, env, l)
		assert.False(m, errors.Is(err, errors.ErrUnsupported), "Send with Notify %q, Return %q, ID %q", env.Notify, env.Return, env.ID)
		require.NoError(m, err, "Send with Notify %q, Return %q, ID %q", env.Notify, env.Return, env.ID)
		m.arrives(l, m.To[:2]...)
	}
}

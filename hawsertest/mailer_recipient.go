package hawsertest

import (
	"slices"
	"strings"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func recipientRules() []rule[*mails] {
	return []rule[*mails]{
		{"each recipient gets a message once", "from the sender of the envelope, whatever the header says", eachRecipient},
		{"a recipient that is named twice gets a message", "lists of recipients are put together from several sources", namedTwice},
		{"the empty sender arrives or is refused", "a notification is from nobody, so that none comes back (RFC 5321, section 4.5.5)", emptySender},
		{"a refused recipient is told, and the others get the message", "one that has left must not hold up the rest", oneRefused},
		{"AllOrNone sends to nobody when one is refused", "who asks for it sends to all of them again", allOrNone},
		{"AllOrNone sends to all when none is refused", "it is no other kind of message", allOfThem},
		{"a message that nobody gets is an error", "it must not look as if it were sent; the session goes on", allRefused},
		{"a queue id that is told is the message's own", "it is what the server's administrator is asked for", queueID},
	}
}

func eachRecipient(m *mails) {
	one, all := m.sized(1000), m.sized(1000)
	one.text = strings.Replace(one.text, "From: <"+m.From, "From: <somebody@hawsertest.invalid", 1)
	m.sent(m.to(m.To[1]), one)
	m.arrives(one, m.To[1])
	m.sent(m.to(m.To...), all)
	m.arrives(all, m.To...)
}

func namedTwice(m *mails) {
	l := m.sized(1000)
	_, err := m.send(m.ctx, patience, m.to(m.To[0], m.To[1], m.To[0]), l)
	require.NoError(m, err, "Send")
	by := m.await(func(by delivered) bool {
		to := by.to(l.marker, m.From)
		return slices.Contains(to, m.To[0]) && slices.Contains(to, m.To[1])
	})
	to := by.to(l.marker, m.From)
	if once := []string{m.To[0], m.To[1]}; len(to) == 2 { // many servers see to that
		slices.Sort(once)
		assert.Equal(m, once, to, "who got the message")
		return
	}
	twice := []string{m.To[0], m.To[0], m.To[1]}
	slices.Sort(twice)
	assert.Equal(m, twice, to, "who got the message")
}

func emptySender(m *mails) {
	l := m.sized(1000)
	env := hawser.Envelope{To: []string{m.To[0]}}
	if _, err := m.send(m.ctx, patience, env, l); err != nil {
		m.Logf("the server refuses it: %v", err)
		assert.NotErrorIs(m, err, hawser.ErrInvalid, "Send from nobody")
		m.goesOn()
		m.absent(l)
		return
	}
	m.arrivesFrom("", l, m.To[0])
}

// places puts the refused recipient first, in the middle and last, or skips the
// rule where none is refused.
func (m *mails) places() [][]string {
	m.Helper()
	if m.Refused == "" {
		m.Skip("skipped: the harness has no recipient that is refused")
	}
	a, b := m.To[0], m.To[1]
	return [][]string{{m.Refused, a, b}, {a, m.Refused, b}, {a, b, m.Refused}}
}

// tells asks receipt for the refusal of the one recipient.
func (m *mails) tells(receipt hawser.Receipt) {
	m.Helper()
	require.Len(m, receipt.Refused, 1, "Receipt.Refused")
	assert.Equal(m, m.Refused, receipt.Refused[0].Address, "the refused recipient")
	assert.Error(m, receipt.Refused[0].Err, "why the recipient was refused")
}

func oneRefused(m *mails) {
	for _, to := range m.places() {
		l := m.sized(1000)
		receipt, err := m.send(m.ctx, patience, m.to(to...), l)
		require.NoError(m, err, "Send to %v", to)
		m.tells(receipt)
		m.arrives(l, m.To[0], m.To[1])
	}
	m.goesOn()
	m.absent()
}

func allOrNone(m *mails) {
	var letters []*letter
	for _, to := range m.places() {
		l := m.sized(1000)
		letters = append(letters, l)
		receipt, err := m.fails(m.ctx, patience, hawser.Envelope{From: m.From, To: to, AllOrNone: true}, l)
		assert.NotErrorIs(m, err, hawser.ErrLost, "Send to %v", to)
		m.tells(receipt)
		m.goesOn()
	}
	m.absent(letters...)
}

func allOfThem(m *mails) {
	l := m.sized(1000)
	m.sent(hawser.Envelope{From: m.From, To: m.To, AllOrNone: true}, l)
	m.arrives(l, m.To...)
}

func allRefused(m *mails) {
	m.places()
	var letters []*letter
	for _, all := range []bool{false, true} {
		l := m.sized(1000)
		letters = append(letters, l)
		receipt, err := m.fails(m.ctx, patience, hawser.Envelope{From: m.From, To: []string{m.Refused}, AllOrNone: all}, l)
		assert.NotErrorIs(m, err, hawser.ErrLost, "Send to a recipient that is refused")
		m.tells(receipt)
		assert.True(m, reusable(m.mailer), "Reusable after a message that nobody gets")
		m.goesOn()
	}
	m.absent(letters...)
}

func queueID(m *mails) {
	first := m.sent(m.to(m.To[0]), m.sized(1000))
	second := m.sent(m.to(m.To[0]), m.sized(1000))
	if first.QueueID == "" && second.QueueID == "" {
		m.Skip("skipped: the server tells none")
	}
	assert.NotEmpty(m, first.QueueID, "Receipt.QueueID")
	assert.NotEmpty(m, second.QueueID, "Receipt.QueueID")
	assert.NotEqual(m, first.QueueID, second.QueueID, "Receipt.QueueID of two messages")
}

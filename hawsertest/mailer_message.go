package hawsertest

import (
	"errors"
	"io"
	"strings"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func messageRules() []rule[*mails] {
	return []rule[*mails]{
		{"a message arrives byte for byte", "sizes around those of buffers are where first and last bytes are lost", messageSizes},
		{"every line ends in CR LF", "programs write LF, SMTP does not know it (RFC 5321, section 2.3.8), and signatures are broken by a line too many", lineEnds},
		{"a last line without an end gets one", "the end of the message must not become part of its last line", lastLine},
		{"a header alone arrives", "a message needs no body (RFC 5322, section 2.1)", headerAlone},
		{"an empty message arrives or is an error", "what a server makes of nothing is its business; losing it is not", emptyMessage},
		{"lines of 998 bytes arrive", "the limit of RFC 5322, section 2.1.1, not counting CR LF; HTML without line breaks comes near it", longLines},
		{"8-bit text arrives or is unsupported", "it must not lose its eighth bit on the way (RFC 6152)", eightBit},
	}
}

func messageSizes(m *mails) {
	sizes := []int{0, 1<<20 + 7}
	for _, edge := range []int{4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 256 << 10} {
		sizes = append(sizes, edge-1, edge, edge+1)
	}
	var letters []*letter
	for _, size := range sizes {
		letters = append(letters, m.sized(size))
	}
	m.deliverEach(letters)
}

// deliverEach sends each letter on one session, and asks for all of them then.
func (m *mails) deliverEach(letters []*letter) {
	m.Helper()
	for _, l := range letters {
		m.sent(m.to(m.To[0]), l)
	}
	m.allArrive(letters)
}

// bodies makes up a message of each body.
func (m *mails) bodies(bodies ...string) []*letter {
	var letters []*letter
	for _, body := range bodies {
		letters = append(letters, m.letter(body))
	}
	return letters
}

func lineEnds(m *mails) {
	letters := m.bodies("one\r\ntwo\n\n\nthree\r\n\r\nfour\n\r\n", "\n", "\n\n", "\r\n\n\r\n")
	for _, pieces := range []int{1, 2, 3, 7} { // CR and LF come together or apart
		l := m.letter(strings.Repeat("one\r\ntwo\nthree\r\n\r\n\n", 100))
		l.pieces = inPieces(pieces)
		letters = append(letters, l)
	}
	unix := m.sized(100_000)
	unix.text = strings.ReplaceAll(unix.text, "\r\n", "\n")
	m.deliverEach(append(letters, unix))
}

func lastLine(m *mails) {
	letters := m.bodies("the last line", "the last line\n\nis this", "x", " ")
	bytewise := m.letter("the last line")
	bytewise.pieces = inPieces(1)
	m.deliverEach(append(letters, bytewise))
}

func headerAlone(m *mails) {
	m.deliverEach([]*letter{m.header(), m.letter("")}) // without and with the empty line behind it
}

func emptyMessage(m *mails) {
	before := m.scraps()
	l := &letter{pieces: func(io.Writer, string) error { return nil }}
	if _, err := m.send(m.ctx, patience, m.to(m.To[0]), l); err != nil {
		assert.NotErrorIs(m, err, hawser.ErrMaybeSent, "Send of an empty message")
		m.absent()
		assert.Equal(m, before, m.scraps(), "empty messages that arrived, though Send gave %v", err)
		return
	}
	m.await(func(delivered) bool { return m.scraps() > before })
	assert.Equal(m, before+1, m.scraps(), "empty messages that arrived")
}

func longLines(m *mails) {
	line := strings.Repeat("0123456789", 100)
	m.deliverEach(m.bodies(
		line[:998]+"\r\n"+line[:997]+"\r\n",
		strings.Repeat(line[:998]+"\n", 50),
		"."+line[:997]+"\r\n", // which has 999 on the way (RFC 5321, section 4.5.3.1.6)
	))
}

func eightBit(m *mails) {
	l := m.header()
	l.text += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
		strings.Repeat("grüße, 日本語 \xa0\xff\r\n", 1000)
	_, err := m.send(m.ctx, patience, m.to(m.To[0]), l)
	if unsupported(m, "8-bit text", err) {
		m.absent(l)
		return
	}
	require.NoError(m, err, "Send of 8-bit text")
	m.arrives(l, m.To[0])
}

func dotRules() []rule[*mails] {
	return []rule[*mails]{
		{"lines that begin with dots arrive", "a dot alone ends a message, and one more before it says that it does not (RFC 5321, section 4.5.2)", dots},
		{"a message that begins with a dot arrives or is an error", "it has no header, which some servers refuse, and no line before the dot", dotFirst},
		{"dots arrive across the edges of buffers", "what begins a line must be known when the line before it is gone", dotsAcross},
		{"a message cannot hold commands", "what ends a message for one server and not for another lets anybody who writes text send mail in our name", smuggled},
	}
}

func dots(m *mails) {
	letters := m.bodies(
		".\r\n", "..\r\n", ".", "..", "...\r\n", ".\r\n.\r\n.\r\n", ".\n.\n.\n", "\r\n.\r\n", "a.\r\n.b\r\n.\r\nc",
		".a\n..b\n...c\n", "\n.", "\r\n.\r\n\r\n", ". \r\n", " .\r\n", "text\n.\nQUIT\n", "text\r\n.\r\n",
	)
	for _, name := range []string{".", "..", ".Dot"} { // RFC 5322, section 2.2, has nothing against it
		l := m.letter("a dot comes first\r\n")
		l.text = name + ": first\r\n" + l.text
		letters = append(letters, l)
	}
	m.deliverEach(letters)
}

func dotFirst(m *mails) {
	var taken, refused []*letter
	for _, first := range []string{".\r\n", "..\r\n", ".\n"} {
		l := m.letter("")
		l.text = first + l.marker + "\r\n"
		_, err := m.send(m.ctx, patience, m.to(m.To[0]), l)
		if err == nil {
			taken = append(taken, l)
			continue
		}
		m.Logf("the server refuses it: %v", err)
		assert.NotErrorIs(m, err, hawser.ErrMaybeSent, "Send of a message that begins with %q", first)
		refused = append(refused, l)
		m.goesOn()
	}
	m.allArrive(taken)
	m.absent(refused...)
}

func dotsAcross(m *mails) {
	var letters []*letter
	// 19 bytes divide no buffer, so that each of them comes to stand at its edge.
	const lines = ".\r\n..\r\n...\r\nx\r\n.x\r\n"
	for _, c := range []struct{ size, pieces int }{{300_000, 300_000}, {300_000, 4096}, {300_000, 1021}, {40_000, 3}, {40_000, 1}} {
		l := m.letter(strings.Repeat(lines, c.size/len(lines)))
		l.pieces = inPieces(c.pieces)
		letters = append(letters, l)
	}
	m.deliverEach(letters)
}

// smuggled sends what servers have taken for the end of a message, with a
// message of its own behind it. CR and LF apart may be refused.
func smuggled(m *mails) {
	ends := []string{"\n.\n", "\r\n.\n", "\n.\r\n", "\r\n.\r\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r.\n", "\n.\r"}
	var outer, inner []*letter
	for _, end := range ends {
		i := m.letter("smuggled\r\n")
		inner = append(inner, i)
		l := m.letter("text" + end + "MAIL FROM:<" + m.From + ">\r\nRCPT TO:<" + m.To[1] + ">\r\nDATA\r\n" + i.text + ".\r\n")
		_, err := m.send(m.ctx, patience, m.to(m.To[0]), l)
		if !strings.Contains(strings.ReplaceAll(end, "\r\n", ""), "\r") {
			require.NoError(m, err, "Send of a message with %q in it", end)
			outer = append(outer, l)
		} else if err != nil {
			assert.False(m, errors.Is(err, hawser.ErrMaybeSent), "Send of a message with %q in it: %v", end, err)
		}
		if !reusable(m.mailer) {
			m.reopen()
		}
	}
	m.allArrive(outer)
	m.absent(inner...)
}

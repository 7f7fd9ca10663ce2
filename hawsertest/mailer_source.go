package hawsertest

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func writingRules() []rule[*mails] {
	return []rule[*mails]{
		{"a message may be written in any pieces", "of one byte, of none and of all at once", anyPieces},
		{"what was written may be overwritten", "an io.Writer keeps nothing of what it was given", overwritten},
		{"a message is written once", "what streams from a disk or a database cannot be written again", writtenOnce},
		{"a length that is told is no limit", "line ends change it, and a body must not be cut or hang because somebody counted wrongly", toldLength},
		{"a message too large for the server is not written", "it is refused before the line is busy with it (RFC 1870)", tooLarge},
	}
}

func anyPieces(m *mails) {
	var letters []*letter
	for _, c := range []struct{ size, pieces int }{{20_000, 1}, {100_000, 1021}, {1 << 20, 1 << 20}, {1 << 20, 4096}} {
		l := m.sized(c.size)
		l.pieces = inPieces(c.pieces)
		letters = append(letters, l)
	}
	nothing := m.sized(1000)
	nothing.pieces = func(w io.Writer, text string) error {
		for _, piece := range []string{"", text[:500], "", "", text[500:], ""} {
			if n, err := io.WriteString(w, piece); err != nil || n != len(piece) {
				return fmt.Errorf("a Write of %d bytes gave %d, %w", len(piece), n, err)
			}
		}
		return nil
	}
	m.deliverEach(append(letters, nothing))
}

func overwritten(m *mails) {
	var letters []*letter
	for _, size := range []int{1000, 10_000, 1 << 20} { // less and more than a buffer
		l := m.sized(size)
		l.pieces = inPieces(size/2 + 1)
		letters = append(letters, l)
	}
	m.deliverEach(letters)
}

func writtenOnce(m *mails) {
	l := m.sized(100_000)
	m.delivers(l)
	assert.EqualValues(m, 1, l.writes.Load(), "calls of WriteTo by a Send that went well")
	broken := errors.New("the source broke")
	l = m.sized(1000)
	l.pieces = func(io.Writer, string) error { return broken }
	_, err := m.fails(m.ctx, patience, m.to(m.To[0]), l)
	assert.ErrorIs(m, err, broken, "Send of a message that fails")
	assert.EqualValues(m, 1, l.writes.Load(), "calls of WriteTo by a Send whose message fails")
	m.absent(l)
}

func toldLength(m *mails) {
	var letters []*letter
	for _, off := range []int{0, -1, 1, -500, 500, -10_000, 10_000} {
		for _, end := range []string{"\r\n", "\n"} {
			l, s := m.sized(10_000), m.sized(10_000)
			for _, l := range []*letter{l, s} {
				l.text = strings.ReplaceAll(l.text, "\r\n", end)
			}
			m.sent(m.to(m.To[0]), lenLetter{l, len(l.text) + off})
			m.sent(m.to(m.To[0]), sizedLetter{s, int64(len(s.text) + off)})
			letters = append(letters, l, s)
		}
	}
	unknown := m.letter("of no known length\r\n")
	m.sent(m.to(m.To[0]), lenLetter{unknown, -1})
	m.allArrive(append(letters, unknown))
}

func tooLarge(m *mails) {
	l := m.letter("less than it says\r\n")
	_, err := m.send(m.ctx, patience, m.to(m.To[0]), sizedLetter{l, 1 << 42})
	if err == nil {
		m.Log("the server takes messages of any size")
		m.arrives(l, m.To[0])
		return
	}
	assert.NotErrorIs(m, err, hawser.ErrMaybeSent, "Send of a message that is too large")
	unwritten(m, l)
	m.goesOn()
	m.absent(l)
}

func sourceRules() []rule[*mails] {
	return []rule[*mails]{
		{"a message that fails is not sent", "half a message must not look like a whole one; the error is the source's own", sourceBreaks},
		{"a message that panics is not sent", "half a message must not look like a whole one", sourcePanics},
		{"a message that fails at its end is not sent", "a source that notices by its checksum says so last", sourceBreaksLast},
	}
}

// breaks makes up a message that fails after n bytes.
func (m *mails) breaks(n int, fail func() error) *letter {
	l := m.sized(2 << 20)
	l.pieces = func(w io.Writer, text string) error {
		if err := inPieces(16<<10)(w, text[:n]); err != nil {
			return err
		}
		return fail()
	}
	return l
}

func sourceBreaks(m *mails) {
	broken := errors.New("the source broke")
	scraps := m.scraps()
	var letters []*letter
	for _, n := range []int{0, 1, 100, 70 << 10, 1 << 20} {
		l := m.breaks(n, func() error { return broken })
		letters = append(letters, l)
		_, err := m.fails(m.ctx, patience, m.to(m.To...), l)
		assert.ErrorIs(m, err, broken, "Send of a message that fails after %d bytes", n)
		m.goesOn()
	}
	m.absent(letters...)
	assert.Equal(m, scraps, m.scraps(), "messages of a byte or none that arrived")
}

func sourceBreaksLast(m *mails) {
	broken := errors.New("the checksum is wrong")
	var letters []*letter
	for _, size := range []int{200, 10_000, 1 << 20} {
		l := m.sized(size)
		l.pieces = func(w io.Writer, text string) error {
			_, err := io.WriteString(w, text)
			return errors.Join(err, broken)
		}
		letters = append(letters, l)
		_, err := m.fails(m.ctx, patience, m.to(m.To[0]), l)
		assert.ErrorIs(m, err, broken, "Send of a message of %d bytes that fails at its end", size)
		m.goesOn()
	}
	m.absent(letters...)
}

func sourcePanics(m *mails) {
	var letters []*letter
	for _, n := range []int{100, 1 << 20} {
		l := m.breaks(n, func() error { panic("the source panics") })
		letters = append(letters, l)
		err := within(m, patience, "Send of a message that panics", func() (err error) {
			defer func() {
				if r := recover(); r != nil {
					err = fmt.Errorf("panic: %v", r) // passed on, as most do
				}
			}()
			_, err = m.mailer.Send(m.ctx, m.to(m.To...), l)
			return err
		})
		require.Error(m, err, "Send of a message that panics after %d bytes", n)
		m.goesOn()
	}
	m.absent(letters...)
}

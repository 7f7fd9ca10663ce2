package hawsertest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// delivered is what a server has delivered, by marker. What has none is "".
type delivered map[string][]Delivered

func (m *mails) delivered() delivered {
	m.Helper()
	by := delivered{}
	for _, d := range m.Delivered(m) {
		marker := markerOf(d.Data)
		by[marker] = append(by[marker], d)
	}
	return by
}

// to lists who got the message of that marker. What the server tells the sender
// about it, from nobody, is none of it.
func (by delivered) to(marker, from string) []string {
	var to []string
	for _, d := range by[marker] {
		if d.From != "" || from == "" {
			to = append(to, d.To...)
		}
	}
	slices.Sort(to)
	return to
}

// arrives waits until l has been delivered to each of to, and asks for it to be
// whole, from the accepted sender, and nowhere else and not twice.
func (m *mails) arrives(l *letter, to ...string) {
	m.Helper()
	m.arrivesFrom(m.From, l, to...)
}

func (m *mails) arrivesFrom(from string, l *letter, to ...string) {
	m.Helper()
	by := m.await(func(by delivered) bool { return len(by.to(l.marker, from)) >= len(to) })
	m.whole(by, from, l, to...)
}

// allArrive waits until each letter has been delivered to the first recipient.
func (m *mails) allArrive(letters []*letter) {
	m.Helper()
	by := m.await(func(by delivered) bool {
		return !slices.ContainsFunc(letters, func(l *letter) bool { return len(by[l.marker]) == 0 })
	})
	for i, l := range letters {
		m.whole(by, m.From, l, m.To[0])
		if m.Failed() {
			m.Fatalf("message %d of %d, of %d bytes", i+1, len(letters), len(l.text))
		}
	}
}

func (m *mails) whole(by delivered, from string, l *letter, to ...string) {
	m.Helper()
	slices.Sort(to)
	require.Equal(m, to, by.to(l.marker, from), "who got the message")
	for _, d := range by[l.marker] {
		if d.From == "" && from != "" {
			continue
		}
		require.Equal(m, from, d.From, "the sender of the message")
		require.NoError(m, same(d.Data, l.want()), "what arrived is not what was written")
	}
}

// await returns what has been delivered when that is enough, or when nothing
// more has come for a while.
func (m *mails) await(enough func(by delivered) bool) delivered {
	m.Helper()
	const pause = patience / 6
	again := time.NewTicker(20 * time.Millisecond) // servers tell nobody of a delivery
	defer again.Stop()
	last, since := -1, time.Now()
	for {
		by := m.delivered()
		count := 0
		for _, all := range by {
			count += len(all)
		}
		if count != last {
			last, since = count, time.Now()
		}
		if enough(by) || time.Since(since) > pause {
			return by
		}
		<-again.C
	}
}

// absent asks for letters not to be delivered, not even in part. It sends another
// message and waits for that first, and for those of goesOn.
func (m *mails) absent(letters ...*letter) {
	m.Helper()
	m.reopen()
	last := m.letter("nothing came before this\r\n")
	m.sent(m.to(m.To[0]), last)
	m.allArrive(append(m.after, last))
	by := m.delivered()
	for _, l := range letters {
		for _, d := range by[l.marker] {
			assert.Fail(m, "a message arrived that was not to be sent", "%d of %d bytes, to %v", len(d.Data), len(l.text), d.To)
		}
	}
}

// scraps counts deliveries in which not even a marker came, nor more of a body
// than a byte. Servers give a header to what has none.
func (m *mails) scraps() int {
	m.Helper()
	n := 0
	for _, d := range m.delivered()[""] {
		_, body, _ := bytes.Cut(d.Data, []byte("\r\n\r\n"))
		if len(bytes.TrimRight(body, "\r\n")) <= 1 {
			n++
		}
	}
	return n
}

// same says where got, behind its trace fields, is not want. Servers end the
// header where a message has none.
func same(got, want []byte) error {
	got = untraced(got)
	if !beginsWithField(want) {
		got = bytes.TrimPrefix(got, []byte("\r\n"))
		want = bytes.TrimPrefix(want, []byte("\r\n"))
	}
	err := differ(want, got)
	if err == nil {
		return nil
	}
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	return fmt.Errorf("%w: got %q, want %q", err, near(got, at), near(want, at))
}

// near is what stands around at in data.
func near(data []byte, at int) []byte { return data[max(0, at-20):min(len(data), at+20)] }

// untraced returns data without the trace fields before it (RFC 5321, section
// 4.4, and what servers add to those).
func untraced(data []byte) []byte {
	rest, folded := data, false
	for len(rest) > 0 {
		end := bytes.Index(rest, []byte("\r\n"))
		if end < 0 {
			return rest
		}
		if line := string(rest[:end]); !(folded && line != "" && strings.ContainsAny(line[:1], " \t")) && !isTrace(line) {
			return rest
		}
		rest, folded = rest[end+2:], true
	}
	return rest
}

func isTrace(line string) bool {
	name, _, found := strings.Cut(strings.ToLower(line), ":")
	switch name {
	case "received", "received-spf", "return-path", "delivered-to", "envelope-to", "authentication-results":
		return found
	}
	return found && strings.HasPrefix(name, "x-")
}

// beginsWithField reports whether data begins with a field of a header (RFC
// 5322, section 2.2).
func beginsWithField(data []byte) bool {
	name, _, found := bytes.Cut(data, []byte(":"))
	return found && len(name) > 0 && !bytes.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
}

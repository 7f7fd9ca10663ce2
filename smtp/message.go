package smtp

import (
	"bufio"
	"context"
	"io"
	"net/mail"
	"time"

	"github.com/hawser/hawser"
)

// A Message composes an RFC 5322 message of text, HTML, inline images and
// attachments (RFC 2045 to 2049, 2183, 2387, 2392). It needs From, one
// recipient and nothing else. [Message.Send] sends it.
//
// A Message is one mail. For another, copy one that was never written, or clear
// MessageID and Date, which WriteTo fills in. It is for one goroutine at a time,
// and may be changed between writes.
//
// Texts are UTF-8, and hold no control character but in Text and HTML. All that
// is written is ASCII, but for addresses that are not before their @, which only a
// server with SMTPUTF8 takes (RFC 6531, 6532).
type Message struct {
	From    string   // "Jobs <jobs@example.com>"
	Sender  string   // who really sends it, if not From
	To, Cc  []string // each an address, with or without a name, or a list with commas
	Bcc     []string // in the Envelope alone, never in the header
	ReplyTo []string
	Subject string

	Date      time.Time // zero: when it is first written
	MessageID string    // without angle brackets; "": made up when it is first written, so that a message sent again is known again
	// InReplyTo and References are MessageIDs of other messages (RFC 5322,
	// section 3.6.4).
	InReplyTo, References []string

	// Text and HTML are what is to be read, of which mail programs show the one
	// that they can. Lines may end with LF, CR LF or CR, and end with CR LF in
	// the message, also the last one. Neither: an empty text.
	Text, HTML string

	Inline      []Attachment // shown by HTML as "cid:NAME"
	Attachments []Attachment
	Header      []Field // further fields, in this order
}

// A Field is one of the header that no field of [Message] is for, such as
// Auto-Submitted or List-Unsubscribe.
type Field struct {
	Name string
	// Value is written as it is if it is ASCII, so a structured one may hold
	// encoded words. Any other is taken for text and encoded as a whole (RFC
	// 2047, section 5). Long ones are folded at spaces.
	Value string
}

var _ io.WriterTo = (*Message)(nil)

// WriteTo writes the message with CR LF line ends, which it ends with. It opens
// each attachment once, when it comes to it, and holds no more than 64 KiB of it.
// What it writes is the same each time, as long as the attachments are.
//
// An invalid message fails before anything is written, with the error of
// [Message.Validate]. An attachment that cannot be read to its end, has another
// size than it said, or cannot be closed, ends it with an error that names the
// attachment: the message is then not whole, and must not be sent.
func (m *Message) WriteTo(w io.Writer) (int64, error) {
	a, err := m.check()
	if err != nil {
		return 0, err
	}
	m.complete(a)
	out := &counter{w: w}
	buffered := bufio.NewWriterSize(out, 32<<10)
	if err := m.write(buffered, a, Attachment.writeTo); err != nil {
		return out.n, err // what is buffered stays there: the less of it the better
	}
	err = buffered.Flush()
	return out.n, err
}

// Size returns how many bytes WriteTo will write, without opening an
// attachment. It is -1 if the size of one is not known, or m is invalid.
func (m *Message) Size() int64 {
	a, err := m.check()
	if err != nil {
		return -1
	}
	copied := *m // what is made up has always the same length
	copied.complete(a)
	out, content, known := &counter{w: io.Discard}, int64(0), true
	measure := func(a Attachment, _ io.Writer) error {
		known = known && a.sized()
		content += base64Size(a.Size)
		return nil
	}
	if err := copied.write(out, a, measure); err != nil || !known {
		return -1
	}
	return out.n + content
}

// Envelope returns the envelope that the header asks for: from Sender, or else
// From, to each address of To, Cc and Bcc once, as it was given. An invalid
// message fails with the error of [Message.Validate].
func (m *Message) Envelope() (hawser.Envelope, error) {
	a, err := m.check()
	if err != nil {
		return hawser.Envelope{}, err
	}
	env := hawser.Envelope{From: bare(a.from)}
	if a.sender != nil {
		env.From = bare(a.sender)
	}
	seen := map[string]bool{}
	for _, list := range [][]*mail.Address{a.to, a.cc, a.bcc} {
		for _, to := range list {
			written, _ := asciiDomain(bare(to)) // of which checkAddress has seen that it can be
			key := foldDomain(written)          // RFC 5321, section 2.4: of the two parts the domain has no case
			if !seen[key] {
				seen[key] = true
				env.To = append(env.To, bare(to))
			}
		}
	}
	return env, nil
}

// Send sends m to everyone whom it names, by its own [Message.Envelope]. It is the
// short way: for an Envelope of your own, such as one that asks for notifications,
// call Send of the [hawser.Mailer], which takes any other io.WriterTo as well.
//
// An invalid message, and no Mailer, fail with a *[hawser.FieldError] for each
// problem before anything is sent. All else is what by says.
func (m *Message) Send(ctx context.Context, by hawser.Mailer) (hawser.Receipt, error) {
	env, err := m.Envelope()
	if err != nil {
		return hawser.Receipt{}, err
	}
	if by == nil {
		return hawser.Receipt{}, &hawser.FieldError{Field: "mailer", Problem: "is nil; want a session of a mail server"}
	}
	return by.Send(ctx, env, m)
}

// A counter counts what w took.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

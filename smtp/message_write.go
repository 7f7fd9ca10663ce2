package smtp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/mail"
	"strings"
	"time"

	"github.com/emersion/go-message/textproto"
	"golang.org/x/net/idna"
)

// complete sets what was left to it to make up. All of it has one length
// whatever it is, which Size counts on.
func (m *Message) complete(a addresses) {
	if m.Date.IsZero() {
		m.Date = time.Now()
	}
	if m.MessageID == "" {
		_, domain := cutAddress(a.from.Address)
		if ascii, err := idna.Lookup.ToASCII(domain); err == nil && !isASCII(domain) {
			domain = ascii
		}
		if !isPlainDomain(domain) {
			domain = "localhost" // a literal or not ASCII: both are rightly used, and often not understood
		}
		m.MessageID = rand.Text() + "@" + domain
	}
}

// A part is a body with its header (RFC 2045, section 2.4): content, or parts.
type part struct {
	fields   []Field // of which each value is ready for fold
	content  func(io.Writer) error
	boundary string
	parts    []part
}

// write writes m, each attachment by attach.
func (m *Message) write(w io.Writer, a addresses, attach func(Attachment, io.Writer) error) error {
	body := m.body(attach)
	fields := append(m.fields(a), Field{"MIME-Version", "1.0"})
	if err := textproto.WriteHeader(w, header(append(fields, body.fields...))); err != nil {
		return err
	}
	return body.write(w)
}

// write writes what follows the header of p.
func (p part) write(w io.Writer) error {
	if p.content != nil {
		return p.content(w)
	}
	mw := textproto.NewMultipartWriter(w)
	if err := mw.SetBoundary(p.boundary); err != nil {
		return err
	}
	for _, inner := range p.parts {
		pw, err := mw.CreatePart(header(inner.fields))
		if err != nil {
			return err
		}
		if err := inner.write(pw); err != nil {
			return err
		}
	}
	return mw.Close()
}

// body returns the structure that mail programs expect:
// mixed(alternative(text, related(html, inline...)), attachments...), without
// what would hold one part alone.
func (m *Message) body(attach func(Attachment, io.Writer) error) part {
	var texts []part
	if m.Text != "" || m.HTML == "" {
		texts = append(texts, textPart("plain", m.Text))
	}
	if m.HTML != "" {
		related := []part{textPart("html", m.HTML)}
		for _, a := range m.Inline {
			related = append(related, a.part("inline", attach))
		}
		texts = append(texts, m.multipart("related", related))
	}
	mixed := []part{m.multipart("alternative", texts)}
	for _, a := range m.Attachments {
		mixed = append(mixed, a.part("attachment", attach))
	}
	return m.multipart("mixed", mixed)
}

// multipart returns the parts as one, of the given subtype. The boundary is
// made of the MessageID, so that a message is written the same each time, and
// holds "=_", which no encoded content does (RFC 2045, section 6.7).
func (m *Message) multipart(subtype string, parts []part) part {
	if len(parts) == 1 {
		return parts[0]
	}
	sum := sha256.Sum256([]byte(m.MessageID))
	boundary := "=_" + hex.EncodeToString(sum[:12]) + "_" + subtype
	value := "multipart/" + subtype + `; boundary="` + boundary + `"`
	if subtype == "related" {
		value += `; type="text/html"` // RFC 2387, section 3.1
	}
	return part{fields: []Field{{"Content-Type", value}}, boundary: boundary, parts: parts}
}

// fields returns the header of m but for MIME.
func (m *Message) fields(a addresses) []Field {
	list := []Field{{"Date", m.Date.Format(time.RFC1123Z)}}
	add := func(name, value string) {
		if value != "" {
			list = append(list, Field{name, value})
		}
	}
	addAddresses := func(name string, of ...*mail.Address) {
		add(name, formatAddresses(of, wordWidth(name)))
	}
	addAddresses("From", a.from)
	if a.sender != nil && a.sender.Address != a.from.Address { // RFC 5322, section 3.6.2
		addAddresses("Sender", a.sender)
	}
	addAddresses("Reply-To", a.replyTo...)
	addAddresses("To", a.to...)
	addAddresses("Cc", a.cc...)
	if len(a.to)+len(a.cc) == 0 {
		add("To", "undisclosed-recipients:;") // a message without any is taken for junk
	}
	add("Subject", formatText(m.Subject, wordWidth("Subject")))
	add("Message-ID", formatIDs(m.MessageID))
	add("In-Reply-To", formatIDs(m.InReplyTo...))
	add("References", formatIDs(m.References...))
	for _, f := range m.Header {
		if !isASCII(f.Value) {
			f.Value = encodeWords(f.Value, wordWidth(f.Name))
		}
		list = append(list, f)
	}
	return list
}

// formatIDs returns ids in angle brackets (RFC 5322, section 3.6.4).
func formatIDs(ids ...string) string {
	if len(ids) == 0 {
		return ""
	}
	return "<" + strings.Join(ids, "> <") + ">"
}

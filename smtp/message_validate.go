package smtp

import (
	"errors"
	"fmt"
	"mime"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hawser/hawser"
)

// Validate reports every problem of m at once, joined; each is a
// *[hawser.FieldError] that names the field, such as "to[1]" or
// "attachments[0].name". One of a file that cannot be attached matches its cause
// as well, such as fs.ErrNotExist. Attachments are not opened.
func (m *Message) Validate() error {
	_, err := m.check()
	return err
}

// check is Validate, and returns the addresses.
func (m *Message) check() (addresses, error) {
	p := &messageProblems{}
	if m == nil {
		p.add("message", "is nil")
		return addresses{}, errors.Join(*p...)
	}
	a := m.checkAddresses(p)
	m.checkIDs(p)
	p.text("subject", m.Subject)
	if !utf8.ValidString(m.Text) {
		p.add("text", "is not UTF-8; convert it, or attach it")
	}
	if !utf8.ValidString(m.HTML) {
		p.add("html", "is not UTF-8; convert it, or attach it")
	}
	if date := m.Date; !date.IsZero() {
		if _, err := mail.ParseDate(date.Format(time.RFC1123Z)); err != nil || date.Year() < 1900 {
			p.add("date", "%v cannot be written; leave it out for the present", date) // RFC 5322, section 3.3
		}
	}
	m.checkAttachments(p)
	for i, f := range m.Header {
		f.check(p, fmt.Sprintf("header[%d]", i))
	}
	return a, errors.Join(*p...)
}

func (m *Message) checkAddresses(p *messageProblems) addresses {
	a := addresses{
		from:    p.address("from", m.From),
		replyTo: p.addresses("reply_to", m.ReplyTo),
		to:      p.addresses("to", m.To),
		cc:      p.addresses("cc", m.Cc),
		bcc:     p.addresses("bcc", m.Bcc),
	}
	if m.Sender != "" {
		a.sender = p.address("sender", m.Sender)
	}
	if len(m.To)+len(m.Cc)+len(m.Bcc) == 0 {
		p.add("to", "is empty, and so are cc and bcc; want at least one address")
	}
	return a
}

func (m *Message) checkIDs(p *messageProblems) {
	if m.MessageID != "" {
		p.id("message_id", m.MessageID)
		if local, domain := cutAddress(m.MessageID); local == "" || domain == "" {
			p.add("message_id", "%q is not of the form \"unique@example.com\"; leave it out to have one made up", m.MessageID)
		}
	}
	for i, id := range m.InReplyTo {
		p.id(fmt.Sprintf("in_reply_to[%d]", i), id)
	}
	for i, id := range m.References {
		p.id(fmt.Sprintf("references[%d]", i), id)
	}
}

func (m *Message) checkAttachments(p *messageProblems) {
	for i, a := range m.Attachments {
		a.check(p, fmt.Sprintf("attachments[%d]", i))
	}
	seen := map[string]bool{}
	for i, a := range m.Inline {
		name := fmt.Sprintf("inline[%d]", i)
		a.check(p, name)
		id := a.contentID()
		odd := func(r rune) bool {
			return r >= utf8.RuneSelf || !isLetter(byte(r)) && !strings.ContainsRune("-._~@+", r)
		}
		switch {
		case id == "" || strings.ContainsFunc(id, odd) || len(id) > longWord:
			p.add(name+".content_id", "%q is not a word that \"cid:\" can stand before; set one of ASCII letters and digits, such as \"logo\"", id)
		case seen[id]:
			p.add(name+".content_id", "%q is that of another image too; set another", id)
		}
		seen[id] = true
	}
	if len(m.Inline) > 0 && m.HTML == "" {
		p.add("inline", "has no effect without html, which shows it; use attachments")
	}
}

func (a Attachment) check(p *messageProblems, name string) {
	if a.fault != nil {
		p.cause(name, a.fault)
		return
	}
	const longName = 255 // which no file system goes beyond
	switch base := a.base(); {
	case base == "" || base == "." || base == "..":
		p.add(name+".name", "%q has no file name at its end", a.Name)
	case len(base) > longName:
		p.add(name+".name", "has %d bytes; want no more than %d", len(base), longName)
	default:
		p.text(name+".name", a.Name)
	}
	a.checkType(p, name+".content_type")
	if a.Size < 0 {
		p.add(name+".size", "is negative; leave it out if it is not known")
	}
	if a.Open == nil {
		p.add(name+".open", "is missing; make the attachment by File or Bytes, or set what opens it")
	}
}

func (a Attachment) checkType(p *messageProblems, name string) {
	if a.ContentType == "" {
		return
	}
	kind, _, err := mime.ParseMediaType(a.ContentType)
	top, sub, _ := strings.Cut(kind, "/")
	switch {
	case err != nil || sub == "" || !isASCII(a.ContentType) || strings.ContainsFunc(a.ContentType, unicode.IsControl) || hasLongWord(a.ContentType):
		p.add(name, "%q is not a media type; want one such as \"text/csv\"", a.ContentType)
	case top == "multipart" || top == "message":
		p.add(name, "%q may not be in base64 (RFC 2045, section 6.4), as attachments are; leave it out", a.ContentType)
	}
}

func (f Field) check(p *messageProblems, name string) {
	if odd := func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }; f.Name == "" || strings.ContainsFunc(f.Name, odd) || len(f.Name) > lineWidth {
		p.add(name+".name", "%q is not the name of a field; want one such as \"Auto-Submitted\"", f.Name)
	}
	own := []string{
		"date", "from", "sender", "reply-to", "to", "cc", "bcc", "subject",
		"message-id", "in-reply-to", "references",
	}
	switch lower := strings.ToLower(f.Name); {
	case slices.Contains(own, lower):
		p.add(name+".name", "%q would be there twice; set the field %s of the message", f.Name, strings.ReplaceAll(lower, "-", "_"))
	case lower == "mime-version" || strings.HasPrefix(lower, "content-"):
		p.add(name+".name", "%q is made of text, html and attachments; leave it out", f.Name)
	case lower == "received" || lower == "return-path" || lower == "resent-bcc":
		p.add(name+".name", "%q is not for those who send; leave it out", f.Name)
	}
	p.text(name+".value", f.Value)
	if strings.TrimSpace(f.Value) != f.Value {
		p.add(name+".value", "begins or ends with a space")
	}
	if isASCII(f.Value) && hasLongWord(f.Value) {
		p.add(name+".value", "has a word of more than %d bytes, which no line holds (RFC 5322, section 2.1.1)", longWord)
	}
}

// messageProblems collects FieldErrors in the order in which they are found.
type messageProblems []error

func (p *messageProblems) add(name, format string, args ...any) {
	*p = append(*p, &hawser.FieldError{Field: name, Problem: fmt.Sprintf(format, args...)})
}

// cause adds a problem that matches err.
func (p *messageProblems) cause(name string, err error) {
	*p = append(*p, &causedError{hawser.FieldError{Field: name, Problem: hawser.Printable(err.Error())}, err})
}

// A causedError is a FieldError that matches its cause.
type causedError struct {
	field hawser.FieldError
	cause error
}

func (e *causedError) Error() string   { return e.field.Error() }
func (e *causedError) Unwrap() []error { return []error{&e.field, e.cause} }

// text refuses what could end a line of the header, or is no text.
func (p *messageProblems) text(name, text string) {
	if !utf8.ValidString(text) {
		p.add(name, "is not UTF-8")
		return
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(text[i:])
		p.add(name, "holds the control character %q; leave it out", r)
	}
}

// id checks an ID of a message. Those of other programs have many forms.
func (p *messageProblems) id(name, id string) {
	switch {
	case strings.ContainsAny(id, "<>"):
		p.add(name, "%q has angle brackets; write it without them, and one ID an item", id)
	case id == "" || len(id) > longWord || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }):
		p.add(name, "%q is not the ID of a message; want one such as \"unique@example.com\"", id)
	}
}

func (p *messageProblems) addresses(name string, texts []string) []*mail.Address {
	var all []*mail.Address
	for i, text := range texts {
		list, err := parseAddresses(text)
		if err != nil {
			p.add(fmt.Sprintf("%s[%d]", name, i), "%v", err)
		}
		all = append(all, list...)
	}
	return all
}

func (p *messageProblems) address(name, text string) *mail.Address {
	if text == "" {
		p.add(name, "is empty; want an address such as \"Jobs <jobs@example.com>\"")
		return nil
	}
	a, err := parseAddress(text)
	if err != nil {
		p.add(name, "%v", err)
	}
	return a
}

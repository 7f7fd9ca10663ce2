package smtp

import (
	"errors"
	"fmt"
)

// check refuses a message of size bytes, -1 if that is not known, that the server
// would not take, before anything of it is sent.
func (t *transaction) check(size int64) error {
	f := t.o.link.features
	if most := f.maxSize(); most > 0 && size > most {
		return fmt.Errorf("%w: it has %d bytes%s, and the server takes %d at most", ErrTooLarge, size, t.orMore(), most)
	}
	if t.env.utf8 != "" && !f.has("SMTPUTF8") {
		return fmt.Errorf("%w: the address %q needs SMTPUTF8 (RFC 6531), which the server does not offer", errors.ErrUnsupported, t.env.utf8)
	}
	return nil
}

// orMore is for the size of a message that does not tell it.
func (t *transaction) orMore() string {
	if t.declared < 0 && !t.lines.whole {
		return " or more"
	}
	return ""
}

// checkLines looks at what is in the buffer.
func (t *transaction) checkLines() error {
	f := t.o.link.features
	if !f.has("8BITMIME") && !isSevenBit(t.lines.buf) {
		return fmt.Errorf("%w: the message has bytes of eight bits, for which the server lacks 8BITMIME (RFC 6152); encode it as quoted-printable or base64", errors.ErrUnsupported)
	}
	if !t.begun && !f.has("SMTPUTF8") && !isSevenBit(t.lines.header()) {
		return fmt.Errorf("%w: the header of the message is not ASCII, for which the server lacks SMTPUTF8 (RFC 6531); encode its fields (RFC 2047)", errors.ErrUnsupported)
	}
	return nil
}

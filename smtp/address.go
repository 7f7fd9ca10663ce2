package smtp

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// addresses are those of a message, read.
type addresses struct {
	from, sender         *mail.Address // sender is nil if there is none
	replyTo, to, cc, bcc []*mail.Address
}

// longAddress is how long an address may be in octets (RFC 5321, section
// 4.5.3.1.3, without the angle brackets).
const longAddress = 254

// parseAddresses reads a list of addresses (RFC 5322, section 3.4; RFC 6532).
// It refuses what would not be the same in a header or in an envelope.
func parseAddresses(text string) ([]*mail.Address, error) {
	if strings.ContainsFunc(text, unicode.IsControl) {
		return nil, fmt.Errorf("%q holds a control character; leave it out", text) // package mail takes some
	}
	list, err := mail.ParseAddressList(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address (%w); want one such as \"Jo Doe <jo@example.com>\"", text, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%q holds no address", text)
	}
	for _, a := range list {
		if err := checkAddress(a); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func checkAddress(a *mail.Address) error {
	switch {
	case !utf8.ValidString(a.Name) || strings.ContainsFunc(a.Name, unicode.IsControl):
		return fmt.Errorf("the name of %q holds a control character", a.Address) // from an encoded word
	case len(bare(a)) > longAddress:
		return fmt.Errorf("%q... has %d bytes; no server takes more than %d", a.Address[:20], len(bare(a)), longAddress)
	}
	_, err := asciiDomain(bare(a))
	return err
}

// asciiDomain returns address with its domain as DNS knows it (RFC 5891, section
// 4), which every server takes. One whose local part needs SMTPUTF8 stays as it is.
func asciiDomain(address string) (string, error) {
	local, domain := cutAddress(address)
	if !isASCII(local) || isASCII(domain) {
		return address, nil
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil || len(local)+len("@")+len(ascii) > longAddress {
		return "", fmt.Errorf("%q has a domain that DNS cannot hold", address)
	}
	return local + "@" + ascii, nil
}

// parseAddress reads exactly one address.
func parseAddress(text string) (*mail.Address, error) {
	list, err := parseAddresses(text)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, errors.New("holds more than one address; want one")
	}
	return list[0], nil
}

// bare returns a as an envelope has it, with quotes where it needs them.
func bare(a *mail.Address) string {
	text := (&mail.Address{Address: a.Address}).String()
	return strings.TrimSuffix(strings.TrimPrefix(text, "<"), ">")
}

// cutAddress splits an address at its last @, for a quoted one may hold others.
func cutAddress(address string) (local, domain string) {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return address, ""
	}
	return address[:i], address[i+1:]
}

// isPlainDomain reports whether s is a domain name in ASCII.
func isPlainDomain(s string) bool {
	odd := func(r rune) bool { return r >= utf8.RuneSelf || r != '-' && r != '.' && !isLetter(byte(r)) }
	return s != "" && !strings.ContainsFunc(s, odd)
}

// formatAddresses returns list, which was checked, as a header has it, with
// encoded words of no more than width bytes. package mail would not encode a name
// that looks encoded, and not keep to the width.
func formatAddresses(list []*mail.Address, width int) string {
	texts := make([]string, len(list))
	for i, a := range list {
		address, _ := asciiDomain(a.Address) // of which checkAddress has seen that it can be
		written := &mail.Address{Name: a.Name, Address: address}
		texts[i] = written.String()
		if a.Name != "" && (!isPlain(a.Name) || hasLongWord(texts[i])) { // in quotes, in which some characters count twice
			texts[i] = encodeWords(a.Name, width) + " <" + bare(written) + ">"
		}
	}
	return strings.Join(texts, ", ")
}

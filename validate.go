package hawser

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Validate reports every problem of c at once, joined; each is a *[FieldError].
// A value that is misspelt comes with a suggestion. An option set for a
// protocol other than c.Protocol is a problem, because it would have no effect.
// The options of a protocol outside this module are for its driver to judge.
func (c Connection) Validate() error {
	p := &problems{}
	c.validateMain(p)
	c.validateText(p)
	c.validateOwners(p)
	c.Auth.validate(p, c.Protocol)
	c.TLS.validate(p, c.Protocol)
	c.Proxy.validate(p)
	c.FTP.validate(p)
	c.validateActive(p)
	c.SSH.validate(p)
	c.SFTP.validate(p)
	c.SMTP.validate(p)
	c.validateMailLogin(p)
	c.Limits.validate(p)
	c.validateExtra(p)
	return errors.Join(*p...)
}

// validateStored also asks for what a registry needs.
func (c Connection) validateStored() error {
	if c.Name == "" {
		return errors.Join(&FieldError{Field: "name", Problem: "is empty; jobs find a connection by its name"}, c.Validate())
	}
	return c.Validate()
}

// problems collects FieldErrors in the order in which they are found.
type problems []error

func (p *problems) add(name, format string, args ...any) {
	*p = append(*p, &FieldError{Field: name, Problem: fmt.Sprintf(format, args...)})
}

// oneOf adds a problem unless got is empty or one of known.
func oneOf[T ~string](p *problems, name, what string, got T, known ...T) {
	if got == "" || slices.Contains(known, got) {
		return
	}
	words := make([]string, len(known))
	for i, k := range known {
		words[i] = string(k)
	}
	p.add(name, "unknown %s %q%s", what, got, suggest(string(got), words))
}

// eachOneOf is oneOf for a list, whose items must not be empty.
func eachOneOf[T ~string](p *problems, name, what string, got []T, known ...T) {
	for i, item := range got {
		itemName := fmt.Sprintf("%s[%d]", name, i)
		if item == "" {
			p.add(itemName, "is empty; want the name of %s", what)
		}
		oneOf(p, itemName, what, item, known...)
	}
}

func (c Connection) validateMain(p *problems) {
	if strings.TrimSpace(c.Name) != c.Name {
		p.add("name", "begins or ends with a space")
	}
	if c.Protocol == "" {
		p.add("protocol", "is empty; want one of ftp, sftp, ssh, smtp")
	}
	validateHost(p, "host", c.Host)
	if c.Timeout < 0 {
		p.add("timeout", "is negative; leave it out for %v", DefaultTimeout)
	}
	if c.Via != "" && c.Via == c.Name {
		p.add("via", "leads in a circle: names the connection itself")
	}
}

func validateHost(p *problems, name, host string) {
	switch {
	case host == "":
		p.add(name, "is empty; want a DNS name or an IP address")
	case strings.Contains(host, "://"):
		p.add(name, "is a URL; want the name alone, and the rest in its own fields (ParseURL takes URLs apart)")
	case strings.Contains(host, "@"): // it may stand behind a password, so it is not quoted
		p.add(name, "has a login; write the name alone, the user in auth.user and the password in auth.password")
	case strings.HasPrefix(host, "["):
		p.add(name, "has brackets; write an IPv6 address without them")
	case strings.Count(host, ":") == 1:
		p.add(name, "has a port; write it in the field port")
	case strings.ContainsAny(host, " /?#") || strings.Contains(host, ":") && !isIP(host):
		p.add(name, "%q is not a DNS name or an IP address", host)
	}
}

// isIP reports whether host is an IP address. The zone of one may hold what
// needs no escape in a URL, as the names of interfaces do (RFC 6874, section
// 2): net/url writes others in a way that it does not read again.
func isIP(host string) bool {
	addr, err := netip.ParseAddr(host)
	special := func(r rune) bool {
		return !(r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-._~", r)))
	}
	return err == nil && !strings.ContainsFunc(addr.Zone(), special)
}

// validateText refuses control characters in every text and secret: in a
// login, a file name or a command line they would end one message and start
// another. Text is UTF-8: the stored form, which is JSON, has no place for other.
func (c Connection) validateText(p *problems) {
	for f := range c.fields() {
		if secret, ok := f.value.Interface().(Secret); ok {
			if breaksLine(f.name, secret.Reveal()) {
				p.add(f.name, "holds CR, LF or NUL")
			}
			continue
		}
		for text := range textsOf(f.value) {
			if !utf8.ValidString(text) {
				p.add(f.name, "is not UTF-8")
				break
			}
		}
		if f.value.Kind() != reflect.String || f.name == "description" {
			continue
		}
		for _, r := range f.value.String() {
			if unicode.IsControl(r) {
				p.add(f.name, "holds the control character %q", r)
				break
			}
		}
	}
}

// textsOf yields the texts that v is or holds, but for secrets.
func textsOf(v reflect.Value) iter.Seq[string] {
	return func(yield func(string) bool) {
		switch v.Kind() {
		case reflect.String:
			yield(v.String())
		case reflect.Slice:
			for i := range v.Len() {
				if item := v.Index(i); item.Kind() == reflect.String && !yield(item.String()) {
					return
				}
			}
		case reflect.Map:
			for key, value := range v.Seq2() {
				if !yield(key.String()) || value.Kind() == reflect.String && !yield(value.String()) {
					return
				}
			}
		}
	}
}

// breaksLine reports whether text, of the secret called name, would end one
// message and start another. The content of a file may have lines, and of
// secrets of other drivers nothing is known.
func breaksLine(name, text string) bool {
	if strings.HasSuffix(name, ".content") || strings.HasPrefix(name, "extra_secrets.") {
		return false
	}
	return strings.ContainsAny(text, "\r\n\x00")
}

// owners tells for a group or field which protocols read it.
func owners() map[string][]Protocol {
	return map[string][]Protocol{
		"auth.key":      {SSH, SFTP},
		"auth.agent":    {SSH, SFTP},
		"auth.token":    {SMTP},
		"tls":           {FTP, SMTP},
		"tls.data":      {FTP},
		"ftp":           {FTP},
		"ssh":           {SSH, SFTP},
		"sftp":          {SFTP},
		"smtp":          {SMTP},
		"auth.password": {FTP, SSH, SFTP, SMTP},
	}
}

// validateOwners finds the fields that are set for another protocol.
func (c Connection) validateOwners(p *problems) {
	own := owners()
	if !slices.Contains(own["auth.password"], c.Protocol) {
		return // a driver outside this module knows what it reads
	}
	for f := range c.fields() {
		readers := readersOf(own, f.name)
		if readers != nil && !f.value.IsZero() && !slices.Contains(readers, c.Protocol) {
			p.add(f.name, "has no effect with protocol %s; it is for %s", c.Protocol, protocolList(readers))
		}
	}
}

// readersOf finds the longest prefix of name in own.
func readersOf(own map[string][]Protocol, name string) []Protocol {
	for {
		if readers := own[name]; readers != nil {
			return readers
		}
		i := strings.LastIndexByte(name, '.')
		if i < 0 {
			return nil
		}
		name = name[:i]
	}
}

func protocolList(list []Protocol) string {
	words := make([]string, len(list))
	for i, protocol := range list {
		words[i] = string(protocol)
	}
	return strings.Join(words, " and ")
}

func (c Connection) validateExtra(p *problems) {
	check := func(group, key string) {
		if driver, setting, ok := strings.Cut(key, "."); !ok || driver == "" || setting == "" {
			p.add(group, "key %q is not of the form driver.setting", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.Extra)) {
		check("extra", key)
	}
	for _, key := range slices.Sorted(maps.Keys(c.ExtraSecrets)) {
		check("extra_secrets", key)
	}
}

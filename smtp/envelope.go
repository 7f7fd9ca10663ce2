package smtp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hawser/hawser"
)

// An envelope is a hawser.Envelope that was checked, as commands write it.
type envelope struct {
	hawser.Envelope
	from string
	to   []recipient // each once
	utf8 string      // the first address that needs SMTPUTF8; "": none does
}

type recipient struct {
	given string // as the caller wrote it
	path  string
}

// newEnvelope checks e. All problems are told at once, each a *hawser.FieldError.
func newEnvelope(e hawser.Envelope) (*envelope, error) {
	env := &envelope{Envelope: e}
	var problems []error
	check := func(field, address string) string {
		path, err := pathOf(address)
		if err != nil {
			problems = append(problems, &hawser.FieldError{Field: field, Problem: err.Error()})
		}
		if env.utf8 == "" && !isSevenBit([]byte(path)) {
			env.utf8 = address
		}
		return path
	}
	if e.From != "" {
		env.from = check("from", e.From)
	}
	if len(e.To) == 0 {
		problems = append(problems, &hawser.FieldError{Field: "to", Problem: "is empty; want one recipient at least"})
	}
	seen := map[string]bool{}
	for i, address := range e.To {
		path := check(fmt.Sprintf("to[%d]", i), address)
		key := foldDomain(path)
		if !seen[key] {
			env.to = append(env.to, recipient{address, path})
		}
		seen[key] = true
	}
	problems = append(problems, checkDSN(e)...)
	return env, errors.Join(problems...)
}

// foldDomain is path with its domain in lower case: that is the same one.
func foldDomain(path string) string {
	at := strings.LastIndexByte(path, '@') + 1
	return path[:at] + strings.ToLower(path[at:])
}

// checkDSN checks what is asked of notifications (RFC 3461, section 4).
func checkDSN(e hawser.Envelope) (problems []error) {
	add := func(field, format string, args ...any) {
		problems = append(problems, &hawser.FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
	}
	for i, word := range e.Notify {
		if !slices.Contains([]string{"SUCCESS", "FAILURE", "DELAY", "NEVER"}, word) {
			add(fmt.Sprintf("notify[%d]", i), "%q is none of SUCCESS, FAILURE, DELAY, NEVER", word)
		}
		if word == "NEVER" && len(e.Notify) > 1 {
			add("notify", "has NEVER beside others; want it alone")
		}
	}
	if !slices.Contains([]string{"", "FULL", "HDRS"}, e.Return) {
		add("return", "%q is neither FULL nor HDRS", e.Return)
	}
	const longest = 100 // RFC 3461, section 4.4
	if strings.ContainsFunc(e.ID, func(r rune) bool { return r < ' ' || r > '~' }) || len(xtext(e.ID)) > longest {
		add("id", "want up to %d printable ASCII characters", longest)
	}
	return problems
}

// longestPath is how long an address may be, in bytes, without the angle brackets
// (RFC 5321, section 4.5.3.1.3).
const longestPath = 254

// pathOf is address as it stands between angle brackets. A domain that is not
// ASCII is written as DNS knows it, unless the local part needs SMTPUTF8 anyway.
func pathOf(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	local, domain := address, ""
	if at >= 0 {
		local, domain = address[:at], address[at+1:]
	}
	switch {
	case address == "":
		return "", errors.New("is empty; want an address such as a@example.com")
	case len(address) > longestPath:
		return "", fmt.Errorf("has %d bytes; %d is the most that an address may have", len(address), longestPath)
	case !utf8.ValidString(address) || strings.ContainsFunc(address, unicode.IsControl):
		return "", fmt.Errorf("%q holds a control character or is no UTF-8", address)
	case !isLocalPart(local):
		return "", fmt.Errorf("%q is no bare address; want one such as a@example.com, without name and angle brackets", address)
	case at < 0: // such as postmaster, for the server to complete
		return address, nil
	case domain == "" || strings.ContainsAny(domain, " <>()[],;:\\\"") && !isLiteral(domain):
		return "", fmt.Errorf("%q has no domain behind the @", address)
	}
	return asciiDomain(address)
}

// isLocalPart reports whether local is one, in quotes or not (RFC 5321, section
// 4.1.2). Dots may stand anywhere: some providers have given out such addresses.
func isLocalPart(local string) bool {
	quoted, ok := strings.CutPrefix(local, `"`)
	if !ok {
		return local != "" && !strings.ContainsAny(local, " <>()[],;:\\\"@")
	}
	for i := 0; i < len(quoted); i++ {
		switch quoted[i] {
		case '\\':
			i++
		case '"':
			return i == len(quoted)-1
		}
	}
	return false
}

// isLiteral reports whether domain is an address literal, "[192.0.2.1]".
func isLiteral(domain string) bool {
	inner, ok := strings.CutPrefix(domain, "[")
	inner, ok2 := strings.CutSuffix(inner, "]")
	return ok && ok2 && inner != "" && !strings.ContainsAny(inner, " <>()[],;\\\"@")
}

// xtext is RFC 3461, section 4.
func xtext(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < '!' || c > '~' || c == '+' || c == '=' {
			_, _ = fmt.Fprintf(&b, "+%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// mail is the command MAIL for a message of so many bytes; -1: not known.
func (e *envelope) mail(f features, size int64, utf8 bool) string {
	line := "MAIL FROM:<" + e.from + ">"
	if f.has("SIZE") && size >= 0 {
		line += fmt.Sprintf(" SIZE=%d", size)
	}
	if f.has("8BITMIME") {
		line += " BODY=8BITMIME"
	}
	if utf8 {
		line += " SMTPUTF8"
	}
	if f.has("DSN") && e.Return != "" {
		line += " RET=" + e.Return
	}
	if f.has("DSN") && e.ID != "" {
		line += " ENVID=" + xtext(e.ID)
	}
	return line
}

// rcpt is the command RCPT for r.
func (e *envelope) rcpt(f features, r recipient) string {
	line := "RCPT TO:<" + r.path + ">"
	if f.has("DSN") && len(e.Notify) > 0 {
		line += " NOTIFY=" + strings.Join(e.Notify, ",")
	}
	return line
}

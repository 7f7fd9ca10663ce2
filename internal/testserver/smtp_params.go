package testserver

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseSMTPPath parses the argument of MAIL and RCPT: prefix, a path in angle brackets, and the parameters behind it
// (RFC 5321, section 4.1.2). No blank may come between prefix and path. addr is what stands in the brackets.
func parseSMTPPath(arg, prefix string) (addr, parameters string, ok bool) {
	if len(arg) < len(prefix) || !strings.EqualFold(arg[:len(prefix)], prefix) {
		return "", "", false
	}
	path, opened := strings.CutPrefix(arg[len(prefix):], "<")
	end := closingBracket(path)
	if !opened || end < 0 {
		return "", "", false
	}
	addr, parameters = path[:end], path[end+1:]
	if parameters != "" && parameters[0] != ' ' {
		return "", "", false
	}
	if addr != "" && !strings.EqualFold(addr, "postmaster") && !isMailbox(addr) {
		return "", "", false
	}
	return addr, parameters, true
}

// closingBracket finds the ">" that no quoted string holds. It returns -1 if there is none.
func closingBracket(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && s[i] == '>':
			return i
		}
	}
	return -1
}

// isMailbox reports whether s is a local part, an at and a domain.
func isMailbox(s string) bool {
	const longest = 254 // RFC 5321, section 4.5.3.1.3, without the brackets
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 || len(s) > longest || !utf8.ValidString(s) {
		return false
	}
	local, domain := s[:at], s[at+1:]
	if inner, ok := strings.CutPrefix(local, `"`); ok {
		inner, ok = strings.CutSuffix(inner, `"`)
		return ok && isQuoted(inner) && isDomain(domain)
	}
	return isDotted(local, func(r rune) bool { return strings.ContainsRune(`()<>[]:;@\,"`, r) }) && isDomain(domain)
}

// isQuoted reports whether s may stand between the quotes of a local part.
func isQuoted(s string) bool {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] < ' ', s[i] == 0x7f, s[i] == '"', s[i] == '\\' && i == len(s)-1:
			return false
		case s[i] == '\\':
			i++
		}
	}
	return true
}

// isDomain reports whether s is a name or an address in square brackets.
func isDomain(s string) bool {
	if literal, ok := strings.CutPrefix(s, "["); ok {
		literal, ok = strings.CutSuffix(literal, "]")
		s = strings.ReplaceAll(literal, ":", "")
		return ok && isDotted(s, func(r rune) bool { return !isLetterOrDigit(r) })
	}
	return isDotted(s, func(r rune) bool { return r <= '~' && r != '-' && !isLetterOrDigit(r) })
}

func isLetterOrDigit(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// isDotted reports whether s is made of parts between dots, none of them empty, and free of controls, blanks and what
// is bad.
func isDotted(s string, bad func(rune) bool) bool {
	return !slices.Contains(strings.Split(s, "."), "") && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r != '.' && bad(r)
	})
}

// smtpParameter is one that MAIL or RCPT may have.
type smtpParameter struct {
	keyword string // of EHLO, that offers it
	accepts func(value string) bool
}

// parameters checks those of MAIL and RCPT, "KEY=value KEY", against those that are known.
func (s *smtpSession) parameters(text string, known map[string]smtpParameter) bool {
	seen := []string{}
	for _, word := range strings.Fields(text) {
		key, value, _ := strings.Cut(word, "=")
		key = strings.ToUpper(key)
		parameter, ok := known[key]
		switch {
		case !ok, !s.extended, !s.server.offers(parameter.keyword):
			s.reply(555, "5.5.4", key+" is not offered")
			return false
		case slices.Contains(seen, key), !parameter.accepts(value):
			s.reply(501, "5.5.4", "that is no right "+key)
			return false
		}
		seen = append(seen, key)
	}
	return true
}

// smtpMAILParameters are those of MAIL, and what they do to the transaction.
func smtpMAILParameters(m *smtpTransaction) map[string]smtpParameter {
	return map[string]smtpParameter{
		"SIZE": {"SIZE", func(value string) bool {
			size, err := strconv.ParseUint(value, 10, 63)
			m.announced = int64(size)
			return err == nil
		}},
		"BODY": {"8BITMIME", func(value string) bool {
			return strings.EqualFold(value, "7BIT") || strings.EqualFold(value, "8BITMIME")
		}},
		"SMTPUTF8": {"SMTPUTF8", func(value string) bool {
			m.utf8 = true
			return value == ""
		}},
		"RET":   {"DSN", func(value string) bool { return strings.EqualFold(value, "FULL") || strings.EqualFold(value, "HDRS") }},
		"ENVID": {"DSN", func(value string) bool { return len(value) <= 100 && isXtext(value) }},
		"AUTH":  {"AUTH", isXtext},
	}
}

// smtpRCPTParameters are those of RCPT.
func smtpRCPTParameters() map[string]smtpParameter {
	return map[string]smtpParameter{
		"NOTIFY": {"DSN", isNotify},
		"ORCPT": {"DSN", func(value string) bool {
			kind, addr, ok := strings.Cut(value, ";")
			return ok && kind != "" && (isXtext(addr) || strings.EqualFold(kind, "utf-8") && addr != "")
		}},
	}
}

// isNotify reports whether value is NEVER or a list of the others (RFC 3461, section 4.1).
func isNotify(value string) bool {
	seen := []string{}
	for word := range strings.SplitSeq(strings.ToUpper(value), ",") {
		if !slices.Contains([]string{"NEVER", "SUCCESS", "FAILURE", "DELAY"}, word) || slices.Contains(seen, word) {
			return false
		}
		seen = append(seen, word)
	}
	return len(seen) == 1 || !slices.Contains(seen, "NEVER")
}

// isXtext reports whether value is written in xtext (RFC 3461, section 4) and says something.
func isXtext(value string) bool {
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c < '!', c > '~', c == '=':
			return false
		case c == '+':
			if i+2 >= len(value) || !isUpperHex(value[i+1]) || !isUpperHex(value[i+2]) {
				return false
			}
			i += 2
		}
	}
	return value != ""
}

func isUpperHex(c byte) bool { return '0' <= c && c <= '9' || 'A' <= c && c <= 'F' }

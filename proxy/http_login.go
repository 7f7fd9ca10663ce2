package proxy

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/icholy/digest"

	"github.com/hawser/hawser"
)

// A login is how one dial logs in to an HTTP proxy. Nothing is sent before the proxy
// says what it wants, unless it is known from an earlier dial, so that no password
// is shown to one that wants a digest of it.
type login struct {
	scheme   scheme
	sent     bool // the last request had a login
	borrowed bool // it is of an earlier dial, so it may be refused for its age
	renewed  bool // an old one has been replaced once
	offers   []string
}

// A scheme is what a proxy wants. The zero value is nothing yet.
type scheme struct {
	basic    bool
	digest   *digest.Challenge
	fresh    bool          // the proxy says that the last login was not stale, so it was wrong
	count    int           // requests so far with the nonce of digest
	password hawser.Secret // that it was good for, in a memory
}

// header is the Proxy-Authorization of the next request, empty for none.
func (l *login) header(p hawser.Proxy, host string) (string, error) {
	l.sent = false
	switch {
	case l.scheme.digest != nil:
		l.sent = true
		l.scheme.count++
		credentials, err := digest.Digest(l.scheme.digest, digest.Options{
			Method: http.MethodConnect, URI: host, Count: l.scheme.count,
			Username: p.User, Password: p.Password.Reveal(),
		})
		if err != nil {
			return "", err
		}
		return credentials.String(), nil
	case l.scheme.basic:
		l.sent = true
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(p.User+":"+p.Password.Reveal())), nil
	}
	return "", nil
}

// again looks at a refusal and reports whether another request may do better. What
// was refused is not sent again.
func (l *login) again(p hawser.Proxy, r *http.Response) bool {
	if p.User == "" || r.StatusCode != http.StatusProxyAuthRequired && (r.StatusCode != http.StatusUnauthorized || l.sent) {
		return false
	}
	challenges := challenges(r.Header.Values("Proxy-Authenticate"))
	l.offers = nil
	for _, c := range challenges {
		l.offers = append(l.offers, c.scheme)
	}
	next, ok := strongest(challenges)
	if !ok {
		return false
	}
	if l.sent {
		if l.renewed || !l.outdated(next) {
			return false
		}
		l.renewed = true
	}
	l.scheme, l.borrowed = next, false
	return true
}

// outdated reports whether the login was refused for its age, or may have been: the
// proxy may have begun to want something else.
func (l *login) outdated(next scheme) bool {
	if next.digest == nil || l.scheme.digest == nil {
		return l.borrowed && next.basic != l.scheme.basic
	}
	return next.digest.Stale || l.borrowed && !next.fresh
}

// offered names the schemes that the proxy asked for.
func (l *login) offered() string {
	if len(l.offers) == 0 {
		return "none at all"
	}
	return strings.Join(l.offers, ", ")
}

// strongest chooses among challenges: the digest that is first of the best kind, or
// else Basic.
func strongest(challenges []challenge) (scheme, bool) {
	best, found := scheme{}, false
	rank := -1
	for _, c := range challenges {
		switch {
		case strings.EqualFold(c.scheme, "Basic"):
			if rank < 0 {
				best, found = scheme{basic: true}, true
			}
		case strings.EqualFold(c.scheme, "Digest"):
			d, err := digest.ParseChallenge("Digest " + c.parameters)
			if err != nil || !digest.CanDigest(d) {
				continue
			}
			if r := digestRank(d.Algorithm); r > rank {
				fresh := !d.Stale && strings.Contains(strings.ToLower(c.parameters), "stale")
				best, found, rank = scheme{digest: d, fresh: fresh}, true, r
			}
		}
	}
	return best, found
}

func digestRank(algorithm string) int {
	switch strings.ToUpper(algorithm) {
	case "SHA-512-256", "SHA-512":
		return 2
	case "SHA-256":
		return 1
	}
	return 0 // MD5
}

// A challenge is one of RFC 9110, section 11.3.
type challenge struct {
	scheme     string // printable
	parameters string
}

// challenges takes header fields apart, each of which may hold several challenges.
// Commas separate them as they separate parameters, so a new one is what begins with
// a word that no "=" follows.
func challenges(fields []string) []challenge {
	var all []challenge
	for _, field := range fields {
		for _, part := range splitQuoted(field) {
			scheme, rest, _ := strings.Cut(part, " ")
			if scheme == "" {
				continue
			}
			if !strings.ContainsAny(scheme, `="`) && !strings.HasPrefix(strings.TrimSpace(rest), "=") {
				all = append(all, challenge{scheme: hawser.Printable(scheme), parameters: strings.TrimSpace(rest)})
				continue
			}
			if last := len(all) - 1; last >= 0 {
				all[last].parameters = strings.TrimPrefix(all[last].parameters+", "+part, ", ")
			}
		}
	}
	return all
}

// splitQuoted splits s at its commas, but not at those within quotes.
func splitQuoted(s string) []string {
	var parts []string
	quoted, escaped, start := false, false, 0
	for i := range len(s) {
		switch {
		case escaped:
			escaped = false
		case quoted && s[i] == '\\':
			escaped = true
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			parts = append(parts, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	return append(parts, strings.TrimSpace(s[start:]))
}

// String names what the proxy offered, for nobody must print what else is in it.
func (l *login) String() string { return fmt.Sprintf("login by %v", l.offered()) }

package smtp

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wire"
)

// login proves who we are (RFC 4954) and says how that was done. It goes through
// what c can prove itself with, and through the mechanisms for each, strongest
// first. What the server refuses is not said again by another mechanism, because
// that could lock the account.
func (p *dial) login(logins []login) (how string, err error) {
	if len(logins) == 0 {
		return "no login", nil
	}
	var refused, unfit []error
	for _, l := range logins {
		how, err := p.loginBy(l)
		switch {
		case err == nil:
			return how, nil
		case errors.Is(err, errUnfit):
			unfit = append(unfit, err)
		case errors.Is(err, hawser.ErrAuth):
			refused = append(refused, err)
		default:
			return "", err
		}
	}
	return "", cmp.Or(errors.Join(refused...), errors.Join(unfit...))
}

// errUnfit says that no mechanism was tried.
var errUnfit = fmt.Errorf("%w: no mechanism", hawser.ErrAuth)

// loginBy tries the mechanisms of one login.
func (p *dial) loginBy(l login) (how string, err error) {
	offered, secure := p.features.mechanisms(), p.TLS != nil
	err = l.unfit(p.c, offered, secure)
	for _, m := range l.mechanisms {
		if !m.allowed(p.c, secure) || !slices.Contains(offered, m.name) {
			continue
		}
		r, authErr := p.authenticate(m, l)
		switch {
		case errors.Is(authErr, errUnfit):
			err = authErr
			continue
		case authErr != nil:
			return "", authErr
		case r.Code == codeAuthenticated:
			return strings.TrimSpace(l.user + " by " + m.name), nil
		case r.Class() == 4 && r.Code != 432: // 432: the password must be given by PLAIN once (RFC 4954, section 6)
			return "", fmt.Errorf("the server takes no login now: %w", refusal("AUTH "+m.name, r))
		}
		err = fmt.Errorf("%w: %w%s", hawser.ErrAuth, refusal("AUTH "+m.name, r), l.cure(r))
		if !unusable(r) {
			return "", err
		}
	}
	return "", err
}

// unusable reports whether r refuses the mechanism, not the login: unknown, too
// weak, or in need of TLS (RFC 4954, section 6).
func unusable(r wire.Reply) bool {
	return slices.Contains([]int{432, 500, 502, 504, 534, 538}, r.Code)
}

// authenticate is the exchange of one mechanism. No text shows what is sent in it.
func (p *dial) authenticate(m mechanism, l login) (wire.Reply, error) {
	talk := m.start(l, p.c)
	first, err := talk.first()
	if err != nil {
		return wire.Reply{}, fmt.Errorf("%w: %s: %w", errUnfit, m.name, err)
	}
	r, err := p.startAuth(m.name, first)
	for rounds := 0; err == nil && r.Code == codeChallenge; rounds++ {
		const most = 10
		if rounds == most {
			return r, fmt.Errorf("%w: AUTH %s: the server goes on asking", hawser.ErrAuth, m.name)
		}
		var challenge, answer []byte
		challenge, err = base64.StdEncoding.DecodeString(strings.TrimSpace(r.Text()))
		if err == nil {
			answer, err = talk.next(challenge)
		}
		if err != nil {
			return p.cancelAuth(m.name, err)
		}
		r, err = p.answer("AUTH", base64.StdEncoding.EncodeToString(answer), "")
	}
	if err != nil {
		return r, err
	}
	if r.Code == codeAuthenticated {
		err = talk.proved()
	} else {
		err = talk.told()
	}
	if err != nil {
		return r, fmt.Errorf("%w: AUTH %s: %w", hawser.ErrAuth, m.name, err)
	}
	return r, nil
}

// startAuth sends AUTH with the initial response, if there is one and the line
// has room for it (RFC 4954, section 4).
func (p *dial) startAuth(name string, first []byte) (wire.Reply, error) {
	const longest = 512 - len("\r\n") // RFC 5321, section 4.5.3.1.4
	if first == nil {
		return exchange(p.Wire, "AUTH "+name, "", "")
	}
	encoded := base64.StdEncoding.EncodeToString(first)
	if encoded == "" {
		encoded = "="
	}
	if line := "AUTH " + name + " " + encoded; len(line) <= longest {
		return p.answer("AUTH", encoded, "AUTH "+name+" ")
	}
	r, err := exchange(p.Wire, "AUTH "+name, "", "")
	if err != nil || r.Code != codeChallenge {
		return r, err
	}
	return p.answer("AUTH", encoded, "")
}

// answer sends what is encoded, behind prefix, and reads the reply to command.
func (p *dial) answer(command, encoded, prefix string) (wire.Reply, error) {
	shown, secret := prefix+"***", encoded
	if len(encoded) < 4 { // nothing, or no more than padding: it tells no secret, and would mask what it is not
		shown, secret = prefix+encoded, ""
	}
	if shown == "" {
		shown = "(an empty line)"
	}
	if err := p.Wire.Send(prefix+encoded, shown, secret); err != nil {
		return wire.Reply{}, err
	}
	return receive(p.Wire, command)
}

// cancelAuth gives up an exchange because of why (RFC 4954, section 4).
func (p *dial) cancelAuth(name string, why error) (wire.Reply, error) {
	if r, err := exchange(p.Wire, "*", "", ""); err != nil {
		return r, err
	}
	return wire.Reply{}, fmt.Errorf("%w: AUTH %s was given up: %w", hawser.ErrAuth, name, why)
}

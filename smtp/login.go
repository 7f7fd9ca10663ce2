package smtp

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
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
	var refused, unfit error
	for _, l := range logins {
		how, err := p.loginBy(l)
		switch {
		case err == nil:
			return how, nil
		case errors.Is(err, errUnfit):
			unfit = then(unfit, err)
		case errors.Is(err, hawser.ErrAuth) && !errors.Is(err, hawser.ErrLost):
			refused = then(refused, err)
		default: // such as a loss, which may be how the server ends what it has refused
			return "", then(refused, err)
		}
	}
	return "", cmp.Or(refused, unfit)
}

// errUnfit says that no mechanism was tried.
var errUnfit = fmt.Errorf("%w: no mechanism", hawser.ErrAuth)

// then is err after an earlier error, which is told too; nil: there was none.
func then(before, err error) error {
	if before == nil {
		return err
	}
	return fmt.Errorf("%w; and then: %w", before, err)
}

// loginBy tries the mechanisms of one login.
func (p *dial) loginBy(l login) (how string, err error) {
	offered, secure := p.features.mechanisms(), p.TLS != nil
	unfit := p.unfit(l, offered)
	var refused error
	for _, m := range l.mechanisms {
		if !m.allowed(p.c, secure) || !slices.Contains(offered, m.name) {
			continue
		}
		r, err := p.authenticate(m, l)
		switch {
		case errors.Is(err, errUnfit):
			unfit = err
			continue
		case err != nil:
			return "", then(refused, err)
		case r.Code == codeAuthenticated:
			return strings.TrimSpace(l.user + " by " + m.name), nil
		case r.Class() == 4 && r.Code != codeTransition:
			return "", then(refused, fmt.Errorf("the server takes no login now: %w", refusal("AUTH "+m.name, r)))
		}
		refused = then(refused, l.refused(m, r))
		if !unusable(r) {
			break
		}
	}
	return "", cmp.Or(refused, unfit)
}

// refused is the error of a login that r refuses.
func (l login) refused(m mechanism, r wire.Reply) error {
	err := fmt.Errorf("%w: %w%s", hawser.ErrAuth, refusal("AUTH "+m.name, r), l.cure(r))
	return opening.WithHint(err, strings.TrimPrefix(l.cure(r), "; "))
}

// unusable reports whether r refuses the mechanism, not the login: unknown, too
// weak, or in need of TLS (RFC 4954, section 6).
func unusable(r wire.Reply) bool {
	return slices.Contains([]int{codeTransition, 500, 502, 504, 534, 538}, r.Code)
}

// authenticate is the exchange of one mechanism. No text shows what is sent in it.
func (p *dial) authenticate(m mechanism, l login) (wire.Reply, error) {
	talk := m.start(l, p.c)
	first, err := talk.first()
	if err != nil {
		return wire.Reply{}, fmt.Errorf("%w: %s: %w", errUnfit, m.name, err)
	}
	r, err := p.startAuth(m.name, first, l)
	for rounds := 0; err == nil && r.Code == codeChallenge; rounds++ {
		const most = 10
		if rounds == most {
			return p.cancelAuth(m.name, errors.New("the server goes on asking"))
		}
		var challenge, answer []byte
		challenge, err = base64.StdEncoding.DecodeString(strings.TrimSpace(r.Text()))
		if err == nil {
			answer, err = talk.next(challenge)
		}
		if err != nil {
			return p.cancelAuth(m.name, err)
		}
		r, err = p.answer("", base64.StdEncoding.EncodeToString(answer), l)
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
func (p *dial) startAuth(name string, first []byte, l login) (wire.Reply, error) {
	const longest = 512 - len("\r\n") // RFC 5321, section 4.5.3.1.4
	if first == nil {
		return exchange(p.Wire, "AUTH "+name)
	}
	encoded := base64.StdEncoding.EncodeToString(first)
	if encoded == "" {
		encoded = "="
	}
	if line := "AUTH " + name + " " + encoded; len(line) <= longest {
		return p.answer("AUTH "+name+" ", encoded, l)
	}
	r, err := exchange(p.Wire, "AUTH "+name)
	if err != nil || r.Code != codeChallenge {
		return r, err
	}
	return p.answer("", encoded, l)
}

// answer sends what is encoded, behind prefix, and reads the reply. That shows
// neither it nor the secret of l, which the server knows from it.
func (p *dial) answer(prefix, encoded string, l login) (wire.Reply, error) {
	shown, secrets := prefix+"***", []string{encoded, l.secret}
	if len(encoded) < 4 { // nothing, or no more than padding: it tells no secret, and would mask what it is not
		shown, secrets = prefix+encoded, secrets[1:]
	}
	if shown == "" {
		shown = "(an empty line)"
	}
	if err := p.Wire.Send(prefix+encoded, shown, secrets...); err != nil {
		return wire.Reply{}, err
	}
	return receive(p.Wire, "AUTH")
}

// cancelAuth gives up an exchange because of why (RFC 4954, section 4), in which
// bytes of the server may stand.
func (p *dial) cancelAuth(name string, why error) (wire.Reply, error) {
	err := fmt.Errorf("%w: AUTH %s was given up: %s", hawser.ErrAuth, name, hawser.Printable(why.Error()))
	if _, lost := exchange(p.Wire, "*"); lost != nil {
		err = fmt.Errorf("%w; and then: %w", err, lost)
	}
	return wire.Reply{}, err
}

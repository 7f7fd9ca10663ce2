package ftp

import (
	"fmt"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/wire"
)

// The codes of a login (RFC 959, section 5.4; RFC 4217, section 12).
const (
	codeLoggedIn      = 230
	codeByCertificate = 232 // the client certificate is enough
	codePassword      = 331
	codeAccount       = 332
)

// login is the dialogue of USER, PASS and ACCT, as far as the server wants it.
func (p *dial) login() error {
	user, password := p.c.Auth.User, p.c.Auth.Password.Reveal()
	if p.c.Auth.Anonymous {
		user, password = "anonymous", "hawser@" // what stands for the address of a person (RFC 1635)
	}
	r, err := exchange(p.Wire, "USER "+user, "", "")
	if err == nil && r.Code == codePassword {
		r, err = p.secretly("PASS", password)
	}
	if err == nil && r.Code == codeAccount {
		account := p.c.FTP.Account.Reveal()
		if account == "" {
			return opening.WithHint(fmt.Errorf("%w: the server wants an account too (%s); set ftp.account", hawser.ErrAuth, r), "set ftp.account")
		}
		r, err = p.secretly("ACCT", account)
	}
	switch {
	case err != nil:
		return err
	case r.Class() == 2:
		p.Detail = r.String()
		return nil
	}
	return p.refused(r)
}

// secretly sends a command whose argument no text shows, nor an echo of it.
func (p *dial) secretly(verb, secret string) (wire.Reply, error) {
	return exchange(p.Wire, verb+" "+secret, verb+" ***", secret)
}

// refused is why the login did not come about.
func (p *dial) refused(r wire.Reply) error {
	cure := "check auth.user and auth.password"
	switch {
	case r.Class() == 4:
		return opening.WithHint(fmt.Errorf("the server takes no login now: %w", refusal("login", r)), "try again later, or end other sessions of this login")
	case p.TLS == nil && r.Code != 530:
		cure += "; a server that wants TLS first may say so by this: set tls.mode to explicit"
	}
	return opening.WithHint(fmt.Errorf("%w: %w; %s", hawser.ErrAuth, refusal("login", r), cure), p.loginHint(r))
}

// loginHint is what to do about a login that was refused by r.
func (p *dial) loginHint(r wire.Reply) string {
	switch {
	case r.Code == 500 || r.Code == 502: // every FTP server knows USER
		return "the server does not know how FTP logs in: check protocol and port, or set tls.mode to explicit"
	case p.TLS == nil: // vsftpd says 530, others 503, 521, 534 or 550
		return "check auth.user and auth.password; if both are right, the server may want TLS: set tls.mode to explicit"
	}
	return "check auth.user and auth.password"
}

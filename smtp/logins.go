package smtp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/wire"
)

// A login is one thing to prove oneself with, and the mechanisms that do so,
// strongest first.
type login struct {
	field      string // what it comes from
	user       string
	secret     string // password or token; "" for a certificate
	mechanisms []mechanism
}

// loginsOf are the logins of c in the order in which they are tried: certificate,
// token, password. None means that mail is sent without a login.
func loginsOf(c hawser.Connection) []login {
	a := c.Auth
	var logins []login
	if a.Anonymous {
		if slices.Contains(c.SMTP.Auth, "ANONYMOUS") {
			logins = append(logins, login{field: "auth.anonymous", mechanisms: anonymous()})
		}
		return logins
	}
	hasCertificate := c.TLS.Certificate.File != "" || !c.TLS.Certificate.Content.IsZero()
	if hasCertificate && (slices.Contains(c.SMTP.Auth, "EXTERNAL") || a.User != "" && a.Password.IsZero() && a.Token.IsZero()) {
		logins = append(logins, login{field: "tls.certificate", user: a.User, mechanisms: byCertificate()})
	}
	if token := a.Token.Reveal(); token != "" {
		logins = append(logins, login{field: "auth.token", user: a.User, secret: token, mechanisms: byToken()})
	}
	if password := a.Password.Reveal(); password != "" {
		logins = append(logins, login{field: "auth.password", user: a.User, secret: password, mechanisms: byPassword()})
	}
	return logins
}

// unfit is why no mechanism of l can be tried; its error is passed over where one
// was.
func (p *dial) unfit(l login, offered []string) error {
	c, secure := p.c, p.TLS != nil
	if len(offered) == 0 {
		err := fmt.Errorf("%w: the server offers no login%s; leave %s out if it needs none%s", errUnfit, tlsCure(secure), l.field, p.oldHello())
		if secure {
			return opening.WithHint(err, "leave out "+l.field+" if the server needs no login")
		}
		return opening.WithHint(err, "set tls.mode to explicit or implicit, or leave out "+l.field+" if the server needs no login")
	}
	var mine, shown []string
	for _, m := range l.mechanisms {
		switch {
		case m.allowed(c, secure):
			mine = append(mine, m.name)
		case m.listed(c) && slices.Contains(offered, m.name):
			shown = append(shown, m.name)
		}
	}
	text := hawser.Printable(strings.Join(offered, ", "))
	if len(shown) > 0 {
		const cure = "set tls.mode to explicit or implicit, or smtp.insecure_auth to accept that"
		err := fmt.Errorf("%w: the server offers %s, of which %s would show the secret to the network; %s", errUnfit, text, strings.Join(shown, ", "), cure)
		return opening.WithHint(err, cure)
	}
	err := fmt.Errorf("%w: the server offers %s, and %s is for %s; look at smtp.auth", errUnfit, text, l.field, strings.Join(mine, ", "))
	if len(mine) == 0 {
		err = fmt.Errorf("%w: smtp.auth allows none that %s is for", errUnfit, l.field)
	}
	return opening.WithHint(err, "set smtp.auth to mechanisms that the server offers and "+l.field+" is for, or leave it out")
}

// tlsCure is for servers that offer a login after TLS alone.
func tlsCure(secure bool) string {
	if secure {
		return ""
	}
	return " without TLS; set tls.mode to explicit or implicit if it has TLS"
}

// cure is what may help against the refusal r.
func (l login) cure(r wire.Reply) string {
	switch {
	case r.Code == 538 || r.Code == 530:
		return "; set tls.mode to explicit or implicit"
	case unusable(r):
		return "; look at smtp.auth"
	case l.user == "":
		return "; check " + l.field
	}
	return "; check auth.user and " + l.field
}

package smtp

import (
	"slices"

	"github.com/emersion/go-sasl"

	"github.com/hawser/hawser"
)

// A mechanism is one of SASL (RFC 4422).
type mechanism struct {
	name  string
	shows bool // the secret, to whoever listens; it needs TLS
	start func(l login, c hawser.Connection) *talk
}

// listed reports whether c allows it by name, or leaves the choice.
func (m mechanism) listed(c hawser.Connection) bool {
	return len(c.SMTP.Auth) == 0 || slices.Contains(c.SMTP.Auth, m.name)
}

// allowed reports whether it may be used on a connection that is secure or not.
func (m mechanism) allowed(c hawser.Connection, secure bool) bool {
	return m.listed(c) && (secure || !m.shows || c.SMTP.InsecureAuth)
}

// A talk is the client's side of one exchange. check and why may be nil.
type talk struct {
	// first returns the initial response; nil is none, which differs from an
	// empty one.
	first func() ([]byte, error)
	// next answers a challenge.
	next func(challenge []byte) ([]byte, error)
	// check is asked once the server has accepted: it fails unless the server has
	// proved that it knows the secret too.
	check func() error
	// why is what the server said in the exchange of its refusal; nil: nothing.
	why func() error
}

func (t *talk) proved() error { return call(t.check) }

func (t *talk) told() error { return call(t.why) }

func call(fn func() error) error {
	if fn == nil {
		return nil
	}
	return fn()
}

// of makes a talk of a client of go-sasl.
func of(client sasl.Client) *talk {
	return &talk{
		first: func() ([]byte, error) {
			_, response, err := client.Start()
			if response == nil {
				response = []byte{}
			}
			return response, err
		},
		next: client.Next,
	}
}

func byPassword() []mechanism {
	return []mechanism{
		scramMechanism("SCRAM-SHA-256"),
		scramMechanism("SCRAM-SHA-1"),
		{name: "CRAM-MD5", start: func(l login, _ hawser.Connection) *talk { return cramMD5(l) }},
		{name: "PLAIN", shows: true, start: func(l login, _ hawser.Connection) *talk { return of(sasl.NewPlainClient("", l.user, l.secret)) }},
		{name: "LOGIN", shows: true, start: func(l login, _ hawser.Connection) *talk { return loginTalk(l) }},
	}
}

func byToken() []mechanism {
	return []mechanism{
		{name: "OAUTHBEARER", shows: true, start: oauthBearer},
		{name: "XOAUTH2", shows: true, start: func(l login, _ hawser.Connection) *talk { return xoauth2(l) }},
	}
}

func byCertificate() []mechanism {
	return []mechanism{{name: "EXTERNAL", start: func(l login, _ hawser.Connection) *talk { return of(sasl.NewExternalClient(l.user)) }}}
}

func anonymous() []mechanism {
	return []mechanism{{name: "ANONYMOUS", start: func(login, hawser.Connection) *talk { return of(sasl.NewAnonymousClient("hawser")) }}}
}

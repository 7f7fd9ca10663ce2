package certs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hawser/hawser"
)

func (e *UntrustedError) problemTLS() string {
	q := e.Question
	cert := "certificate " + q.Fingerprint + caption(q.Chain)
	text := " presented the " + cert
	switch {
	case q.Reason == RevokedKey:
		text += ", which is revoked"
	case e.Denied:
		text += ", " + e.denied()
	case len(q.Known) > 0:
		text = " presented another certificate than before: " + cert + "; known is " + strings.Join(q.Known, ", ")
	}
	if e.Detail != "" {
		text += " (" + e.Detail + ")"
	}
	if len(q.Findings) > 0 {
		text += "; " + listed(q.Findings)
	}
	return text
}

// caption says whose the first certificate of chain is.
func caption(chain Chain) string {
	if len(chain) == 0 {
		return ""
	}
	leaf := chain[0]
	return fmt.Sprintf(" (%s, issued by %s, valid until %s)",
		nonempty(leaf.Subject.String(), "no subject"), nonempty(leaf.Issuer.String(), "no name"), leaf.NotAfter.UTC().Format(time.DateOnly))
}

func nonempty(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return quoted(s)
}

// listed is everything wrong, in words.
func listed(findings []Finding) string {
	const most = 20
	var texts []string
	for i, f := range findings {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more", len(findings)-most))
			break
		}
		where := ""
		if f.Index > 0 {
			where = fmt.Sprintf(" (certificate %d)", f.Index)
		}
		texts = append(texts, string(f.Anomaly)+where+": "+f.Detail)
	}
	return strings.Join(texts, "; ")
}

func (e *UntrustedError) cureTLS() string {
	q := e.Question
	switch {
	case q.Reason == RevokedKey && e.Detail != "":
		return "give the server another certificate, or remove the revocation if it is a mistake"
	case q.Reason == RevokedKey:
		return "give the server a new certificate"
	case q.Reason == Forged:
		return "somebody may be in between, or the server sends the wrong intermediate certificates: have that mended; nobody is asked about such a certificate, but Store.Add can pin it"
	case e.Denied:
		return e.undo()
	}
	compare := "compare with `openssl x509 -noout -fingerprint -sha256 -in CERT` on the server, then "
	if len(q.Known) > 0 {
		compare = "unless the server's administrator knows of the change, somebody may be in between: " + compare
	}
	var cures []string
	if e.Pending != "" {
		cures = append(cures, "accept it by the answer to question "+e.Pending)
	}
	return compare + strings.Join(append(cures, e.settings()...), ", or ")
}

// settings are the fields of the connection that could make it trusted.
func (e *UntrustedError) settings() []string {
	var names []string
	for _, f := range e.Question.Findings {
		if name := string(f.Anomaly); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	has := func(a ...hawser.Anomaly) bool {
		return slices.ContainsFunc(a, func(a hawser.Anomaly) bool { return slices.Contains(names, string(a)) })
	}
	var cures []string
	if has(hawser.UnknownAuthority, hawser.SelfSigned, hawser.MissingIntermediate) {
		cures = append(cures, "name the PEM file of its authority in tls.roots")
	}
	if has(hawser.NameMismatch) {
		cures = append(cures, "set tls.server_name to a name that it is for")
	}
	return append(cures, "list in tls.allow: "+strings.Join(names, ", "))
}

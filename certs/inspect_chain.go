package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/hawser/hawser"
)

// A chain is certificates from the server's own upwards, each signed, or said
// to be, by the next.
type chain struct {
	*inspection
	certs    []*x509.Certificate
	anchored bool // the last one is trusted
}

func (ch chain) top() int { return len(ch.certs) - 1 }

// finding is one of the i-th certificate; the text is made fit for a Detail.
func (ch chain) finding(a hawser.Anomaly, i int, format string, args ...any) Finding {
	return Finding{Anomaly: a, Index: ch.index(i), Cert: ch.certs[i], Detail: quoted(fmt.Sprintf(format, args...))}
}

// index returns where the i-th certificate was presented first, or a number of
// its own after those. A platform's verifier returns certificates of its own
// making, so that pointers do not tell.
func (ch chain) index(i int) int {
	place := func(c *x509.Certificate) (int, bool) {
		for j, p := range ch.presented {
			if p == c || bytes.Equal(p.Raw, c.Raw) {
				return j, true
			}
		}
		return 0, false
	}
	j, ok := place(ch.certs[i])
	if ok {
		return j
	}
	absent := 0
	for _, c := range ch.certs[:i] {
		if _, ok := place(c); !ok {
			absent++
		}
	}
	return len(ch.presented) + absent
}

// judge returns everything that is wrong with a chain that Verify did not
// accept.
//
// Nothing is skipped for what is found. Signatures are verified here, each on
// its own, since x509 does not know SHA-1 any more. All other checks of x509's
// are done by x509 itself, in one Verify at the end, of copies that are rid of
// exactly the flaws that were reported before: whatever was overlooked here, or
// comes with a later Go, makes that Verify fail, and that is unknown-authority.
// So there is no flaw that hides another one, and none that needs to be relaxed
// for more than the certificate that has it.
func (ch chain) judge() []Finding {
	found, verified := ch.signatures()
	flaws := make([]flaw, len(ch.certs))
	for i := range ch.certs {
		own, flaw := ch.inspectOne(i)
		found, flaws[i] = append(found, own...), flaw
	}
	if !ch.anchored {
		found = append(found, ch.dangling()...)
	}
	last := ch.lastWord(flaws)
	found = append(found, last...)
	if trusted := ch.anchored && verified && len(last) == 0; !trusted && !containsDenial(found) {
		found = append(found, ch.finding(hawser.UnknownAuthority, ch.top(), "no chain to a trusted root was verified"))
	}
	return append(found, ch.weaknesses()...)
}

func containsDenial(found []Finding) bool {
	for _, f := range found {
		if deniesAuthority(f.Anomaly) {
			return true
		}
	}
	return false
}

// signatures also reports whether each certificate below the top is verifiably
// signed by the next.
func (ch chain) signatures() (found []Finding, verified bool) {
	verified = true
	for i, c := range ch.certs[:ch.top()] {
		issuer := ch.certs[i+1]
		switch ch.link(c, issuer) {
		case linkVerified:
			continue
		case linkRefuted:
			found = append(found, ch.finding(hawser.BadSignature, i, "it is not signed by %s, its issuer by name", called(issuer)))
		case linkUnverifiable:
			found = append(found, ch.finding(hawser.UnknownAuthority, i, "its signature (%s) by %s cannot be verified", c.SignatureAlgorithm, called(issuer)))
		case linkUnchecked:
			found = append(found, ch.finding(hawser.UnknownAuthority, i, "too many certificates were presented to find its issuer"))
		}
		verified = false
	}
	return found, verified
}

// inspectOne looks at the i-th certificate for each thing that x509 would look
// at in it, but for its names and policies.
func (ch chain) inspectOne(i int) (found []Finding, flaws flaw) {
	c := ch.certs[i]
	report := func(f flaw, a hawser.Anomaly, format string, args ...any) {
		found, flaws = append(found, ch.finding(a, i, format, args...)), flaws|f
	}
	if ch.Now.After(c.NotAfter) {
		report(untimely, hawser.Expired, "%s expired on %s", called(c), c.NotAfter.UTC().Format(time.RFC3339))
	}
	if ch.Now.Before(c.NotBefore) {
		report(untimely, hawser.NotYetValid, "%s is valid from %s on", called(c), c.NotBefore.UTC().Format(time.RFC3339))
	}
	if n := len(c.UnhandledCriticalExtensions); n > 0 {
		report(critical, hawser.CriticalExtension, "%s has %d critical extensions that nobody here understands, the first is %s",
			called(c), n, c.UnhandledCriticalExtensions[0])
	}
	if !forServers(c) {
		report(misused, hawser.WrongUsage, "%s is not for TLS servers, by its extended key usages", called(c))
	}
	if why := ch.noIssuer(i); why != "" {
		report(unfit, hawser.BasicConstraints, "%s %s", called(c), why)
	}
	return found, flaws
}

// forServers reports whether the extended key usages of c, if it has any, let
// it be a server or the issuer of one (x509 wants them nested).
func forServers(c *x509.Certificate) bool {
	for _, u := range c.ExtKeyUsage {
		if u == x509.ExtKeyUsageAny || u == x509.ExtKeyUsageServerAuth {
			return true
		}
	}
	return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0
}

// noIssuer says why the i-th certificate may not be the issuer of what is below
// it (RFC 5280, sections 4.2.1.3 and 4.2.1.9); "" means that it may.
func (ch chain) noIssuer(i int) string {
	c := ch.certs[i]
	if i == 0 {
		return ""
	}
	// A root may be of X.509 version 1, which has no extensions.
	isRoot := i == ch.top() && (ch.anchored || bytes.Equal(c.RawIssuer, c.RawSubject))
	switch {
	case isRoot && !c.BasicConstraintsValid && c.Version < 3: // nothing says no
	case !c.BasicConstraintsValid || !c.IsCA:
		return "issued a certificate, but is no authority"
	case c.MaxPathLen >= 0 && i-1 > c.MaxPathLen:
		return fmt.Sprintf("has %d authorities below it and may have %d", i-1, c.MaxPathLen)
	}
	if c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return "issued a certificate, but its key may not sign any"
	}
	return ""
}

// lastWord is x509's, about names, policies, and anything that was overlooked.
func (ch chain) lastWord(flaws []flaw) []Finding {
	copies := ch.copies(ch.certs, flaws, true)
	top := ch.top()
	chains, err := verifyNatively(copies[:max(1, top)], x509.VerifyOptions{Roots: poolOf(copies[top:]), CurrentTime: ch.Now})
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil && len(chains) == 1 && len(chains[0]) == len(copies):
		return nil
	case errors.As(err, &invalid) && invalid.Reason == x509.CANotAuthorizedForThisName:
		return []Finding{ch.finding(hawser.NameConstraints, 0, "an issuer may not sign for all of its names: %s", invalid.Detail)}
	case err == nil:
		err = errors.New("it is not the chain that was looked for")
	}
	return []Finding{ch.finding(hawser.UnknownAuthority, top, "its chain is not valid: %s", err)}
}

// dangling says what is wrong with a chain that ends without a trusted root.
func (ch chain) dangling() []Finding {
	i := ch.top()
	c := ch.certs[i]
	itself := linkRefuted
	if bytes.Equal(c.RawIssuer, c.RawSubject) {
		itself = ch.link(c, c)
	}
	switch {
	case itself != linkRefuted && i == 0:
		return []Finding{ch.finding(hawser.SelfSigned, i, "%s vouches for itself", called(c))}
	case itself != linkRefuted:
		return []Finding{ch.finding(hawser.UnknownAuthority, i, "the root %s is not trusted", called(c))}
	case ch.gaveUp:
		return []Finding{ch.finding(hawser.UnknownAuthority, i, "too many certificates were presented to find its issuer %s", calledIssuer(c))}
	}
	switch ch.claimOf(c) {
	case claimSigned:
		return []Finding{ch.finding(hawser.UnknownAuthority, i, "the root %s signed it and is not trusted for it%s", calledIssuer(c), ch.because())}
	case claimMute:
		return []Finding{ch.finding(hawser.UnknownAuthority, i, "its signature (%s) by the root %s cannot be verified, "+
			"or if it is of SHA-1 then only if the server presents the root too", c.SignatureAlgorithm, calledIssuer(c))}
	case claimDenied:
		return []Finding{ch.finding(hawser.BadSignature, i, "it is not signed by the root %s, its issuer by name%s", calledIssuer(c), ch.because())}
	}
	if bytes.Equal(c.RawIssuer, c.RawSubject) && mayHaveSigned(c, c) {
		return []Finding{ch.finding(hawser.BadSignature, i, "%s names itself as its issuer and did not sign itself", called(c))}
	}
	return ch.withoutIssuer()
}

// withoutIssuer is for a chain whose last certificate is of an issuer that
// nobody knows.
func (ch chain) withoutIssuer() []Finding {
	i := ch.top()
	c := ch.certs[i]
	found := []Finding{ch.finding(hawser.UnknownAuthority, i, "its issuer %s is not trusted%s", calledIssuer(c), ch.because())}
	switch {
	case len(c.IssuingCertificateURL) > 0:
		found = append(found, ch.finding(hawser.MissingIntermediate, i, "the server did not send %s, which is at %q", calledIssuer(c), clipped(c.IssuingCertificateURL[0])))
	case len(ch.presented) == 1:
		found = append(found, ch.finding(hawser.MissingIntermediate, i, "the server sent no other certificate, not that of %s", calledIssuer(c)))
	}
	return found
}

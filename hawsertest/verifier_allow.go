package hawsertest

import (
	"crypto/x509"
	"slices"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/stretchr/testify/assert"
	"golang.org/x/crypto/ocsp"
)

func allowRules() []rule[*verifier] {
	return []rule[*verifier]{
		{"Allow excuses what it names", "a server whose certificate cannot be mended is reached by naming its fault, not by turning trust off", allowed},
		{"Allow excuses nothing else", "whoever lets an expired certificate pass has not said that anybody may have made it", allowedAlone},
		{"Allow of everything else does not help", "each fault has a name of its own, and only that excuses it", allowedOthers},
		{"Allow never excuses a forged or revoked certificate", "such a certificate proves nothing, whoever asks for it", allowedNever},
		{"Allow does not apply to a proxy", "it is about the server; a proxy in between sees every password of a proxy login", allowedProxy},
	}
}

// A flawed peer has a certificate with faults, each of which Allow names in one
// of its ways.
type flawed struct {
	what   string
	p      hawser.Peer
	faults []hawser.Anomaly
}

// untrusted are the names of a certificate that nothing leads to a root.
func untrusted() []hawser.Anomaly {
	return []hawser.Anomaly{hawser.UnknownAuthority, hawser.SelfSigned, hawser.MissingIntermediate}
}

// excusable are peers with one fault each, and one with two.
func (v *verifier) excusable() []flawed {
	v.Helper()
	other := testcert.Root(v)
	server := func(edits ...testcert.Edit) hawser.Peer { return v.presents(testcert.Server(v, v.root, edits...)) }
	return []flawed{
		{"an expired certificate", server(testcert.Expired), []hawser.Anomaly{hawser.Expired}},
		{"a certificate that is not yet valid", server(early), []hawser.Anomaly{hawser.NotYetValid}},
		{"a certificate for another name", server(testcert.For("other.example.com")), []hawser.Anomaly{hawser.NameMismatch}},
		{"a certificate for clients alone", server(forClients), []hawser.Anomaly{hawser.WrongUsage}},
		{"a self-signed certificate", v.presents(testcert.Server(v, nil)), untrusted()},
		{"a certificate of an unknown authority", v.presents(testcert.Server(v, other)), untrusted()},
		{"a certificate that is followed by its unknown authority", v.presents(testcert.Server(v, other), other), untrusted()},
		{
			"an expired certificate for another name", server(testcert.Expired, testcert.For("other.example.com")),
			[]hawser.Anomaly{hawser.Expired, hawser.NameMismatch},
		},
	}
}

func allowed(v *verifier) {
	v.needs(certificates())
	var refused []flawed
	all := v.excusable()
	for _, f := range all {
		c := v.overTLS()
		c.TLS.Allow = f.faults
		if err := v.verify(c, f.p); err != nil {
			refused = append(refused, f)
		}
	}
	if len(refused) == len(all) {
		v.Skip("skipped: the Verifier does not heed Allow")
	}
	for _, f := range refused {
		assert.Fail(v, "Verify refused "+f.what, "tls.allow names %q", f.faults)
	}
}

func allowedAlone(v *verifier) {
	past, elsewhere := testcert.Edit(testcert.Expired), testcert.For("other.example.com")
	// It was made after the expired ones expired, so that there is no time at which
	// both are valid: whoever looks at the chain at another time than now, so as to
	// see what else is wrong, must not take what it finds then for the expiry.
	other := testcert.Root(v)
	for _, try := range []struct {
		what   string
		server *testcert.Pair
		allow  []hawser.Anomaly
	}{
		{"an expired certificate of an unknown authority", testcert.Server(v, other, past), []hawser.Anomaly{hawser.Expired}},
		{"an expired self-signed certificate", testcert.Server(v, nil, past), []hawser.Anomaly{hawser.Expired}},
		{"an expired forged certificate", forged(v, testcert.Server(v, v.root, past)), []hawser.Anomaly{hawser.Expired}},
		{"an expired certificate for another name", testcert.Server(v, v.root, past, elsewhere), []hawser.Anomaly{hawser.Expired}},
		{"an expired certificate for clients alone", testcert.Server(v, v.root, past, forClients), []hawser.Anomaly{hawser.Expired}},
		{"another name, of an unknown authority", testcert.Server(v, other, elsewhere), []hawser.Anomaly{hawser.NameMismatch}},
		{"another name, and forged", forged(v, testcert.Server(v, v.root, elsewhere)), []hawser.Anomaly{hawser.NameMismatch}},
		{"another name, and expired", testcert.Server(v, v.root, past, elsewhere), []hawser.Anomaly{hawser.NameMismatch}},
		{"for clients alone, and expired", testcert.Server(v, v.root, past, forClients), []hawser.Anomaly{hawser.WrongUsage}},
		{"for clients alone, of an unknown authority", testcert.Server(v, other, forClients), []hawser.Anomaly{hawser.WrongUsage}},
		{"self-signed, and for another name", testcert.Server(v, nil, elsewhere), untrusted()},
		{"of an unknown authority, and expired", testcert.Server(v, other, past), untrusted()},
	} {
		c := v.overTLS()
		c.TLS.Allow = try.allow
		v.refuses(c, v.presents(try.server, other), try.what)
	}
}

func allowedOthers(v *verifier) {
	others := func(faults ...hawser.Anomaly) []hawser.Anomaly {
		faults = append(faults, hawser.BadSignature, hawser.Revoked) // Validate refuses these
		return slices.DeleteFunc(hawser.Anomalies(), func(a hawser.Anomaly) bool { return slices.Contains(faults, a) })
	}
	constrained := testcert.Intermediate(v, v.root, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} })
	all := append(v.excusable(),
		flawed{"a weak key", v.presents(testcert.Sign(v, v.root, v.short)), []hawser.Anomaly{hawser.WeakKey}},
		flawed{"an unknown critical extension", v.presents(testcert.Server(v, v.root, critical)), []hawser.Anomaly{hawser.CriticalExtension}},
		flawed{"a name outside the constraints", v.presents(testcert.Server(v, constrained), constrained), []hawser.Anomaly{hawser.NameConstraints}},
	)
	for _, f := range all {
		c := v.overTLS()
		c.TLS.Allow = others(f.faults...)
		v.refuses(c, f.p, f.what+", while all other faults are allowed")
	}
}

// allowedNever has an Allow that Validate refuses: not every Connection is
// validated, and a Verifier is the last that looks.
func allowedNever(v *verifier) {
	c, server := v.overTLS(), testcert.Server(v, v.root)
	c.TLS.Allow = hawser.Anomalies()
	v.refuses(c, v.presents(forged(v, server)), "a forged certificate")
	v.refuses(c, v.staples(ocsp.Revoked, server, v.root), "a revoked certificate")
}

func allowedProxy(v *verifier) {
	for _, f := range v.excusable() {
		c := v.overTLS()
		c.TLS.Allow = f.faults
		f.p.Proxy = true
		v.refuses(c, f.p, f.what+" of a proxy")
	}
}

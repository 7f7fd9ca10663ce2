package hawsertest

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"

	"github.com/hawser/hawser/internal/testcert"
)

func chainRules() []rule[*verifier] {
	return []rule[*verifier]{
		{"intermediates that the server sends lead to a root", "authorities sign with intermediates alone", intermediates},
		{"a chain may be out of order and hold more than it needs", "many servers send such ones, and clients are to cope (RFC 8446, section 4.4.2)", untidyChain},
		{"a chain with a gap is refused", "nothing leads to a root", missingIntermediate},
		{"a chain with an expired intermediate is refused", "each link has to hold, not the server's own alone", expiredIntermediate},
		{"a certificate signed by one that is no authority is refused", "else each owner of a certificate could sign one for any server", noAuthority},
		{"a longer path than an authority allows is refused", "an authority that may sign servers alone must not make more authorities (RFC 5280, section 4.2.1.9)", longPath},
		{"a name that an authority may not sign is refused", "an authority for one domain must not sign for all others (RFC 5280, section 4.2.1.10)", nameConstraints},
		{"an unknown critical extension is refused", "it says what the certificate must not be used for (RFC 5280, section 4.2)", criticalExtension},
		{"a certificate signed with SHA-1 is refused", "another one of the same hash can be made (RFC 9155)", weakSignature},
		{"a certificate of a weak key is refused", "RSA of 1024 bits is within reach; crypto/x509 does not look, OpenSSL does", weakKey},
	}
}

func intermediates(v *verifier) {
	v.needs(certificates())
	upper := testcert.Intermediate(v, v.root)
	lower := testcert.Intermediate(v, upper)
	v.accepts(v.overTLS(), v.presents(testcert.Server(v, upper), upper), "a chain of one intermediate")
	v.accepts(v.overTLS(), v.presents(testcert.Server(v, lower), lower, upper), "a chain of two intermediates")
	v.accepts(v.overTLS(), v.presents(testcert.Server(v, lower), lower, upper, v.root), "a chain that ends with the root")
}

func untidyChain(v *verifier) {
	v.needs(certificates())
	upper := testcert.Intermediate(v, v.root)
	lower := testcert.Intermediate(v, upper)
	server := testcert.Server(v, lower)
	v.accepts(v.overTLS(), v.presents(server, upper, lower), "a chain out of order")
	v.accepts(v.overTLS(), v.presents(server, lower, server, upper, upper), "a chain with certificates twice")
	v.accepts(v.overTLS(), v.presents(server, testcert.Root(v), lower, testcert.Server(v, nil), upper), "a chain among certificates of others")
}

func missingIntermediate(v *verifier) {
	upper := testcert.Intermediate(v, v.root)
	lower := testcert.Intermediate(v, upper)
	v.refuses(v.overTLS(), v.presents(testcert.Server(v, lower)), "a chain without its intermediates")
	v.refuses(v.overTLS(), v.presents(testcert.Server(v, lower), lower, v.root), "a chain with a gap")
}

func expiredIntermediate(v *verifier) {
	middle := testcert.Intermediate(v, v.root, testcert.Expired)
	v.refuses(v.overTLS(), v.presents(testcert.Server(v, middle), middle), "a certificate of an expired intermediate")
}

func noAuthority(v *verifier) {
	for what, middle := range map[string]*testcert.Pair{
		"a server":                        testcert.Server(v, v.root),
		"a server that may sign":          testcert.Server(v, v.root, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }),
		"a certificate that says neither": testcert.Server(v, v.root, func(c *x509.Certificate) { c.BasicConstraintsValid, c.KeyUsage = false, 0 }),
	} {
		v.refuses(v.overTLS(), v.presents(testcert.Server(v, middle), middle), "a certificate signed by "+what)
	}
}

func longPath(v *verifier) {
	last := testcert.Intermediate(v, v.root, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	more := testcert.Intermediate(v, last)
	v.refuses(v.overTLS(), v.presents(testcert.Server(v, more), more, last), "an authority under one that may have none under it")
}

func nameConstraints(v *verifier) {
	middle := testcert.Intermediate(v, v.root, func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"example.com"}
	})
	v.refuses(v.overTLS(), v.presents(testcert.Server(v, middle), middle), "localhost by an authority for example.com")
}

// critical is the testcert.Edit that adds a critical extension that nobody
// knows: its number is one of the examples of RFC 5612.
func critical(c *x509.Certificate) {
	c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{
		Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1}, Critical: true, Value: []byte{5, 0},
	})
}

func criticalExtension(v *verifier) {
	v.refuses(v.overTLS(), v.presents(testcert.Server(v, v.root, critical)), "a certificate with an unknown critical extension")
	middle := testcert.Intermediate(v, v.root, critical)
	v.refuses(v.overTLS(), v.presents(testcert.Server(v, middle), middle), "an authority with an unknown critical extension")
}

func weakSignature(v *verifier) {
	server := testcert.Server(v, v.root, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })
	v.refuses(v.overTLS(), v.presents(server), "a certificate signed with SHA-1")
}

func weakKey(v *verifier) {
	v.refuses(v.overTLS(), v.presents(testcert.Sign(v, v.root, v.short)), "a certificate of an RSA key of 1024 bits")
}

package hawsertest

import (
	"fmt"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"golang.org/x/crypto/ocsp"
)

// certificatePinRules are about AutoAccept of what can be good by itself.
func certificatePinRules() []rule[*verifier] {
	return []rule[*verifier]{
		{"AutoAccept accepts a certificate whatever its fault", "it is for servers whose certificates nobody looks after", pinFaults},
		{"AutoAccept accepts a changed certificate that is good", "a server that gets a good certificate, or a new one, has not become worse", pinRenewed},
		{"AutoAccept refuses a bad certificate after a good one", "the good one was the first seen; somebody in between has none", pinAfterGood},
		{"AutoAccept refuses a change after one that was good", "the good one does not open the door again", pinAfterRenewed},
		{"AutoAccept never accepts a forged or revoked certificate", "it proves nothing, or is known to be lost", pinNever},
		{"a revoked certificate is refused though it was accepted", "what was accepted before its key was lost is not what is there now", pinRevoked},
		{"AutoAccept does not apply to a proxy", "it is about the server; a proxy in between sees every password of a proxy login", pinProxy},
	}
}

func pinFaults(v *verifier) {
	v.first(certificates(), "localhost:2121") // skips
	c := v.automatic(certificates())
	for i, f := range v.excusable() {
		f.p.Addr = fmt.Sprintf("localhost:%d", 3000+i)
		v.accepts(c, f.p, f.what+", which came first")
	}
}

func pinRenewed(v *verifier) {
	v.needs(certificates())
	c, _ := v.first(certificates(), "localhost:2121")
	for range 2 {
		v.accepts(c, called(v.presents(testcert.Server(v, v.root)), "localhost", "localhost:2121"), "a changed certificate that is good")
	}
}

func pinAfterGood(v *verifier) {
	v.first(certificates(), "localhost:2122") // skips
	v.needs(certificates())
	c := v.automatic(certificates())
	good := called(v.presents(testcert.Server(v, v.root)), "localhost", "localhost:2121")
	v.accepts(c, good, "a good certificate")
	v.refuses(c, certificates().stranger(v, "localhost:2121"), "a self-signed certificate after the good one")
	v.accepts(c, good, "the good certificate again")
}

func pinAfterRenewed(v *verifier) {
	c, first := v.first(certificates(), "localhost:2121")
	_ = v.verify(c, called(v.presents(testcert.Server(v, v.root)), "localhost", first.Addr))
	v.refuses(c, certificates().stranger(v, first.Addr), "another self-signed certificate after a good one")
}

func pinNever(v *verifier) {
	c, server := v.automatic(certificates()), testcert.Server(v, v.root)
	for _, try := range []struct {
		what string
		p    hawser.Peer
	}{
		{"a forged certificate", v.presents(forged(v, server))},
		{"a forged certificate for another name", v.presents(forged(v, testcert.Server(v, v.root, testcert.For("other.example.com"))))},
		{"a revoked certificate", v.staples(ocsp.Revoked, server, v.root)},
	} {
		v.refuses(c, try.p, try.what)
		v.refuses(c, try.p, try.what+" that comes again")
	}
}

// pinRevoked needs a fault, or else the certificate is not accepted by having
// been accepted.
func pinRevoked(v *verifier) {
	v.first(certificates(), "localhost:2121") // skips
	c, server := v.automatic(certificates()), testcert.Server(v, v.root, testcert.Expired)
	v.accepts(c, v.presents(server), "an expired certificate")
	v.refuses(c, v.staples(ocsp.Revoked, server, v.root), "the same certificate, revoked")
}

func pinProxy(v *verifier) {
	for _, f := range v.excusable() {
		c := v.automatic(certificates())
		f.p.Proxy = true
		v.refuses(c, f.p, f.what+" of a proxy")
		v.refuses(c, f.p, f.what+" of a proxy, again")
	}
}

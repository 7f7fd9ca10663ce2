package hawsertest

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A brokenVerifier breaks one rule of its group, which is one of
// verifierGroups. Some bugs may break others of it, too, also by chance.
type brokenVerifier struct {
	broken
	also []string
}

func breakVerifier(bug, rule string, also ...string) brokenVerifier {
	return brokenVerifier{broken{bug, rule, func(t *testing.T) {
		testVerifier(t, groupOf(rule), func(*testing.T) hawser.Verifier { return newFakeVerifier(bug) })
	}}, also}
}

// groupOf returns the group that the rule of that name is in.
func groupOf(name string) []rule[*verifier] {
	groups := verifierGroups()
	return groups[slices.IndexFunc(groups, func(g []rule[*verifier]) bool { return slices.Contains(ruleNames(g), name) })]
}

func brokenVerifiers() []brokenVerifier {
	return slices.Concat(brokenVerdicts(), brokenCertificates(), brokenChains(), brokenPins("certificate"), brokenPins("host key"), brokenCertificatePins(), brokenHostKeys())
}

func brokenVerdicts() []brokenVerifier {
	return []brokenVerifier{
		breakVerifier("refuses everything", "a good server is accepted"),
		breakVerifier("nothing is good enough", "a peer that presents nothing is refused"),
		breakVerifier("an ended context is trust", "an ended context trusts nobody"),
		breakVerifier("a question outlives its context", "an ended context trusts nobody"),
		breakVerifier("peers are mixed up", "many goroutines may verify at once"),
		breakVerifier("Allow is sorted", "Verify leaves the connection and the peer as they are"),
		breakVerifier("Allow is appended to", "Verify leaves the connection and the peer as they are"),
		breakVerifier("dates are changed in place", "Verify leaves the connection and the peer as they are"),
		breakVerifier("host keys are kept as given", "what is remembered of a host key is a copy"),
		breakVerifier("a refusal quotes the certificate", "a refusal shows no control characters of the peer"),
		breakVerifier("a refusal quotes the host key", "a refusal shows no control characters of the peer"),
		breakVerifier("a refusal does not name the address", "a refusal names the address"),
		breakVerifier("a goroutine is left", "Verify leaves no goroutine"),
	}
}

func brokenCertificates() []brokenVerifier {
	return []brokenVerifier{
		breakVerifier("TLS 1.2 is refused", "a good certificate is accepted"),
		breakVerifier("names are compared with case", "a good certificate is accepted"),
		breakVerifier("an OCSP answer is trouble", "a good certificate is accepted"),
		breakVerifier("the first root counts alone", "a good certificate is accepted"),
		breakVerifier("the end of a name will do", "a certificate for another name is refused"),
		breakVerifier("the common name counts", "a common name is no name"),
		breakVerifier("addresses are names", "an IP address is compared with IP addresses"),
		breakVerifier("a wildcard stands for many labels", "a wildcard stands for one label"),
		breakVerifier("there are no wildcards", "a wildcard stands for one label"),
		breakVerifier("tls.server_name counts, too", "Peer.ServerName is the name that counts"),
		breakVerifier("Host counts, too", "Peer.ServerName is the name that counts"),
		breakVerifier("no name is any name", "without a name to compare a certificate is refused"),
		breakVerifier("does not see expired", "an expired certificate is refused"),
		breakVerifier("a refusal does not match ErrUntrusted", "an expired certificate is refused"),
		breakVerifier("does not see not-yet-valid", "a certificate that is not yet valid is refused"),
		breakVerifier("an authority may sign itself", "a self-signed certificate is refused"),
		breakVerifier("a root beside it vouches", "a self-signed certificate is refused"),
		breakVerifier("no roots are all roots", "a certificate of an unknown authority is refused"),
		breakVerifier("a verified handshake vouches", "a certificate of an unknown authority is refused"),
		breakVerifier("what the server sends vouches", "a certificate of an unknown authority is refused",
			"a certificate of an authority that only shares the name is refused"),
		breakVerifier("authorities are known by name", "a certificate of an authority that only shares the name is refused"),
		breakVerifier("signatures are not verified", "a forged certificate is refused",
			"a certificate of an authority that only shares the name is refused"),
		breakVerifier("does not see wrong-usage", "a certificate for clients alone is refused"),
		breakVerifier("does not see revoked", "a revoked certificate is refused"),
		breakVerifier("no certificate, no complaint", "a server without a certificate is refused"),
		breakVerifier("roots are read once", "tls.roots is that of each connection"),
		breakVerifier("roots that cannot be read are an error of their own", "tls.roots that cannot be read refuses the server"),
		breakVerifier("roots that cannot be read are all roots", "tls.roots that cannot be read refuses the server"),
	}
}

func brokenChains() []brokenVerifier {
	return []brokenVerifier{
		breakVerifier("a root must not be sent", "intermediates that the server sends lead to a root"),
		breakVerifier("a chain must be in order", "a chain may be out of order and hold more than it needs"),
		breakVerifier("a root at the end vouches", "a chain with a gap is refused"),
		breakVerifier("intermediates do not expire", "a chain with an expired intermediate is refused"),
		breakVerifier("any certificate may sign", "a certificate signed by one that is no authority is refused"),
		breakVerifier("paths may be of any length", "a longer path than an authority allows is refused"),
		breakVerifier("authorities are not constrained", "a name that an authority may not sign is refused"),
		breakVerifier("does not see critical-extension", "an unknown critical extension is refused"),
		breakVerifier("extensions of authorities are not critical", "an unknown critical extension is refused"),
		breakVerifier("SHA-1 is as good as any", "a certificate signed with SHA-1 is refused"),
		breakVerifier("does not see weak-key", "a certificate of a weak key is refused"),
		breakVerifier("Allow is for dates", "Allow excuses what it names"),
		breakVerifier("an expired chain is not followed", "Allow excuses nothing else"),
		breakVerifier("a name constraint is a name", "Allow of everything else does not help"),
		breakVerifier("Allow excuses forged ones", "Allow never excuses a forged or revoked certificate"),
		breakVerifier("Allow applies to a proxy", "Allow does not apply to a proxy"),
	}
}

func brokenPins(kind string) []brokenVerifier {
	kept := "a refused change of a " + kind + " changes nothing"
	race, together := "AutoAccept accepts one "+kind+" of many at once", "AutoAccept accepts the same "+kind+" from many at once"
	otherName, elsewhere := "a changed "+kind+" is refused under another connection name", "a "+kind+" accepted for one address is not for another"
	return []brokenVerifier{
		breakVerifier(kind+": is trusted twice", "AutoAccept accepts the first "+kind+", and that one again", together),
		breakVerifier(kind+": a change is accepted", "AutoAccept refuses a changed "+kind, kept, otherName, race),
		breakVerifier(kind+": a change is remembered", kept, otherName, race),
		breakVerifier(kind+": each connection remembers for itself", otherName),
		breakVerifier(kind+": the ports of a host are one server", "AutoAccept takes the first "+kind+" of each address", elsewhere, together),
		breakVerifier(kind+": one address is remembered", "AutoAccept takes the first "+kind+" of each address", together),
		breakVerifier(kind+": what is remembered holds anywhere", elsewhere),
		breakVerifier(kind+": remembers without looking again", race),
		breakVerifier(kind+": remembers but once", together),
		breakVerifier(kind+": one AutoAccept for both", "AutoAccept of the other kind does not accept a "+kind),
		breakVerifier(kind+": what was seen is known", "a refused "+kind+" is refused again"),
	}
}

func brokenCertificatePins() []brokenVerifier {
	return []brokenVerifier{
		breakVerifier("AutoAccept takes self-signed ones", "AutoAccept accepts a certificate whatever its fault",
			"a revoked certificate is refused though it was accepted"),
		breakVerifier("a good change is refused", "AutoAccept accepts a changed certificate that is good"),
		breakVerifier("good ones are not remembered", "AutoAccept refuses a bad certificate after a good one"),
		breakVerifier("a good change forgets", "AutoAccept refuses a change after one that was good",
			"AutoAccept refuses a bad certificate after a good one"),
		breakVerifier("AutoAccept takes forged ones", "AutoAccept never accepts a forged or revoked certificate"),
		breakVerifier("AutoAccept takes revoked ones", "AutoAccept never accepts a forged or revoked certificate"),
		breakVerifier("what was accepted is not looked at", "a revoked certificate is refused though it was accepted"),
		breakVerifier("AutoAccept applies to a proxy", "AutoAccept does not apply to a proxy"),
	}
}

func brokenHostKeys() []brokenVerifier {
	return []brokenVerifier{
		breakVerifier("the first of the list counts alone", "a listed host key is accepted"),
		breakVerifier("listed keys are Ed25519", "a listed host key may be of any type"),
		breakVerifier("the list is for Ed25519 alone", "a host key that is not listed is refused"),
		breakVerifier("the beginning of a fingerprint will do", "a host key must match a fingerprint whole"),
		breakVerifier("fingerprints are compared without case", "a host key must match a fingerprint whole"),
		breakVerifier("an unknown RSA key is good", "an unknown host key is refused"),
		breakVerifier("a certificate vouches for itself", "an unknown host key is refused", "a host key that is not listed is refused"),
		breakVerifier("AutoAccept beats the list", "ssh.host_keys accepts no other host key"),
		breakVerifier("what was accepted beats the list", "ssh.host_keys accepts no other host key"),
		breakVerifier("AutoAccept takes what cannot be read", "a host key that cannot be read is refused"),
		breakVerifier("the order of types is fixed", "HostKeyAlgorithms begins with the type of a known host key"),
	}
}

// One process tests all broken fakes, which neither hang nor crash, each by the
// rules of its group: what else a bug breaks tells whether rules are apart.
func TestBrokenVerifiers(t *testing.T) {
	if testing.Short() {
		t.Skip("tests each broken fake by many rules")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.timeout=5m", "-test.v", "-test.run=^TestBrokenVerifierFakes$")
	cmd.Env = append(os.Environ(), chosen+"=verifiers")
	out, err := cmd.CombinedOutput()
	require.ErrorContains(t, err, "exit status 1", "%.5000s", out)
	for _, bad := range []string{"panic:", "DATA RACE"} {
		assert.NotContains(t, string(out), bad, "caught by accident")
	}
	for _, b := range brokenVerifiers() {
		t.Run(b.rule+": "+b.name, func(t *testing.T) {
			failed := b.failed(string(out))
			assert.Contains(t, failed, b.rule, "the rules that fail")
			assert.Subset(t, append(b.also, b.rule), failed, "the rules that may fail")
		})
	}
}

// failed returns the rules that b broke, of the output of package testing.
func (b brokenVerifier) failed(output string) []string {
	written := func(name string) string { return strings.ReplaceAll(name, " ", "_") }
	var names []string
	for _, name := range ruleNames(verifierRules()) {
		if strings.Contains(output, "--- FAIL: TestBrokenVerifierFakes/"+written(b.name)+"/"+written(name)+" (") {
			names = append(names, name)
		}
	}
	return names
}

// TestBrokenVerifierFakes is the child process of TestBrokenVerifiers.
func TestBrokenVerifierFakes(t *testing.T) {
	if os.Getenv(chosen) == "" {
		t.Skip("run by TestBrokenVerifiers")
	}
	for _, b := range brokenVerifiers() {
		t.Run(b.name, b.suite)
	}
}

func TestEachVerifierRuleCatchesABrokenFake(t *testing.T) {
	caught := map[string]bool{}
	for _, b := range brokenVerifiers() {
		caught[b.rule] = true
	}
	for _, name := range ruleNames(verifierRules()) {
		assert.True(t, caught[name], "no broken fake shows that the rule %q catches anything", name)
		assert.NotContains(t, name, "/", "go test -run takes it apart")
		delete(caught, name)
	}
	assert.Empty(t, caught, "broken fakes name rules that are not there")
}

package hawsertest

import (
	"slices"
	"strings"
	"testing"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/stretchr/testify/assert"
)

// skipping runs the suite and returns the rules that were skipped.
func skipping(t *testing.T, open func() hawser.Verifier) []string {
	t.Helper()
	var skipped []string
	TestVerifier(t, func(rule *testing.T) hawser.Verifier {
		rule.Cleanup(func() {
			if rule.Skipped() {
				name := rule.Name()
				skipped = append(skipped, strings.ReplaceAll(name[strings.LastIndex(name, "/")+1:], "_", " "))
			}
		})
		return open()
	})
	return skipped
}

func TestVerifierOfFake(t *testing.T) {
	assert.Empty(t, skipping(t, func() hawser.Verifier { return newFakeVerifier("") }), "rules that are skipped with a Verifier that can do all")
}

// A Verifier of package certs judges all or host keys alone; it does all of what
// it judges.
func TestVerifierOfCerts(t *testing.T) {
	skipped := skipping(t, func() hawser.Verifier { return &certs.Verifier{} })
	if slices.Contains(skipped, "a good certificate is accepted") {
		skipped = slices.DeleteFunc(skipped, func(name string) bool { return !strings.Contains(name, "host key") })
	}
	assert.Empty(t, skipped, "rules that are skipped")
}

func TestVerifierThatCannotDoAllSkips(t *testing.T) {
	for _, limit := range []struct {
		name    string
		skipped string // one of the rules that are
		checked string // one that is not
	}{
		{"host keys alone", "a good certificate is accepted", "a listed host key is accepted"},
		{"certificates alone", "a listed host key is accepted", "a good certificate is accepted"},
		{"Allow is not heeded", "Allow excuses what it names", "Allow excuses nothing else"},
		{"AutoAccept is not heeded", "AutoAccept refuses a changed host key", "AutoAccept never accepts a forged or revoked certificate"},
		{"it orders no host keys", "HostKeyAlgorithms begins with the type of a known host key", "a good server is accepted"},
	} {
		t.Run(limit.name, func(t *testing.T) {
			skipped := skipping(t, func() hawser.Verifier {
				return struct{ hawser.Verifier }{newFakeVerifier(limit.name)} // without its HostKeyAlgorithms
			})
			assert.Contains(t, skipped, limit.skipped)
			assert.NotContains(t, skipped, limit.checked)
		})
	}
}

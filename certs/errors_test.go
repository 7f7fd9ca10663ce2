package certs_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hawser/hawser/certs"
)

func TestErrorTellsWhatWasPresentedAndTheCure(t *testing.T) {
	t.Parallel()
	key := newEd25519(t)
	question := certs.Question{
		Connection: "bank\x1b[2J", Addr: addr, Fingerprint: print(key), HostKey: wire(key), Known: []string{"SHA256:old"},
	}
	rules := map[certs.Reason][]string{
		certs.Unknown:        {"unknown ssh-ed25519 host key", "ssh_host_ed25519_key.pub", "question 17", "ssh.host_keys"},
		certs.Changed:        {"another key than before", "SHA256:old", "question 17"},
		certs.RevokedKey:     {"which is revoked", "new key"},
		certs.NotListed:      {"does not list; it lists SHA256:old"},
		certs.UnknownCA:      {"certificate", "what is wrong", "@cert-authority"},
		certs.BadCertificate: {"certificate", "what is wrong", "valid host certificate"},
	}
	for reason, want := range rules {
		question.Reason = reason
		err := &certs.UntrustedError{Question: question, Pending: "17", Detail: "what is wrong"}
		for _, text := range append(want, `connection bank\x1b[2J: `+addr, print(key)) {
			assert.Contains(t, err.Error(), text, reason)
		}
	}
}

package certs_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testcert"
)

// eachTLSStore is eachStore for what keeps certificates too. Each call of open
// is another process.
func eachTLSStore(t *testing.T, test func(t *testing.T, open func() certs.Store)) {
	t.Helper()
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "trust.json")
		test(t, func() certs.Store {
			store, err := certs.File(path)
			require.NoError(t, err)
			return store
		})
	})
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		store := certs.Memory()
		test(t, func() certs.Store { return store })
	})
}

// The life of a pin: at night nobody is there, by day somebody answers, and
// nobody is asked again until the certificate changes to one that is not valid
// by itself. An SSH host key lives in the same store beside it.
func TestLifeOfAPin(t *testing.T) {
	t.Parallel()
	eachTLSStore(t, func(t *testing.T, open func() certs.Store) {
		root := testcert.Root(t)
		first, second := testcert.Server(t, nil, testcert.For("a.test")), testcert.Server(t, nil, testcert.Expired)
		valid, key, nextKey := testcert.Server(t, root), newEd25519(t), newEd25519(t)
		c := trusting(t, root)
		night := func() *certs.Verifier { return &certs.Verifier{Store: open()} }

		// Refused, with the whole list, and left as a question.
		unknown := refused(t, meet(t, night(), c, first.TLS()))
		assert.Equal(t, certs.Unknown, unknown.Question.Reason)
		assert.Equal(t, []hawser.Anomaly{hawser.SelfSigned, hawser.NameMismatch}, anomalies(unknown.Question.Findings))
		for _, want := range []string{"files.example.com:990", printOf(first), unknown.Pending, "self-signed", "name-mismatch", "a.test", "tls.allow", "tls.roots"} {
			assert.ErrorContains(t, unknown, want)
		}
		unknownKey := refused(t, verify(t, night(), peer(key)))
		assert.Equal(t, []string{unknown.Pending, unknownKey.Pending}, pending(t, open()))

		// By day somebody sees both questions and answers them.
		questions, err := open().Pending(t.Context())
		require.NoError(t, err)
		for id, q := range questions {
			if q.Kind == certs.KindTLS {
				require.Len(t, q.Chain, 1)
				assert.Equal(t, first.Cert.Raw, q.Chain[0].Raw)
				assert.Equal(t, first.Cert.Raw, q.Findings[0].Cert.Raw)
			}
			answer := certs.Answer{Decision: certs.AcceptAlways, By: "alice", Comment: "ticket 4711"}
			require.NoError(t, open().Answer(t.Context(), id, answer))
		}
		assert.Empty(t, pending(t, open()))

		// Silent from then on.
		require.NoError(t, meet(t, night(), c, first.TLS()))
		require.NoError(t, verify(t, night(), peer(key)))

		// Another that is not valid by itself is refused, with both fingerprints.
		changed := refused(t, meet(t, night(), c, second.TLS()))
		assert.Equal(t, certs.Changed, changed.Question.Reason)
		assert.Equal(t, []string{printOf(first)}, changed.Question.Known)
		for _, want := range []string{printOf(first), printOf(second), "another certificate than before", "expired", changed.Pending} {
			assert.ErrorContains(t, changed, want)
		}
		changedKey := refused(t, verify(t, night(), peer(nextKey)))
		assert.ErrorContains(t, changedKey, print(key))
		assert.ErrorContains(t, changedKey, print(nextKey))

		// One that is valid by itself is trusted, and the first one still is.
		require.NoError(t, meet(t, night(), c, valid.TLS()))
		require.NoError(t, meet(t, night(), c, first.TLS()))

		pins, err := open().Pins(t.Context(), "")
		require.NoError(t, err)
		require.Len(t, pins, 2)
		for _, p := range pins {
			assert.Equal(t, "alice", p.By)
			assert.Equal(t, "ticket 4711", p.Comment)
			assert.WithinDuration(t, time.Now(), p.Accepted, time.Minute)
		}
		assert.Equal(t, certs.KindTLS, pins[0].Kind)
		assert.Equal(t, first.Cert.Subject.String(), pins[0].Subject)
		assert.Equal(t, first.Cert.NotAfter.UTC(), pins[0].NotAfter)
		assert.Equal(t, []hawser.Anomaly{hawser.SelfSigned, hawser.NameMismatch}, pins[0].Anomalies)

		// A pin that is removed is unknown again.
		require.NoError(t, open().Remove(t.Context(), pins[0]))
		again := refused(t, meet(t, night(), c, first.TLS()))
		assert.Equal(t, certs.Unknown, again.Question.Reason)
		require.NoError(t, verify(t, night(), peer(key)))
	})
}

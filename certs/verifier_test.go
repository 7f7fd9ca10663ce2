package certs_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
)

func TestKeyIsAskedAboutOnceAndAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store certs.Store, open func() certs.Store) {
		v := &certs.Verifier{Store: store}
		first, second := newEd25519(t), newEd25519(t)

		unknown := refused(t, verify(t, v, peer(first)))
		assert.Equal(t, certs.Unknown, unknown.Question.Reason)
		assert.Contains(t, unknown.Error(), print(first))
		assert.Contains(t, unknown.Error(), unknown.Pending)
		assert.Equal(t, []string{unknown.Pending}, pending(t, store))
		assert.Equal(t, unknown.Pending, refused(t, verify(t, v, peer(first))).Pending, "the same question has the same id")

		require.NoError(t, store.Answer(t.Context(), unknown.Pending, certs.Answer{Decision: certs.AcceptAlways}))
		require.NoError(t, verify(t, v, peer(first)))
		assert.Empty(t, pending(t, store))

		changed := refused(t, verify(t, v, peer(second)))
		assert.Equal(t, certs.Changed, changed.Question.Reason)
		assert.Equal(t, []string{print(first)}, changed.Question.Known)
		assert.Contains(t, changed.Error(), print(first))
		assert.Contains(t, changed.Error(), print(second))
		require.NoError(t, verify(t, v, peer(first)), "a question about another key does not hurt")

		require.NoError(t, store.Answer(t.Context(), changed.Pending, certs.Answer{Decision: certs.AcceptAlways}))
		v = &certs.Verifier{Store: open()}
		require.NoError(t, verify(t, v, peer(second)))
		assert.Equal(t, certs.Changed, refused(t, verify(t, v, peer(first))).Question.Reason, "the old key is replaced")
	})
}

func pending(t *testing.T, store certs.Store) []string {
	t.Helper()
	questions, err := store.Pending(t.Context())
	require.NoError(t, err)
	var ids []string
	for id := range questions {
		ids = append(ids, id)
	}
	return ids
}

func TestAcceptOnceIsGoodForOneDial(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store certs.Store, _ func() certs.Store) {
		v, key := &certs.Verifier{Store: store}, newEd25519(t)
		id := refused(t, verify(t, v, peer(key))).Pending
		require.NoError(t, store.Answer(t.Context(), id, certs.Answer{Decision: certs.AcceptOnce}))
		assert.Empty(t, pending(t, store))
		require.NoError(t, verify(t, v, peer(key)))
		assert.Equal(t, id, refused(t, verify(t, v, peer(key))).Pending)
		pins, err := store.Pins(t.Context(), "")
		require.NoError(t, err)
		assert.Empty(t, pins)
	})
}

func TestDeniedKeyStaysDeniedUntilAnsweredAgain(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store certs.Store, _ func() certs.Store) {
		key := newEd25519(t)
		id := refused(t, verify(t, &certs.Verifier{Store: store}, peer(key))).Pending
		require.NoError(t, store.Answer(t.Context(), id, certs.Answer{Decision: certs.Deny}))

		c := bank()
		c.SSH.AutoAccept = true
		asking := &certs.Verifier{Store: store, Ask: func(context.Context, certs.Question) (certs.Answer, error) {
			return certs.Answer{Decision: certs.AcceptAlways}, errors.New("asked again")
		}}
		denied := refused(t, asking.Verify(t.Context(), c, peer(key)))
		assert.True(t, denied.Denied)
		assert.Equal(t, id, denied.Pending)
		assert.Empty(t, pending(t, store))
		assert.Error(t, asking.Verify(t.Context(), bank(), peer(newEd25519(t))), "another key is asked about")

		require.NoError(t, store.Answer(t.Context(), id, certs.Answer{Decision: certs.AcceptAlways}))
		require.NoError(t, asking.Verify(t.Context(), c, peer(key)))
	})
}

func TestAnswerToNoQuestionIsNotExist(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store certs.Store, _ func() certs.Store) {
		require.ErrorIs(t, store.Answer(t.Context(), "0123", certs.Answer{Decision: certs.AcceptAlways}), fs.ErrNotExist)
		id := refused(t, verify(t, &certs.Verifier{Store: store}, peer(newEd25519(t)))).Pending
		require.Error(t, store.Answer(t.Context(), id, certs.Answer{Decision: 9}))
		assert.Equal(t, "invalid decision", certs.Decision(9).String())
	})
}

func TestAskerDecides(t *testing.T) {
	t.Parallel()
	rules := map[certs.Decision]struct{ now, later bool }{
		certs.Deny: {}, certs.AcceptOnce: {now: true}, certs.AcceptAlways: {now: true, later: true}, certs.Decision(7): {},
	}
	for answer, want := range rules {
		t.Run(answer.String(), func(t *testing.T) {
			t.Parallel()
			store, key := certs.Memory(), newEd25519(t)
			err := verify(t, &certs.Verifier{Store: store, Ask: answering(answer)}, peer(key))
			assert.Equal(t, want.now, err == nil, "%v", err)
			err = verify(t, &certs.Verifier{Store: store}, peer(key))
			assert.Equal(t, want.later, err == nil, "%v", err)
		})
	}
}

func TestAskerThatFailsRefuses(t *testing.T) {
	t.Parallel()
	broken := errors.New("terminal is gone")
	v := &certs.Verifier{Ask: func(context.Context, certs.Question) (certs.Answer, error) {
		return certs.Answer{Decision: certs.AcceptAlways}, broken
	}}
	err := verify(t, v, peer(newEd25519(t)))
	require.ErrorIs(t, err, hawser.ErrUntrusted)
	require.ErrorIs(t, err, broken)

	v.Ask = func(context.Context, certs.Question) (certs.Answer, error) {
		runtime.Goexit()
		return certs.Answer{Decision: certs.AcceptAlways}, nil
	}
	require.ErrorIs(t, verify(t, v, peer(newEd25519(t))), hawser.ErrUntrusted)
}

func TestAutoAcceptPinsTheFirstKeyAndNoOther(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store certs.Store, open func() certs.Store) {
		c := bank()
		c.SSH.AutoAccept = true
		key := newEd25519(t)
		require.NoError(t, (&certs.Verifier{Store: store}).Verify(t.Context(), c, peer(key)))
		require.NoError(t, verify(t, &certs.Verifier{Store: open()}, peer(key)))
		for _, other := range []ssh.Signer{newEd25519(t), newECDSA(t)} {
			err := (&certs.Verifier{Store: store}).Verify(t.Context(), c, peer(other))
			assert.Equal(t, certs.Changed, refused(t, err).Question.Reason, other.PublicKey().Type())
		}
	})
}

func TestAutoAcceptDoesNotPassByAnAuthority(t *testing.T) {
	t.Parallel()
	c := bank()
	c.SSH.AutoAccept = true
	store := certs.Memory()
	require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: "*.example.com", HostKey: wire(newEd25519(t)), CA: true}))
	err := (&certs.Verifier{Store: store}).Verify(t.Context(), c, peer(newEd25519(t)))
	assert.Equal(t, certs.Unknown, refused(t, err).Question.Reason)
}

// racingStore pins another key just before Add, as another process could.
type racingStore struct {
	certs.Store
	other certs.Pin
}

func (s racingStore) Add(ctx context.Context, p certs.Pin, instead ...certs.Pin) error {
	if err := s.Store.Add(ctx, s.other); err != nil {
		return err
	}
	return s.Store.Add(ctx, p, instead...)
}

func TestAutoAcceptThatComesSecondIsAChange(t *testing.T) {
	t.Parallel()
	c := bank()
	c.SSH.AutoAccept = true
	first := newEd25519(t)
	store := racingStore{certs.Memory(), certs.Pin{Addr: addr, HostKey: wire(first)}}
	err := (&certs.Verifier{Store: store}).Verify(t.Context(), c, peer(newEd25519(t)))
	assert.Equal(t, certs.Changed, refused(t, err).Question.Reason)
	pins, err := store.Pins(t.Context(), addr)
	require.NoError(t, err)
	require.Len(t, pins, 1)
	assert.Equal(t, print(first), pins[0].Fingerprint)
}

func TestListedFingerprintsDecideAlone(t *testing.T) {
	t.Parallel()
	listed, pinned := newEd25519(t), newEd25519(t)
	store := certs.Memory()
	require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: addr, HostKey: wire(pinned)}))
	v := &certs.Verifier{Store: store, Ask: answering(certs.AcceptAlways)}
	c := bank()
	c.SSH.HostKeys = []string{print(listed)}
	require.NoError(t, v.Verify(t.Context(), c, peer(listed)))
	err := refused(t, v.Verify(t.Context(), c, peer(pinned)))
	assert.Equal(t, certs.NotListed, err.Question.Reason)
	assert.Contains(t, err.Error(), print(listed))
	assert.Contains(t, err.Error(), print(pinned))
}

func TestRevokedKeyIsRefusedWhateverElseSaysYes(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store certs.Store, _ func() certs.Store) {
		key := newEd25519(t)
		require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: addr, HostKey: wire(key)}))
		require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: "elsewhere.example.com:22", HostKey: wire(key), Revoked: true}))
		c := bank()
		c.SSH.HostKeys = []string{print(key)}
		v := &certs.Verifier{Store: store, Ask: answering(certs.AcceptAlways)}
		for _, c := range []hawser.Connection{c, bank()} {
			err := refused(t, v.Verify(t.Context(), c, peer(key)))
			assert.Equal(t, certs.RevokedKey, err.Question.Reason)
			assert.Contains(t, err.Error(), "revoked")
		}
	})
}

func TestKeyRevokedWhileAPersonThinksIsRefused(t *testing.T) {
	t.Parallel()
	store, key := certs.Memory(), newEd25519(t)
	v := &certs.Verifier{Store: store, Ask: func(ctx context.Context, _ certs.Question) (certs.Answer, error) {
		return certs.Answer{Decision: certs.AcceptOnce}, store.Add(ctx, certs.Pin{Addr: "*", HostKey: wire(key), Revoked: true})
	}}
	assert.Equal(t, certs.RevokedKey, refused(t, verify(t, v, peer(key))).Question.Reason)
}

func TestPeerThatCannotBeJudgedIsRefused(t *testing.T) {
	t.Parallel()
	key := newEd25519(t)
	peers := map[string]hawser.Peer{
		"tls":                      {Addr: addr, TLS: &tls.ConnectionState{}},
		"tls and a host key":       {Addr: addr, TLS: &tls.ConnectionState{}, HostKey: wire(key)},
		"nothing":                  {Addr: addr},
		"garbage":                  {Addr: addr, HostKey: []byte("\x00\x00\x00\x03abc")},
		"no port":                  {Addr: "bank", HostKey: wire(key)},
		"a pattern for an address": {Addr: "*:22", HostKey: wire(key)},
		"a line for an address":    {Addr: "bank\nevil:22", HostKey: wire(key)},
	}
	for name, p := range peers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &certs.Verifier{Ask: answering(certs.AcceptAlways)}
			c := bank()
			c.SSH.AutoAccept, c.TLS.AutoAccept = true, true
			err := refused(t, v.Verify(t.Context(), c, p))
			assert.Equal(t, certs.Unsupported, err.Question.Reason)
			assert.Contains(t, err.Error(), "want a TLS certificate or an SSH host key")
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestUpperAndLowerCaseAreOneHost(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store certs.Store, _ func() certs.Store) {
		key := newEd25519(t)
		p := peer(key)
		p.Addr = "BANK.Example.com:22"
		require.NoError(t, verify(t, &certs.Verifier{Store: store, Ask: answering(certs.AcceptAlways)}, p))
		require.NoError(t, verify(t, &certs.Verifier{Store: store}, peer(key)))
	})
}

func TestPortsAndAddressFamiliesAreServersOfTheirOwn(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store certs.Store, open func() certs.Store) {
		addrs := []string{"h.example.com:22", "h.example.com:2222", "[2001:db8::1]:22", "[2001:db8::1]:2222", "192.0.2.1:22"}
		keys := map[string]ssh.Signer{}
		for _, a := range addrs {
			keys[a] = newEd25519(t)
			v := &certs.Verifier{Store: store, Ask: answering(certs.AcceptAlways)}
			require.NoError(t, verify(t, v, hawser.Peer{Addr: a, HostKey: wire(keys[a])}))
		}
		for _, a := range addrs {
			pins, err := open().Pins(t.Context(), a)
			require.NoError(t, err)
			require.Len(t, pins, 1, a)
			assert.Equal(t, print(keys[a]), pins[0].Fingerprint)
		}
	})
}

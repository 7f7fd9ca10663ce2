package ssh_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

func TestHostKeyWithoutVerifier(t *testing.T) {
	t.Parallel()
	t.Run("a listed key is trusted", func(t *testing.T) {
		t.Parallel()
		login(t, to(start(t, testserver.SSHConfig{})))
	})
	t.Run("an unlisted key is refused, and its fingerprint told", func(t *testing.T) {
		t.Parallel()
		var seen tally
		s := start(t, testserver.SSHConfig{ServerConfig: seen.config})
		err := refused(t, ssh.Dialer{}, at(s.Host(), s.Port(), newSigner(t).PublicKey()))
		require.ErrorIs(t, err, hawser.ErrUntrusted)
		assert.Equal(t, hawser.PhaseTrust, err.Phase)
		assert.False(t, hawser.Retryable(err))
		assert.ErrorContains(t, err, xssh.FingerprintSHA256(s.HostKey()))
		assert.ErrorContains(t, err, "ssh.host_keys")
		assert.Zero(t, seen.of("none"), "attempts to log in")
	})
	t.Run("a certificate is known by the key in it", func(t *testing.T) {
		t.Parallel()
		key := newSigner(t)
		certificate := &xssh.Certificate{
			Key: key.PublicKey(), CertType: xssh.HostCert, ValidPrincipals: []string{"127.0.0.1"}, ValidBefore: xssh.CertTimeInfinity,
		}
		require.NoError(t, certificate.SignCert(zeroes{}, newSigner(t)))
		certified, err := xssh.NewCertSigner(certificate, key)
		require.NoError(t, err)
		s := start(t, testserver.SSHConfig{HostKeys: []xssh.Signer{certified}})
		login(t, at(s.Host(), s.Port(), key.PublicKey()))
		refusal := refused(t, ssh.Dialer{}, at(s.Host(), s.Port()))
		assert.ErrorContains(t, refusal, xssh.FingerprintSHA256(key.PublicKey()))
	})
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestHostKeyVerifier(t *testing.T) {
	t.Parallel()
	t.Run("it is asked once, about the key of the address that was dialed", func(t *testing.T) {
		t.Parallel()
		s := start(t, testserver.SSHConfig{})
		v := &verifier{}
		loginBy(t, ssh.Dialer{Verifier: v}, at(s.Host(), s.Port()))
		require.Len(t, v.asked(), 1)
		p := v.asked()[0]
		assert.Equal(t, s.Addr(), p.Addr)
		assert.Equal(t, "127.0.0.1", p.ServerName)
		assert.Equal(t, s.HostKey().Marshal(), p.HostKey)
		assert.Nil(t, p.TLS)
		assert.False(t, p.Proxy)
	})
	t.Run("its error is kept and matches ErrUntrusted", func(t *testing.T) {
		t.Parallel()
		odd := errors.New("odd key")
		v := &verifier{answer: func(context.Context, hawser.Peer) error { return odd }}
		err := refused(t, ssh.Dialer{Verifier: v}, to(start(t, testserver.SSHConfig{})))
		assert.ErrorIs(t, err, odd)
		assert.ErrorIs(t, err, hawser.ErrUntrusted)
		assert.Equal(t, hawser.PhaseTrust, err.Phase)
	})
	t.Run("its ErrUntrusted is not said twice", func(t *testing.T) {
		t.Parallel()
		v := &verifier{answer: func(context.Context, hawser.Peer) error { return hawser.ErrUntrusted }}
		err := refused(t, ssh.Dialer{Verifier: v}, to(start(t, testserver.SSHConfig{})))
		assert.Equal(t, 1, strings.Count(err.Error(), hawser.ErrUntrusted.Error()), err)
	})
	t.Run("a context that ends while it is asked is the error", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		v := &verifier{answer: func(ctx context.Context, _ hawser.Peer) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		}}
		s, err := ssh.Dialer{Verifier: v}.Dial(ctx, to(start(t, testserver.SSHConfig{})))
		e := requireError(t, s, err)
		assert.ErrorIs(t, e, context.Canceled)
		assert.NotErrorIs(t, e, hawser.ErrUntrusted)
	})
}

func TestHostKeyVerifierTakesItsTime(t *testing.T) {
	t.Parallel()
	t.Run("Timeout does not count it", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s, err := testserver.NewSSH(testserver.SSHConfig{})
			require.NoError(t, err)
			v := &verifier{answer: func(context.Context, hawser.Peer) error { time.Sleep(time.Hour); return nil }}
			c := at("pipe", 22)
			c.Timeout = time.Second
			session, err := ssh.Dialer{Transport: pipe{s}, Verifier: v}.Open(t.Context(), c)
			require.NoError(t, err)
			require.NoError(t, session.Close())
			require.NoError(t, s.Close())
		})
	})
	for _, row := range []struct {
		name        string
		thinks      time.Duration
		dials, asks int
		ok          bool
	}{
		{"a server that hung up meanwhile is dialed again, and the person not asked again", 2 * time.Minute, 2, 1, true},
		{"a server that hangs up on a quick answer is not dialed again", 0, 1, 1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, err := testserver.NewSSH(testserver.SSHConfig{})
				require.NoError(t, err)
				v := &verifier{answer: func(context.Context, hawser.Peer) error {
					time.Sleep(row.thinks)
					s.Drop()
					return nil
				}}
				session, err := ssh.Dialer{Transport: pipe{s}, Verifier: v}.Open(t.Context(), at("pipe", 22))
				assert.Equal(t, row.dials, s.Accepted())
				assert.Len(t, v.asked(), row.asks)
				if row.ok {
					require.NoError(t, err)
					require.NoError(t, session.Close())
				} else {
					require.ErrorIs(t, err, hawser.ErrLost)
				}
				require.NoError(t, s.Close())
			})
		})
	}
	t.Run("another key in the second dial is a new question", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			key := &hostKey{Signer: newSigner(t), next: newSigner(t)}
			s, err := testserver.NewSSH(testserver.SSHConfig{HostKeys: []xssh.Signer{key}})
			require.NoError(t, err)
			v := &verifier{answer: func(context.Context, hawser.Peer) error {
				time.Sleep(time.Minute)
				s.Drop()
				return nil
			}}
			_, err = ssh.Dialer{Transport: pipe{s}, Verifier: v}.Open(t.Context(), at("pipe", 22))
			require.ErrorIs(t, err, hawser.ErrLost)
			require.Len(t, v.asked(), 2)
			assert.NotEqual(t, v.asked()[0].HostKey, v.asked()[1].HostKey)
			require.NoError(t, s.Close())
		})
	})
}

func TestHostKeyInRekeying(t *testing.T) {
	t.Parallel()
	const output = 4 << 20 // more than the window, so that it needs the other direction too
	rekeying := func(key *hostKey) testserver.SSHConfig {
		return testserver.SSHConfig{
			HostKeys:     []xssh.Signer{key},
			ServerConfig: func(c *xssh.ServerConfig) { c.RekeyThreshold = 32 << 10 },
			Exec: func(c *testserver.Command) int {
				_, _ = c.Stdout.Write(make([]byte, output))
				return 0
			},
		}
	}
	t.Run("the Verifier is not asked again", func(t *testing.T) {
		t.Parallel()
		key := &hostKey{Signer: newSigner(t)}
		v := &verifier{}
		session := loginBy(t, ssh.Dialer{Verifier: v}, to(start(t, rekeying(key))))
		// The server asks for an exchange beside its output, which can be over before.
		for range 50 {
			var out strings.Builder
			require.NoError(t, session.Run(t.Context(), &hawser.Command{Line: "x", Stdout: &out}))
			require.Len(t, out.String(), output)
			if key.signed.Load() > 1 {
				break
			}
		}
		assert.Greater(t, key.signed.Load(), int64(1), "key exchanges")
		assert.Len(t, v.asked(), 1)
	})
	t.Run("another key ends the session", func(t *testing.T) {
		t.Parallel()
		key := &hostKey{Signer: newSigner(t), next: newSigner(t)}
		v := &verifier{}
		session := loginBy(t, ssh.Dialer{Verifier: v}, to(start(t, rekeying(key))))
		err := session.Run(t.Context(), &hawser.Command{Line: "x"})
		require.ErrorIs(t, err, hawser.ErrLost)
		assert.ErrorIs(t, err, hawser.ErrUntrusted)
		assert.Len(t, v.asked(), 1)
		t.Log(err)
	})
}

// An orderer is a Verifier that knows the server by keys of some kinds.
type orderer struct {
	verifier
	kinds []string
	err   error
}

func (o *orderer) HostKeyAlgorithms(context.Context, hawser.Connection, string) ([]string, error) {
	return o.kinds, o.err
}

func TestHostKeyOrderer(t *testing.T) {
	t.Parallel()
	both := testserver.SSHConfig{HostKeys: []xssh.Signer{newRSA(t), newSigner(t)}}
	for _, row := range []struct {
		name, want string
		kinds      []string
	}{
		{"a server known by an RSA key shows that", xssh.KeyAlgoRSA, []string{xssh.KeyAlgoRSASHA512, xssh.KeyAlgoRSASHA256}},
		{"a server known by an Ed25519 key shows that", xssh.KeyAlgoED25519, []string{xssh.KeyAlgoED25519}},
		{"a kind that the profile does not have is passed over", xssh.KeyAlgoED25519, []string{"ssh-dss", "odd", xssh.KeyAlgoED25519}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := &orderer{kinds: row.kinds}
			loginBy(t, ssh.Dialer{Verifier: o}, to(start(t, both)))
			key, err := xssh.ParsePublicKey(o.asked()[0].HostKey)
			require.NoError(t, err)
			assert.Equal(t, row.want, key.Type())
		})
	}
	t.Run("one that cannot tell refuses the server", func(t *testing.T) {
		t.Parallel()
		o := &orderer{err: context.DeadlineExceeded} // also one that looks like a loss
		err := refused(t, ssh.Dialer{Verifier: o}, to(start(t, both)))
		assert.ErrorIs(t, err, hawser.ErrUntrusted)
		assert.False(t, err.Temporary)
	})
}

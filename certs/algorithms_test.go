package certs_test

import (
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
)

type algorithmRule struct {
	pins    []certs.Pin
	options hawser.SSHOptions
	want    []string
}

func algorithmRules(rsa, ed, ec []byte, ecPrint string) map[string]algorithmRule {
	rsaKey, edKey, ecKey := certs.Pin{Addr: addr, HostKey: rsa}, certs.Pin{Addr: addr, HostKey: ed}, certs.Pin{Addr: addr, HostKey: ec}
	authority := certs.Pin{Addr: "*.example.com", HostKey: rsa, CA: true}
	revoked := certs.Pin{Addr: "*", HostKey: ed, Revoked: true}
	certAlgos := []string{
		ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01, ssh.CertAlgoECDSA256v01,
		ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01, ssh.CertAlgoED25519v01,
	}
	return map[string]algorithmRule{
		"nothing known":   {},
		"known elsewhere": {pins: []certs.Pin{{Addr: "bank.example.com:2222", HostKey: ed}}},
		"rsa is two algorithms": {
			pins: []certs.Pin{rsaKey}, want: []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
		},
		"rsa with SHA-1 under legacy": {
			pins: []certs.Pin{rsaKey}, options: hawser.SSHOptions{Algorithms: "legacy"},
			want: []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA},
		},
		"several keys": {pins: []certs.Pin{edKey, ecKey}, want: []string{ssh.KeyAlgoECDSA256, ssh.KeyAlgoED25519}},
		"an authority of any type signs keys of every type": {pins: []certs.Pin{authority}, want: certAlgos},
		"certificates before keys": {
			pins: []certs.Pin{edKey, authority}, want: append(certAlgos[:len(certAlgos):len(certAlgos)], ssh.KeyAlgoED25519),
		},
		"a revoked key is not wanted": {pins: []certs.Pin{edKey, revoked}},
		"listed fingerprints decide what counts as known": {
			pins:    []certs.Pin{rsaKey, edKey, ecKey, authority},
			options: hawser.SSHOptions{HostKeys: []string{ecPrint}},
			want:    []string{ssh.KeyAlgoECDSA256},
		},
	}
}

func TestAlgorithmsOfKnownKeysArePreferred(t *testing.T) {
	t.Parallel()
	ec := newECDSA(t)
	for name, rule := range algorithmRules(wire(newRSA(t)), wire(newEd25519(t)), wire(ec), print(ec)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := certs.Memory()
			for _, p := range rule.pins {
				require.NoError(t, store.Add(t.Context(), p))
			}
			c := bank()
			c.SSH = rule.options
			got, err := (&certs.Verifier{Store: store}).HostKeyAlgorithms(t.Context(), c, addr)
			require.NoError(t, err)
			assert.Equal(t, rule.want, got)
		})
	}
}

// golang/go issue 49631: package ssh prefers ecdsa and rsa, so a server of which
// ed25519 alone is known would present the wrong key, and the other way round.
func TestServerWithMoreKeysThanAreKnownIsTrusted(t *testing.T) {
	t.Parallel()
	server := []ssh.Signer{newRSA(t), newECDSA(t), newEd25519(t)}
	for _, known := range server {
		t.Run(known.PublicKey().Type(), func(t *testing.T) {
			t.Parallel()
			store := certs.Memory()
			require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: addr, HostKey: wire(known)}))
			require.NoError(t, handshake(t, &certs.Verifier{Store: store}, server))
		})
	}
	t.Run("no longer with the known one, it has changed", func(t *testing.T) {
		t.Parallel()
		store := certs.Memory()
		require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: addr, HostKey: wire(server[2])}))
		err := refused(t, handshake(t, &certs.Verifier{Store: store}, server[:2]))
		assert.Equal(t, certs.Changed, err.Question.Reason)
	})
}

// handshake does what the ssh driver does: preferred algorithms first, then the
// others. It returns what Verify said.
func handshake(t *testing.T, v *certs.Verifier, server []ssh.Signer) error {
	t.Helper()
	preferred, err := v.HostKeyAlgorithms(t.Context(), bank(), addr)
	require.NoError(t, err)
	// Not net.Pipe: both ends of SSH begin by writing.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	clientEnd, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	serverEnd, err := listener.Accept()
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	config := &ssh.ServerConfig{NoClientAuth: true}
	for _, key := range server {
		config.AddHostKey(key)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer serverEnd.Close()
		if conn, _, _, err := ssh.NewServerConn(serverEnd, config); err == nil {
			_ = conn.Wait()
		}
	}()
	verdict := errors.New("no host key was presented")
	client := &ssh.ClientConfig{
		HostKeyAlgorithms: append(preferred, ssh.KeyAlgoECDSA256, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoED25519),
		HostKeyCallback: func(host string, _ net.Addr, key ssh.PublicKey) error {
			verdict = v.Verify(t.Context(), bank(), hawser.Peer{Addr: host, HostKey: key.Marshal()})
			return verdict
		},
	}
	conn, _, _, err := ssh.NewClientConn(clientEnd, addr, client)
	if err == nil {
		_ = conn.Close()
	}
	_ = clientEnd.Close()
	<-done
	return verdict
}

package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
)

// checkHostKey is called by x/crypto in every key exchange: the one that
// opens the session, which asks the Verifier, and each rekeying, which must
// show the same key.
func (h *handshake) checkHostKey(addr string, _ net.Addr, key xssh.PublicKey) error {
	presented := key.Marshal()
	if accepted := h.accepted(); accepted != nil {
		if !bytes.Equal(accepted, presented) {
			return fmt.Errorf("%w: the host key changed within the session", hawser.ErrUntrusted)
		}
		return nil
	}
	h.log.Received("KEX_REPLY host key %s %s", key.Type(), fingerprint(key))
	err := h.opening.Unhurried(func(ctx context.Context) error {
		return h.judge(ctx, hawser.Peer{Addr: addr, ServerName: h.c.Host, HostKey: presented}, key)
	})
	h.mu.Lock()
	if h.refused = err; err == nil {
		h.hostKey = presented
	}
	h.mu.Unlock()
	if err != nil {
		return err
	}
	h.opening.Done(key.Type() + " " + fingerprint(key))
	h.opening.Enter(hawser.PhaseLogin)
	h.log.Sent("USERAUTH_REQUEST %s none", h.c.Auth.User)
	return nil
}

func (h *handshake) accepted() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hostKey
}

func (h *handshake) judge(ctx context.Context, peer hawser.Peer, key xssh.PublicKey) error {
	if bytes.Equal(h.vouched, peer.HostKey) {
		return nil
	}
	if h.verifier == nil {
		return h.judgeStrictly(key)
	}
	err := h.verifier.Verify(ctx, h.c, peer)
	if err == nil || errors.Is(err, hawser.ErrUntrusted) || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w: %w", hawser.ErrUntrusted, err)
}

// judgeStrictly is what happens without a Verifier.
func (h *handshake) judgeStrictly(key xssh.PublicKey) error {
	if slices.Contains(h.c.SSH.HostKeys, fingerprint(key)) {
		return nil
	}
	return fmt.Errorf("%w: host key %s %s is not in ssh.host_keys; add it there once you have compared it with the server's, or give the Dialer a Verifier such as certs.Verifier",
		hawser.ErrUntrusted, key.Type(), fingerprint(key))
}

// fingerprint is that of the key itself also where a certificate is shown for
// it, as `ssh-keygen -l` prints it. The server has proven to hold that key.
func fingerprint(key xssh.PublicKey) string {
	if certificate, ok := key.(*xssh.Certificate); ok {
		key = certificate.Key
	}
	return xssh.FingerprintSHA256(key)
}

package tlsconf

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

// judge decides about the certificate of a control connection.
func (k *Client) judge(ctx context.Context, cs tls.ConnectionState) error {
	switch {
	case k.o.Verifier == nil:
		return k.judgeStrictly(cs)
	case k.vouches(cs):
		return nil
	}
	run := k.o.Unhurried
	if run == nil {
		run = func(fn func(context.Context) error) error { return opening.Unhurried(ctx, fn) }
	}
	verdict := fmt.Errorf("%w: nobody judged the certificate", hawser.ErrUntrusted)
	err := run(func(ctx context.Context) error {
		verdict = k.askVerifier(ctx, cs)
		return verdict
	})
	if err == nil {
		err = verdict
	}
	if err == nil {
		k.vouch(cs)
	}
	return err
}

func (k *Client) askVerifier(ctx context.Context, cs tls.ConnectionState) error {
	peer := hawser.Peer{Addr: k.o.Addr, ServerName: k.name, Proxy: k.o.Proxy, TLS: &cs}
	err := k.o.Verifier.Verify(ctx, k.c, peer)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil || errors.Is(err, hawser.ErrUntrusted):
		return err
	}
	return fmt.Errorf("%w: %w", hawser.ErrUntrusted, err)
}

// A vouched is what the Verifier accepted. A weaker version of TLS than then
// would be another question.
type vouched struct {
	leaf    []byte // DER
	version uint16
}

func (k *Client) vouch(cs tls.ConnectionState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.vouched = vouched{leaf: cs.PeerCertificates[0].Raw, version: cs.Version}
}

func (k *Client) vouches(cs tls.ConnectionState) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	v := k.vouched
	return v.leaf != nil && bytes.Equal(v.leaf, cs.PeerCertificates[0].Raw) && cs.Version >= v.version
}

// judgeStrictly is what happens without a Verifier.
func (k *Client) judgeStrictly(cs tls.ConnectionState) error {
	leaf := cs.PeerCertificates[0]
	options := x509.VerifyOptions{Roots: k.roots, DNSName: k.name, Intermediates: x509.NewCertPool()}
	for _, cert := range cs.PeerCertificates[1:] {
		options.Intermediates.AddCert(cert)
	}
	_, err := leaf.Verify(options)
	if err == nil {
		return nil
	}
	return &strictError{text: fmt.Sprintf("%v: certificate of %s (%s, %s): %s; %s", hawser.ErrUntrusted,
		hawser.Printable(k.name), hawser.Printable(leaf.Subject.String()), Fingerprint(leaf),
		hawser.Printable(err.Error()), k.strictCure()), cause: err}
}

func (k *Client) strictCure() string {
	if k.o.Proxy {
		return "give the proxy a valid certificate, or the Transport a Verifier: certs.Verifier can ask about it or pin it"
	}
	cure := "give the server a valid certificate, set tls.roots to its authority, or give the Dialer a Verifier: certs.Verifier can allow single faults, ask or pin"
	if len(k.c.TLS.Allow) > 0 || k.c.TLS.AutoAccept {
		cure += "; without one, tls.allow and tls.auto_accept have no effect"
	}
	return cure
}

// A strictError is a refusal by crypto/x509, whose own text quotes what the
// certificate says.
type strictError struct {
	text  string
	cause error
}

func (e *strictError) Error() string { return e.text }

func (e *strictError) Unwrap() []error { return []error{hawser.ErrUntrusted, e.cause} }

// Fingerprint is the SHA-256 fingerprint of cert: "SHA256:" and then what
// `openssl x509 -noout -fingerprint -sha256` prints.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return "SHA256:" + strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

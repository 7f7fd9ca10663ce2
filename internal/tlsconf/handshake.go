package tlsconf

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/hawser/hawser"
)

// A handshake is one TLS handshake and what was seen of it.
type handshake struct {
	k    *Client
	data bool // it is of a data connection

	wire    *witness
	refused error // why the certificate was not accepted
	asked   bool  // the server wanted a client certificate
	unfit   error // why ours cannot be used with this server
	secret  masterSecret
}

// courtesy is how long a peer may take to receive that it was refused.
const courtesy = time.Second

// run shakes hands on conn. judge decides about a certificate that is there.
func (h *handshake) run(ctx context.Context, conn net.Conn, r *resumption, judge func(tls.ConnectionState) error) (*tls.Conn, error) {
	if err := ctx.Err(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	h.wire = &witness{Conn: conn}
	config := h.config(r, judge)
	t := tls.Client(h.wire, config)
	err := t.HandshakeContext(ctx)
	h.k.note(h)
	if err == nil {
		h.keepSession(r, t.ConnectionState())
		h.wire.dismiss()
		r.settle(nil)
		return t, nil
	}
	_ = conn.Close()
	switch {
	case h.refused != nil:
		err = h.refused
	case ctx.Err() != nil:
		err = ctx.Err()
	default:
		err = h.explain(t.ConnectionState(), err)
	}
	r.settle(err)
	return nil, err
}

// config adds to the Client's what belongs to this handshake.
func (h *handshake) config(r *resumption, judge func(tls.ConnectionState) error) *tls.Config {
	config := h.k.config.Clone()
	config.GetClientCertificate = h.clientCertificate
	config.VerifyConnection = func(cs tls.ConnectionState) error {
		if h.refused = verify(cs, judge); h.refused != nil {
			// crypto/tls now sends an alert, which a peer that does not read
			// would hold up.
			_ = h.wire.SetWriteDeadline(time.Now().Add(courtesy))
		}
		return h.refused
	}
	// Small records first are for browsers; a file is only slower by them.
	config.DynamicRecordSizingDisabled = h.data
	config.ClientSessionCache = r
	h.resumeByID(config, r)
	return config
}

// verify lets no connection pass that has no certificate to judge.
func verify(cs tls.ConnectionState, judge func(tls.ConnectionState) error) error {
	if len(cs.PeerCertificates) == 0 {
		return fmt.Errorf("%w: no certificate was presented", hawser.ErrUntrusted)
	}
	return judge(cs)
}

// clientCertificate answers a server that asks for a certificate. It gives ours
// also where the server names other authorities than its issuer, for which
// tls.Config.Certificates would send none without a word: many servers name
// only some of those that they accept, and others then say why they refuse.
func (h *handshake) clientCertificate(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	h.asked = true
	certificate := h.k.certificate
	if !h.k.hasCertificate() {
		return &certificate, nil // which means none, and must not be nil
	}
	anyIssuer := *request
	anyIssuer.AcceptableCAs = nil
	h.unfit = anyIssuer.SupportsCertificate(&certificate)
	return &certificate, nil
}

func (k *Client) hasCertificate() bool { return len(k.certificate.Certificate) > 0 }

// note remembers for Explain what the server did.
func (k *Client) note(h *handshake) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = k.asked || h.asked
}

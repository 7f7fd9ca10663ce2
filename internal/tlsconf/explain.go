package tlsconf

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

// The errors here must not wrap those of crypto/tls that are a net.Error, for
// they would count as losses, and be tried again.

// Explain is for errors of the first reads and writes after a handshake: a
// server of TLS 1.3 judges the client's certificate only then. A refusal of it
// matches hawser.ErrAuth; any other error, also nil, keeps what it matches.
func (k *Client) Explain(err error) error {
	k.mu.Lock()
	asked := k.asked
	k.mu.Unlock()
	alert, ok := alertFrom(err)
	switch {
	case ok && (ofCertificate(alert) || asked && alert == handshakeFailure):
		return k.explainRefusal(alert, asked)
	case asked && !k.hasCertificate() && opening.IsLoss(err):
		return fmt.Errorf("%w; %s", err, k.missingCertificate())
	}
	return err
}

// explain turns what crypto/tls says of a failed handshake into what a caller
// can match and a user can act on.
func (h *handshake) explain(cs tls.ConnectionState, err error) error {
	var header tls.RecordHeaderError
	alert, alerted := alertFrom(err)
	chosen, _ := readServerHello(h.wire.head)
	switch {
	case alerted:
		return h.explainAlert(alert, cs.Version != 0)
	case h.wire.broke(err):
		return h.explainBreak(err)
	case errors.As(err, &header) && header.Conn != nil: // the first bytes are no TLS
		return h.explainPlain()
	case cs.Version == 0 && chosen > 0 && chosen < h.k.config.MinVersion:
		return h.k.explainVersion(chosen)
	case h.unfit != nil:
		return fmt.Errorf("%w: the key of the client certificate does not suit the server (%v); set tls.certificate to another one", hawser.ErrAuth, h.unfit)
	}
	// What is left was made up by crypto/tls: a certificate that it does not
	// read, a key that is too short or too long, a signature that is wrong, a
	// downgrade, messages out of order. It has texts alone for them, but each
	// means the same: nothing proved who the server is.
	refused := fmt.Errorf("%w: what %s presented cannot be accepted, by no setting: %s",
		hawser.ErrUntrusted, h.k.peer(), hawser.Printable(err.Error()))
	return opening.WithHint(refused, "have its certificate renewed, or its TLS repaired: no setting accepts it")
}

func (k *Client) peer() string {
	if k.o.Proxy {
		return "the proxy"
	}
	return "the server"
}

// explainBreak is for an error of the stream, which may also be one of a
// Transport.
func (h *handshake) explainBreak(err error) error {
	if !opening.IsLoss(err) {
		return err
	}
	what := h.k.peer() + " closed the connection"
	var timeout net.Error
	switch {
	case errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		what = "the connection was closed"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		what = h.k.peer() + " did not answer"
	}
	return fmt.Errorf("%w: %s during the %s: %w%s", hawser.ErrLost, what, h.name(), err, h.certificateHint())
}

// certificateHint is for servers that hang up on a client certificate instead
// of saying what is wrong with it.
func (h *handshake) certificateHint() string {
	switch {
	case !h.asked:
		return ""
	case !h.k.hasCertificate():
		return "; " + h.k.missingCertificate()
	}
	return "; " + h.k.peer() + " asked for a client certificate, and tls.certificate is " + describe(h.k.certificate)
}

func (h *handshake) name() string {
	if h.data {
		return "TLS handshake of the data connection"
	}
	return "TLS handshake"
}

// explainPlain never quotes a data connection, which begins with what is in a
// file.
func (h *handshake) explainPlain() error {
	begin := ""
	if !h.data {
		begin = fmt.Sprintf(": it begins with %q", firstLine(h.wire.head))
	}
	err := fmt.Errorf("%s does not speak TLS here%s%s%.0w", h.k.peer(), begin, h.plainCure(), errors.ErrUnsupported)
	return opening.WithHint(err, h.plainHint())
}

// plainHint says what is there instead, where that can be told.
func (h *handshake) plainHint() string {
	if !h.data && !h.k.o.Proxy && h.k.c.TLS.Mode == hawser.TLSImplicit {
		return opening.Stranger(opening.TLS, h.wire.head)
	}
	if h.data {
		return `set tls.data to "clear" to accept data connections in the clear`
	}
	return strings.TrimPrefix(h.plainCure(), "; ")
}

// cured is err, whose text ends in cure.
func cured(err error, cure string) error {
	return opening.WithHint(err, strings.TrimPrefix(cure, "; "))
}

func (h *handshake) plainCure() string {
	switch {
	case h.k.o.Proxy:
		return `; set proxy.type to "http" if it takes no TLS`
	case h.data:
		return ` but sends the data connection in the clear; set tls.data to "clear" to accept that`
	case h.k.c.TLS.Mode == hawser.TLSImplicit:
		return `; set tls.mode to "explicit" or "none", or port to that of implicit TLS`
	}
	return "" // it has just agreed to go on with TLS
}

// firstLine is what of head fits an error.
func firstLine(head []byte) []byte {
	const most = 60
	if i := bytes.IndexAny(head, "\r\n"); i > 0 {
		head = head[:i]
	}
	return head[:min(len(head), most)]
}

// explainVersion is for a server that chose a version that was not offered, as
// those do that know no newer one.
func (k *Client) explainVersion(version uint16) error {
	cure := "it is too old to be spoken to (RFC 7568)"
	if version >= tls.VersionTLS10 {
		cure = fmt.Sprintf("set tls.min_version to %q if it cannot be updated, and tls.legacy if no cipher is in common then", versionText(version))
	}
	if k.o.Proxy {
		cure = "it must be updated"
	}
	err := fmt.Errorf("%s speaks %s at most, %s is the least that is accepted; %s%.0w",
		k.peer(), tls.VersionName(version), tls.VersionName(k.config.MinVersion), cure, errors.ErrUnsupported)
	return cured(err, cure)
}

// explainAlert is for an alert in the handshake; begun tells whether the
// server had agreed to a version before.
func (h *handshake) explainAlert(alert tls.AlertError, begun bool) error {
	k := h.k
	switch {
	case ofCertificate(alert), alert == handshakeFailure && h.asked:
		return k.explainRefusal(alert, h.asked)
	case alert == protocolVersion && !begun:
		err := fmt.Errorf("%s does not speak %s (%w)%s%.0w", k.peer(), k.versionRange(), alert, k.versionCure(), errors.ErrUnsupported)
		return cured(err, k.versionCure())
	case (alert == handshakeFailure || alert == insufficientSecurity) && !begun:
		err := fmt.Errorf("%s has no cipher, key exchange or signature in common with what was offered (%w)%s%.0w",
			k.peer(), alert, k.cipherCure(), errors.ErrUnsupported)
		return cured(err, k.cipherCure())
	case alert == unrecognizedName:
		return cured(fmt.Errorf("%s does not go by the name %q (%w)%s", k.peer(), k.name, alert, k.nameCure()), k.nameCure())
	}
	return fmt.Errorf("%s ended the %s: %w", k.peer(), h.name(), alert)
}

func (k *Client) versionRange() string {
	low, high := tls.VersionName(k.config.MinVersion), tls.VersionName(k.config.MaxVersion)
	if low == high {
		return low
	}
	return "any of " + low + " to " + high
}

func (k *Client) versionCure() string {
	cure := ""
	switch {
	case k.o.Proxy:
		return ""
	case k.config.MinVersion > tls.VersionTLS12:
		cure = `; set tls.min_version to "1.2" if it is old`
	case k.config.MinVersion > tls.VersionTLS10:
		cure = `; set tls.min_version to "1.0" if it is old`
	}
	if k.config.MaxVersion < tls.VersionTLS13 {
		cure += `; set tls.max_version to "1.3" if it is new`
	}
	return cure
}

func (k *Client) cipherCure() string {
	switch {
	case k.o.Proxy:
		return ""
	case !k.c.TLS.Legacy:
		return `; set tls.legacy to offer RSA key exchange and 3DES too, and tls.min_version to "1.0" if it is old`
	}
	return k.versionCure() + "; it may insist on what is not spoken here, such as DHE, RC4 or SHA-1"
}

func (k *Client) nameCure() string {
	if k.o.Proxy {
		return "; set proxy.host to its name"
	}
	return "; set tls.server_name to its name"
}

// explainRefusal is for an alert that is about the client's certificate.
func (k *Client) explainRefusal(alert tls.AlertError, asked bool) error {
	switch {
	case !asked:
		return fmt.Errorf("%w: %s refused the TLS connection (%w); it did not ask for a client certificate", hawser.ErrAuth, k.peer(), alert)
	case !k.hasCertificate():
		return fmt.Errorf("%w: %s (%w)", hawser.ErrAuth, k.missingCertificate(), alert)
	}
	return fmt.Errorf("%w: %s refused the client certificate that was sent, %s (%w); set tls.certificate to one that it accepts, with the intermediates",
		hawser.ErrAuth, k.peer(), describe(k.certificate), alert)
}

func (k *Client) missingCertificate() string {
	cure := "set tls.certificate"
	if k.o.Proxy {
		cure = "a proxy is never given one"
	}
	return k.peer() + " asked for a client certificate and none was sent; " + cure
}

// describe names a client certificate, which is no secret.
func describe(certificate tls.Certificate) string {
	return hawser.Printable(certificate.Leaf.Subject.String()) + ", " + Fingerprint(certificate.Leaf)
}

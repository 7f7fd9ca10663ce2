package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
)

// Verify is what every handshake calls first.
func Verify(cs tls.ConnectionState, judge func(tls.ConnectionState) error) error {
	return verify(cs, judge)
}

// SetControl makes another certificate that of the control connection.
func (k *Client) SetControl(cert *x509.Certificate) { k.control = cert }

// ReadServerHello and ParseRoots read what comes from outside.
func ReadServerHello(head []byte) (uint16, []byte) { return readServerHello(head) }

func SaysID(record, id []byte) bool { return saysID(record, id) }

func ParseRoots(text []byte) (*x509.CertPool, string) { return parseRoots(text) }

// Sessions are those of one control connection.
type Sessions struct{ s sessions }

func NewSessions() *Sessions { return &Sessions{} }

// Cache is what a handshake is given.
func (s *Sessions) Cache(control bool) tls.ClientSessionCache {
	return s.s.resume(control)
}

// NewSessionState depends on the release of Go.
func NewSessionState(cs tls.ConnectionState, secret []byte) *tls.ClientSessionState {
	return newSessionState(cs, secret)
}

// KeepsByID reports whether a handshake that ended in cs leaves a session to
// resume, besides that of a ticket.
func KeepsByID(hello []byte, cs tls.ConnectionState, ticket bool) bool {
	var s sessions
	r := s.resume(true)
	r.ticket.Store(ticket)
	h := &handshake{wire: &witness{head: hello}, secret: make([]byte, 48)}
	h.keepSession(r, cs)
	return s.pick().state != nil
}

package tlsconf

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"github.com/hawser/hawser"
)

// crypto/tls resumes by tickets alone (golang/go #25228). Up to TLS 1.2 a server
// may give none, and know a session by the identifier of its ServerHello (RFC
// 5246, section 7.3): ProFTPD does so where TLS 1.3 is off, and refuses every
// data connection that does not resume.
//
// What is here has crypto/tls do it all the same. It takes the master secret
// from the key log, makes a session of it by ParseSessionState, and says the
// identifier where crypto/tls would say random bytes, by whose return in the
// ServerHello it tells a session that was resumed. If a release of Go does any of
// this otherwise, nothing is resumed, as before.

// idSize is the length in bytes of the identifiers that crypto/tls sends; a
// server's of another length cannot be said.
const idSize = 32

// resumeByID has a handshake say the identifier of the session that r resumes,
// if it has one, and note what keepSession needs.
func (h *handshake) resumeByID(config *tls.Config, r *resumption) {
	if h.k.c.Protocol != hawser.FTP || h.k.o.Proxy {
		return // there will be no data connections
	}
	config.KeyLogWriter = &h.secret
	if r.given.id != nil {
		config.Rand = &idReader{id: r.given.id}
		h.wire.id = r.given.id
	}
}

// keepSession keeps the session of a handshake that succeeded without a ticket.
func (h *handshake) keepSession(r *resumption, cs tls.ConnectionState) {
	_, id := readServerHello(h.wire.head)
	secret := h.secret
	h.secret = nil
	if secret == nil || r.ticket.Load() || len(id) != idSize {
		return // TLS 1.3, resumed itself, or a server that needs or can do none of this
	}
	if state := newSessionState(cs, secret); state != nil {
		r.sessions.add(state, slices.Clone(id), r.control)
	}
}

// A masterSecret is the io.Writer of a key log, of which it keeps the secret of
// TLS up to 1.2. Each line is "LABEL random secret" in hexadecimal.
type masterSecret []byte

func (s *masterSecret) Write(line []byte) (int, error) {
	fields := bytes.Fields(line)
	if len(fields) == 3 && string(fields[0]) == "CLIENT_RANDOM" {
		*s, _ = hex.AppendDecode(nil, fields[2])
	}
	return len(line), nil
}

// An idReader is a source of random bytes, of which crypto/tls reads first the
// client's random and then, as a read of its own, the session's identifier. If a
// release of Go read something else in that place, such as a key, it would be
// known to everybody: so the witness sends nothing in which the identifier does
// not stand where it belongs.
type idReader struct {
	id    []byte
	reads int
}

func (r *idReader) Read(b []byte) (int, error) {
	r.reads++
	if r.reads == 2 && len(b) == len(r.id) {
		return copy(b, r.id), nil
	}
	return rand.Read(b)
}

// newSessionState makes the session of cs, of TLS up to 1.2. It returns nil if
// this release of Go encodes sessions in another way.
func newSessionState(cs tls.ConnectionState, secret []byte) *tls.ClientSessionState {
	encoded, err := encodeSession(cs, secret)
	if err != nil {
		return nil
	}
	state, err := tls.ParseSessionState(encoded)
	if err != nil {
		return nil
	}
	if again, err := state.Bytes(); err != nil || !bytes.Equal(encoded, again) {
		return nil
	}
	session, err := tls.NewResumptionState(nil, state)
	if err != nil {
		return nil
	}
	return session
}

// encodeSession is what the comment in tls.SessionState describes.
func encodeSession(cs tls.ConnectionState, secret []byte) ([]byte, error) {
	const client, no, yes = 2, 0, 1
	extended := uint8(no) // master secret
	// Without it, keys cannot be exported before TLS 1.3 (RFC 7627, section 5.4).
	if _, err := cs.ExportKeyingMaterial("EXPERIMENTAL", nil, 1); err == nil {
		extended = yes
	}
	var b cryptobyte.Builder
	b.AddUint16(cs.Version)
	b.AddUint8(client)
	b.AddUint16(cs.CipherSuite)
	b.AddUint64(0) // created_at, which servers alone look at
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(secret) })
	b.AddUint24(0) // extra
	b.AddUint8(extended)
	b.AddUint8(no) // early_data
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, cert := range cs.PeerCertificates {
			b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(cert.Raw) })
			b.AddUint16(0) // extensions
		}
	})
	b.AddUint24(0) // verified_chains, of which VerifyConnection has no need
	b.AddUint16(uint16(cs.CurveID))
	return b.Bytes()
}

// Package tlsconf is the one place that builds a tls.Config from a
// [hawser.Connection] and shakes hands with it: versions, ciphers, roots, the
// client certificate, the check of the server's, and the sessions that data
// connections of ftp resume. What fails is said in words that name the field to
// change.
package tlsconf

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hawser/hawser"
)

// Options say whom a [Client] talks to and who judges it.
type Options struct {
	// Addr is host:port as dialed, for [hawser.Peer].
	Addr string
	// Verifier judges the certificate. Nil is strict: chain, name and usage
	// must be valid for crypto/x509 by tls.roots, or the system's roots.
	Verifier hawser.Verifier
	// Proxy says that the peer is the https proxy of the Connection. Nothing of
	// Connection.TLS applies to it, and the name is proxy.host.
	Proxy bool
	// Unhurried runs the Verifier, which may ask a person, under a context of
	// its choice. Nil is opening.Unhurried with the context of the handshake.
	Unhurried func(func(context.Context) error) error
}

// A Client makes the TLS connections of one control connection: its own first
// and then, for ftp, those of its data. Its methods may be called concurrently.
type Client struct {
	c           hawser.Connection
	o           Options
	name        string          // that the certificate must be for
	config      *tls.Config     // without what belongs to one handshake
	roots       *x509.CertPool  // of tls.roots; nil: the system's
	certificate tls.Certificate // of tls.certificate; without any Certificate: none
	sessions    sessions

	mu      sync.Mutex        // guards all below
	vouched vouched           // what the Verifier accepted last
	control *x509.Certificate // of the control connection; nil before it is up
	asked   bool              // the server wanted a client certificate
}

// New prepares for c. It reads the files that c.TLS names; errors name the
// field, and match [hawser.ErrInvalid] where the field itself is wrong.
func New(c hawser.Connection, o Options) (*Client, error) {
	if o.Proxy {
		c.TLS = hawser.TLSOptions{}
	}
	k := &Client{c: c, o: o}
	var err error
	if k.name, err = serverName(c, o.Proxy); err != nil {
		return nil, err
	}
	if k.roots, err = Roots(c); err != nil {
		return nil, err
	}
	if k.certificate, err = LoadCertificate(c.TLS.Certificate); err != nil {
		return nil, err
	}
	if k.config, err = k.baseConfig(); err != nil {
		return nil, err
	}
	return k, nil
}

// Handshake makes conn the TLS control connection. Its error is ctx's own once
// ctx ended; hawser.ErrUntrusted where the server's identity is refused,
// hawser.ErrAuth where the server wants another client certificate or one at
// all, errors.ErrUnsupported where it speaks no TLS that is spoken here, and
// hawser.ErrLost where the connection broke. On any error conn is closed.
//
// Where the connection broke while a person answered for the Verifier,
// Handshake may be called again with a new conn: what was accepted is not asked
// about again.
//
// NetConn of the result is not conn, but stands in front of it.
func (k *Client) Handshake(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	h := &handshake{k: k}
	k.sessions.forget()
	t, err := h.run(ctx, conn, k.sessions.resume(true), func(cs tls.ConnectionState) error {
		err := k.judge(ctx, cs)
		if err == nil {
			k.sessions.accept(cs.PeerCertificates[0])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.control = t.ConnectionState().PeerCertificates[0]
	return t, nil
}

// Data makes conn a TLS data connection, which must present the certificate of
// the control connection; the Verifier is not called. It resumes a session of
// the control connection if the server gave one: with TLS 1.3 that comes with
// the first bytes that are read there. ctx and errors are as in Handshake.
func (k *Client) Data(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	k.mu.Lock()
	control := k.control
	k.mu.Unlock()
	if control == nil {
		_ = conn.Close()
		return nil, errors.New("a data connection needs the TLS of its control connection first")
	}
	h := &handshake{k: k, data: true}
	return h.run(ctx, conn, k.sessions.resume(false), func(cs tls.ConnectionState) error {
		return sameServer(control, cs.PeerCertificates[0])
	})
}

// sameServer compares the certificate of a data connection.
func sameServer(control, data *x509.Certificate) error {
	if bytes.Equal(control.Raw, data.Raw) {
		return nil
	}
	return fmt.Errorf("%w: the data connection presented the certificate %s, its control connection %s; unless servers with different certificates share the address, somebody is in between",
		hawser.ErrUntrusted, Fingerprint(data), Fingerprint(control))
}

// serverName is what the certificate must be for. It is never empty, for
// crypto/x509 would then check no name. The zone of an IP address is of this
// machine alone, so no certificate holds it.
func serverName(c hawser.Connection, proxy bool) (string, error) {
	field, name := "host", c.Host
	switch {
	case proxy:
		field, name = "proxy.host", c.Proxy.Host
	case c.TLS.ServerName != "":
		name = c.TLS.ServerName
	}
	if name == "" {
		return "", &hawser.FieldError{Field: field, Problem: "is empty; want the name that the certificate is for"}
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		name = addr.WithZone("").String()
	}
	return name, nil
}

// clock is the time for crypto/tls, which resumes no session with a server
// whose certificate has expired. Where that was accepted, it stands within the
// certificate's time, else servers that want sessions resumed would refuse
// every data connection.
func (k *Client) clock() time.Time {
	return time.Now().Add(-k.sessions.behind())
}

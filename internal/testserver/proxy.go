package testserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// What a [Proxy] speaks.
const (
	ProxyHTTP    = "http"    // CONNECT (RFC 9110, section 9.3.6)
	ProxySOCKS4  = "socks4"  // CONNECT and BIND with IPv4 addresses
	ProxySOCKS4a = "socks4a" // SOCKS4 with names
	ProxySOCKS5  = "socks5"  // CONNECT and BIND (RFC 1928), with login by password (RFC 1929)
)

// ProxyConfig says whom a [Proxy] serves and how it behaves. The zero value works: it connects anybody to any port of
// the loopback, by every protocol.
type ProxyConfig struct {
	// Protocols are what the proxy speaks, nil for all; the first byte of a client tells them apart. Without ProxySOCKS4a
	// the address that announces a name is one like any other, as for dante. A client of another protocol is answered
	// by 400 where ProxyHTTP is spoken, else its connection is closed.
	Protocols []string
	// Identity makes the proxy one that clients speak TLS to from the first byte, whatever the protocol. Nil is clear.
	Identity *Identity

	// User and Password log in; SOCKS4 wants the user alone, as its user id. An empty User lets in everybody.
	User, Password string
	// Schemes are what HTTP offers if there is a User, in this order: "Basic" (RFC 7617), "Digest MD5",
	// "Digest SHA-256", "Digest SHA-512-256" (RFC 7616, with qop "auth"), and "Digest", which is MD5 but does not say
	// so. Nil means Basic.
	Schemes []string
	// OneLine puts all challenges into one Proxy-Authenticate line instead of one each.
	OneLine bool
	// NonceUses is how often a nonce of Digest serves until it is stale. Zero means for ever.
	NonceUses int
	// Status401 answers a wrong login by 401 instead of 407, as tinyproxy does.
	Status401 bool
	// CloseAfter407 ends the connection with each refusal of HTTP, 407 or other, instead of waiting for the next request.
	CloseAfter407 bool
	// Squid answers by HTTP that a target cannot be reached as squid does, with 503 instead of 502, and names the
	// error of each refusal in X-Squid-Error.
	Squid bool

	// Hosts maps a host, or host:port, as clients write it, to the host:port that it is connected to, or to a host for
	// the same port. No name is looked up anywhere else but localhost, which the system knows, and no address but of
	// the loopback is reached without it.
	Hosts map[string]string
	// Deny refuses targets, which it is given as host:port: by 403, by reply 2 of SOCKS5, by 91 of SOCKS4. It is called
	// concurrently.
	Deny func(target string) bool
	// Together holds the answer back until the first bytes of the target are there, and sends both in one write. It is
	// for targets that speak first.
	Together bool
	// Answer, if set and not nil for a target, is said in place of the answer to a client that is let in, whether the
	// target was reached or not; of the two answers to BIND the first. All else goes on as without it. It is called
	// concurrently.
	Answer func(target string) []byte

	// NoBind refuses BIND, as most proxies do.
	NoBind bool
	// External is the address that BIND announces, and listens on if it is one of the loopback. The zero value is the
	// address that it listens on, 127.0.0.1, or ::1 for a target of IPv6.
	External netip.Addr
	// Unspecified announces 0.0.0.0, or :: for a target of IPv6, with the port: the client then takes the address of the
	// proxy, as in SOCKS4.
	Unspecified bool
}

// Proxy is an HTTP and SOCKS proxy in this process, for tests and examples. It passes the end of one direction on
// alone, through TLS as well. All methods may be called concurrently.
type Proxy struct {
	TCP
	cfg    ProxyConfig
	tls    *tls.Config // nil without TLS
	own    string      // temporary directory, removed by Close
	ca     string      // file
	nonces *proxyNonces

	mu       sync.Mutex // guards what follows
	requests []ProxyRequest
}

// ProxyRequest is what a client of a [Proxy] asked for.
type ProxyRequest struct {
	// Protocol is ProxyHTTP, ProxySOCKS4, ProxySOCKS4a or ProxySOCKS5. Method is CONNECT or BIND, or what else HTTP asked
	// for, or the number of another command of SOCKS. It is empty for a SOCKS5 client that did not get that far.
	Protocol, Method string
	// Target is host:port, in the words of the client where it gave a name, or spoke HTTP.
	Target string
	// Header is that of HTTP, with its secrets, else nil.
	Header http.Header
	// User is who tried to log in, and Scheme how: one of ProxyConfig.Schemes, "password" of SOCKS5, "userid" of SOCKS4.
	// Both are empty if nobody did.
	User, Scheme string
	// Status is what the answer said: the status of HTTP, the reply of SOCKS4 or SOCKS5. It is that which
	// ProxyConfig.Answer replaced. A login that SOCKS5 refused has 255.
	Status int
	// Refused is whether there is no tunnel, or for BIND no port, for any reason.
	Refused bool
}

// StartProxy starts a proxy on a free port of 127.0.0.1. The caller closes it.
func StartProxy(cfg ProxyConfig) (*Proxy, error) {
	p := &Proxy{TCP: TCP{conns: newTracker()}, cfg: cfg, nonces: newProxyNonces(cfg.NonceUses)}
	if err := p.prepare(); err != nil {
		_ = p.Close()
		return nil, err
	}
	if err := p.listen(p.handle); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// prepare checks the configuration, and makes what it leaves to be made.
func (p *Proxy) prepare() error {
	all := []string{ProxyHTTP, ProxySOCKS4, ProxySOCKS4a, ProxySOCKS5}
	if p.cfg.Protocols == nil {
		p.cfg.Protocols = all
	}
	for _, protocol := range p.cfg.Protocols {
		if !slices.Contains(all, protocol) {
			return fmt.Errorf("testserver: Protocols has %q, want some of %q", protocol, all)
		}
	}
	if p.cfg.Schemes == nil {
		p.cfg.Schemes = []string{"Basic"}
	}
	for _, scheme := range p.cfg.Schemes {
		if scheme != "Basic" && proxyHash(scheme) == nil {
			return fmt.Errorf("testserver: Schemes has %q, want Basic or a known Digest", scheme)
		}
	}
	if p.cfg.Identity == nil {
		return nil
	}
	return p.secure()
}

func (p *Proxy) secure() error {
	own, err := os.MkdirTemp("", "hawser-proxy-")
	if err != nil {
		return fmt.Errorf("testserver: %w", err)
	}
	p.own, p.ca = own, filepath.Join(own, "ca.pem")
	if err := os.WriteFile(p.ca, p.cfg.Identity.PEM(), 0o600); err != nil {
		return fmt.Errorf("testserver: %w", err)
	}
	p.tls = &tls.Config{Certificates: []tls.Certificate{p.cfg.Identity.Certificate}, MinVersion: tls.VersionTLS12}
	return nil
}

// Identity is what the proxy presents, nil without TLS.
func (p *Proxy) Identity() *Identity { return p.cfg.Identity }

// CA is a PEM file of the authority of the proxy's certificate, for as long as the proxy runs. It is empty without TLS.
func (p *Proxy) CA() string { return p.ca }

// Requests are what clients have asked for since the start, in that order. A request is there before it is answered.
func (p *Proxy) Requests() []ProxyRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Close stops listening, cuts every connection and waits for the tunnels to end. Closing twice is harmless.
func (p *Proxy) Close() error {
	var errs []error
	if p.listener != nil {
		errs = append(errs, p.TCP.Close())
	}
	if p.own != "" {
		errs = append(errs, os.RemoveAll(p.own))
	}
	return errors.Join(errs...)
}

func (p *Proxy) note(r ProxyRequest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r)
}

func (p *Proxy) speaks(protocol string) bool { return slices.Contains(p.cfg.Protocols, protocol) }

// handle is the Handler of one client.
func (p *Proxy) handle(ctx context.Context, c net.Conn) {
	if p.tls == nil {
		p.serve(ctx, c)
		return
	}
	secured := tls.Server(c, p.tls)
	if secured.HandshakeContext(ctx) == nil {
		p.serve(ctx, secured)
	}
	_ = secured.Close()
}

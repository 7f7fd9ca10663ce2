package certs

import (
	"context"
	"errors"
	"fmt"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/tlsconf"
)

// An identity is what a server presented.
type identity interface {
	// judge applies the order that the package comment tells, up to asking.
	judge(c hawser.Connection, pins []Pin) verdict
	// question is what is asked about it, but for Reason, Known and Findings.
	question() Question
}

// A verdict is what policy and pins say about an identity.
type verdict struct {
	trusted  bool
	final    bool // nobody is asked
	pin      bool // it is the first, which the connection has pinned without asking
	question Question
	detail   string
}

// identify reads what p presents to c. Its error refuses the server.
func (v *Verifier) identify(ctx context.Context, c hawser.Connection, p hawser.Peer) (identity, error) {
	unsupported := func(err error) error {
		q := Question{Connection: c.Name, Addr: p.Addr, HostKey: p.HostKey, Reason: Unsupported}
		return &UntrustedError{Question: q, Detail: err.Error()}
	}
	addr, err := parseAddress(p.Addr)
	switch {
	case err != nil:
		return nil, unsupported(err)
	case p.TLS != nil && len(p.HostKey) > 0:
		return nil, unsupported(errors.New("it presented both a certificate and an SSH host key"))
	case len(p.HostKey) > 0:
		id, err := newHostKey(addr, p.HostKey)
		if err != nil {
			return nil, unsupported(err)
		}
		return id, nil
	case p.TLS == nil || len(p.TLS.PeerCertificates) == 0:
		return nil, unsupported(errors.New("it presented neither a certificate nor an SSH host key"))
	}
	o := InspectOptions{Revocation: v.Revocation}
	if !p.Proxy {
		if o.Roots, err = tlsconf.Roots(c); err != nil {
			return nil, err
		}
	}
	if v.CRLs != nil {
		if o.CRLs, err = v.CRLs(ctx); err != nil {
			return nil, fmt.Errorf("revocation lists: %w", err)
		}
	}
	return certificate{addr: addr, state: *p.TLS, proxy: p.Proxy, findings: Inspect(*p.TLS, p.ServerName, o)}, nil
}

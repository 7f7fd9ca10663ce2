// Package standard wires every driver of this module, trust and secrets
// together into a Manager with good defaults. It is the short way to a first
// program; a program with other wishes composes the same parts itself, by
// struct literals.
package standard

import (
	"errors"
	"maps"
	"os"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/proxy"
	"github.com/hawser/hawser/sftp"
	"github.com/hawser/hawser/smtp"
	"github.com/hawser/hawser/ssh"
)

// Options has useful zero values throughout.
type Options struct {
	Trust     certs.Store           // nil: memory, so unknown servers are refused
	Ask       certs.Asker           // nil: nobody is asked
	Secrets   hawser.SecretResolver // nil: env and file
	Transport hawser.Transport      // reaches servers, proxies and jump hosts; nil: hawser.Direct
	Dialers   hawser.Mux            // added to, or replacing, the drivers of this module
	// Environment has connections without a Proxy and a Via heed all_proxy, no_proxy
	// and the like; see proxy.FromEnvironment.
	Environment bool
	Limiter     hawser.Limiter // nil: Limits.Sessions holds in this process alone
	Stale       time.Duration  // see hawser.Manager; 0: 5m
}

// New returns a Manager for the connections of reg: every driver, through the
// proxies and jump hosts that connections name, under one Verifier, with three
// attempts at what is worth trying again. The caller closes it, and with it the
// sessions of the jump hosts.
func New(reg hawser.Registry, o Options) *hawser.Manager {
	trust := o.Trust
	if trust == nil {
		trust = certs.Memory()
	}
	verifier := &certs.Verifier{Store: trust, Ask: o.Ask}
	way, jump := o.transports(verifier)
	drivers := hawser.Mux{
		hawser.FTP:  ftp.Dialer{Transport: way, Verifier: verifier},
		hawser.SSH:  ssh.Dialer{Transport: way, Verifier: verifier},
		hawser.SFTP: sftp.Dialer{Transport: way, Verifier: verifier},
		hawser.SMTP: smtp.Dialer{Transport: way, Verifier: verifier},
	}
	maps.Copy(drivers, o.Dialers)
	return &hawser.Manager{
		Registry: reg,
		Dialer:   closing{&hawser.Retry{Dialer: drivers}, jump},
		Secrets:  o.Secrets,
		Limiter:  o.Limiter,
		Stale:    o.Stale,
	}
}

// transports returns the way to every server: through a proxy, which is reached
// through a jump host, which is reached the same way.
func (o Options) transports(verifier hawser.Verifier) (hawser.Transport, *ssh.Jump) {
	jump := &ssh.Jump{Base: o.Transport}
	way := &proxy.Transport{Base: jump, Verifier: verifier}
	if o.Environment {
		way.Default = proxy.FromEnvironment(os.Getenv)
	}
	jump.Dialer = ssh.Dialer{Transport: way, Verifier: verifier}
	return way, jump
}

// closing is a Dialer with which the jump hosts are closed.
type closing struct {
	*hawser.Retry
	jump *ssh.Jump
}

// Close closes the drivers, and then what they go through.
func (c closing) Close() error { return errors.Join(c.Retry.Close(), c.jump.Close()) }

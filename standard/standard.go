// Package standard wires every driver of this module, trust and secrets
// together into a Manager with good defaults. It is the short way to a first
// program; a program with other wishes composes the same parts itself, by
// struct literals.
package standard

import (
	"maps"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/sftp"
	"github.com/hawser/hawser/smtp"
	"github.com/hawser/hawser/ssh"
)

// Options has useful zero values throughout.
type Options struct {
	Trust     certs.Store           // nil: memory, so unknown servers are refused
	Ask       certs.Asker           // nil: nobody is asked
	Secrets   hawser.SecretResolver // nil: env and file
	Transport hawser.Transport      // nil: hawser.Direct
	Dialers   hawser.Mux            // added to, or replacing, the drivers of this module
}

// New returns a Manager for the connections of reg: every driver, under one
// Verifier, with three attempts at what is worth trying again. The caller
// closes it.
func New(reg hawser.Registry, o Options) *hawser.Manager {
	trust := o.Trust
	if trust == nil {
		trust = certs.Memory()
	}
	verifier := &certs.Verifier{Store: trust, Ask: o.Ask}
	drivers := hawser.Mux{
		hawser.FTP:  ftp.Dialer{Transport: o.Transport, Verifier: verifier},
		hawser.SSH:  ssh.Dialer{Transport: o.Transport, Verifier: verifier},
		hawser.SFTP: sftp.Dialer{Transport: o.Transport, Verifier: verifier},
		hawser.SMTP: smtp.Dialer{Transport: o.Transport, Verifier: verifier},
	}
	maps.Copy(drivers, o.Dialers)
	return &hawser.Manager{
		Registry: reg,
		Dialer:   &hawser.Retry{Dialer: drivers},
		Secrets:  o.Secrets,
	}
}

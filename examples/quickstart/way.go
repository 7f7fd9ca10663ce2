package main

import (
	"context"

	"github.com/hawser/hawser"
)

// behind is c, which becomes a server that only a proxy knows, and the proxy one
// that only a jump host reaches.
func (s *servers) behind(c hawser.Connection) (far, bastion hawser.Connection) {
	bastion = c.Clone()
	bastion.Name, bastion.Protocol = "bastion", hawser.SSH
	bastion.Host, bastion.Port = s.bastion.host, s.bastion.port
	bastion.SSH.HostKeys = []string{s.bastion.fingerprint}

	far = c.Clone()
	far.Name, far.Host = "far", hidden
	far.SSH.HostKeys = []string{s.files.fingerprint}
	far.Via = bastion.Name // in the same Registry
	far.Proxy = hawser.Proxy{
		Type: hawser.ProxySOCKS5H, Host: s.proxy.Host(), Port: s.proxy.Port(),
		User: s.user, Password: hawser.NewSecret(s.password),
	}
	return far, bastion
}

// goFar shows a server that is reached through a jump host and a proxy behind it,
// as any other is.
func (s *story) goFar(ctx context.Context, c hawser.Connection) error {
	s.headline("Testing %q, through the jump host %q and a %s proxy behind it", c.Name, c.Via, c.Proxy.Type)
	return s.test(ctx, c).Err
}

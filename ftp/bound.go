package ftp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/hawser/hawser"
)

// A boundConn waits for the server to connect to a port of the proxy.
type boundConn struct {
	s       *Session
	binding hawser.Binding
}

func (b *boundConn) way() way     { return active }
func (b *boundConn) addr() string { return b.binding.Addr().String() }
func (b *boundConn) abandon()     { _ = b.binding.Close() }

// prepareBound has the proxy listen, and tells the server where.
func (s *Session) prepareBound(ctx context.Context, binder hawser.Binder) (opener, error) {
	if _, err := netip.ParseAddr(s.host()); err != nil && !s.protected() {
		// The proxy resolves the name, so whether it is the server that connects
		// could not be told, and in the clear nothing else would tell it.
		return nil, &DataError{Mode: hawser.Active, Err: fmt.Errorf("%w: the address of %s is not known here, so that anybody could take its place; protect the data, or set proxy.type to socks5", errors.ErrUnsupported, s.host())}
	}
	binding, cancel := s.dataDial(ctx)
	defer cancel()
	bound, err := binder.Bind(binding)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, ofWay(active, "", fmt.Errorf("the proxy opens no port for the server: %w", err))
	}
	b := &boundConn{s, bound}
	if err := s.announce(bound.Addr()); err != nil {
		b.abandon()
		return nil, err
	}
	return b, nil
}

// connect waits for the server's connection, and takes nobody else's.
func (b *boundConn) connect(ctx context.Context) (net.Conn, error) {
	accepting, cancel := b.s.dataDial(ctx)
	defer cancel()
	conn, err := b.binding.Accept(accepting)
	if err != nil {
		return nil, err
	}
	if err := b.s.checkPeer(conn.RemoteAddr()); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// checkPeer refuses a data connection that comes from elsewhere than the server.
// Where the server's name is for the proxy to resolve, the certificate tells.
func (s *Session) checkPeer(remote net.Addr) error {
	peer, _, err := net.SplitHostPort(remote.String())
	if err != nil || sameHost(peer, s.host()) {
		return err
	}
	if _, err := netip.ParseAddr(s.host()); err != nil {
		return nil
	}
	return fmt.Errorf("%w: the data connection comes from %s, not from %s", hawser.ErrUntrusted, peer, s.host())
}

package ftp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hawser/hawser"
)

// An activeConn waits for the server to connect.
type activeConn struct {
	s        *Session
	listener *net.TCPListener
}

func (a *activeConn) way() way     { return active }
func (a *activeConn) addr() string { return a.listener.Addr().String() }
func (a *activeConn) abandon()     { _ = a.listener.Close() }

// prepareActive listens, here or on the proxy, and tells the server where, by EPRT
// and else by PORT.
func (s *Session) prepareActive(ctx context.Context) (opener, error) {
	if binder, ok := s.socket.(hawser.Binder); ok {
		return s.prepareBound(ctx, binder)
	}
	if _, ok := s.socket.(*net.TCPConn); !ok || s.settings.Proxy.Type != "" || s.settings.Via != "" {
		return nil, &DataError{Mode: hawser.Active, Err: fmt.Errorf("%w: the server cannot connect to this machine through an HTTP proxy or a jump host", errors.ErrUnsupported)}
	}
	listener, err := s.listen(ctx)
	if err != nil {
		return nil, &DataError{Mode: hawser.Active, Err: err}
	}
	a := &activeConn{s, listener}
	addr, err := netip.ParseAddrPort(listener.Addr().String())
	if err == nil {
		err = s.announce(addr)
	}
	if err != nil {
		a.abandon()
		return nil, err
	}
	return a, nil
}

// listen opens a port on the address that the control connection comes from.
func (s *Session) listen(ctx context.Context) (*net.TCPListener, error) {
	host, _, err := net.SplitHostPort(s.wire.NetConn().LocalAddr().String())
	if err != nil {
		return nil, err
	}
	first, last, err := portRange(s.settings.FTP.Ports)
	if err != nil {
		return nil, err
	}
	count := last - first + 1
	start := rand.IntN(count) // not the same for every session of this machine
	for i := range count {
		port := first + (start+i)%count
		var config net.ListenConfig
		var l net.Listener
		if l, err = config.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port))); err == nil {
			return l.(*net.TCPListener), nil
		}
	}
	return nil, fmt.Errorf("no free port in ftp.ports: %w", err)
}

// portRange reads "50000-50100" or one port; "" is any, as port 0.
func portRange(text string) (first, last int, err error) {
	if text == "" {
		return 0, 0, nil
	}
	low, high, isRange := strings.Cut(text, "-")
	if !isRange {
		high = low
	}
	a, err1 := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
	b, err2 := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
	if err1 != nil || err2 != nil || a == 0 || b < a {
		return 0, 0, &hawser.FieldError{Field: "ftp.ports", Problem: fmt.Sprintf("%q is not a range of ports", text)}
	}
	return int(a), int(b), nil
}

// announce tells the server where it is to connect to, or what stands for that
// behind NAT.
func (s *Session) announce(addr netip.AddrPort) error {
	ip := addr.Addr().Unmap().WithZone("")
	external := s.settings.FTP.External
	if external == "" && ip.IsUnspecified() {
		return &DataError{Mode: hawser.Active, Err: fmt.Errorf("%w: the proxy does not say at which address the server is to connect; set ftp.external", errors.ErrUnsupported)}
	}
	if external != "" {
		var err error
		if ip, err = netip.ParseAddr(external); err != nil {
			return &hawser.FieldError{Field: "ftp.external", Problem: "is not an IP address"}
		}
	}
	if !s.ways.noEPRT {
		r, err := s.exchange(eprt(ip, addr.Port()))
		if err != nil || isDone(r) {
			return err
		}
		if !ip.Is4() {
			return &DataError{Mode: hawser.Active, Err: refusal("EPRT", r)}
		}
		s.ways.noEPRT = true
	}
	r, err := s.exchange(port(ip, addr.Port()))
	if err == nil && !isDone(r) {
		err = &DataError{Mode: hawser.Active, Err: refusal("PORT", r)}
	}
	return err
}

// eprt is RFC 2428, section 2.
func eprt(ip netip.Addr, port uint16) string {
	family := 1
	if ip.Is6() {
		family = 2
	}
	return fmt.Sprintf("EPRT |%d|%s|%d|", family, ip, port)
}

// port is RFC 959, section 4.1.2.
func port(ip netip.Addr, port uint16) string {
	return fmt.Sprintf("PORT %s,%d,%d", strings.ReplaceAll(ip.String(), ".", ","), port>>8, port&0xff)
}

// connect accepts the server's connection, and nobody else's.
func (a *activeConn) connect(ctx context.Context) (net.Conn, error) {
	defer a.abandon()
	stop := context.AfterFunc(ctx, a.abandon)
	defer stop()
	deadline := time.Now().Add(a.s.dataTimeout())
	for {
		if err := a.listener.SetDeadline(deadline); err != nil {
			return nil, err
		}
		conn, err := a.listener.AcceptTCP()
		if err != nil {
			return nil, err
		}
		peer, _, err := net.SplitHostPort(conn.RemoteAddr().String())
		if err == nil && sameHost(peer, a.s.host()) {
			return conn, nil
		}
		_ = conn.Close()
	}
}

// sameHost reports whether two addresses are one, however they are written.
func sameHost(a, b string) bool {
	x, err1 := netip.ParseAddr(a)
	y, err2 := netip.ParseAddr(b)
	return err1 == nil && err2 == nil && x.Unmap().WithZone("") == y.Unmap().WithZone("")
}

package testserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// dataWithin is how long the server waits for a data connection.
const dataWithin = 20 * time.Second

// ftpData is how the next data connection is made: by listener if it is set, else to active if that is valid.
type ftpData struct {
	listener net.Listener
	active   netip.AddrPort
	epsvAll  bool // EPSV ALL: no other way any more (RFC 2428, section 4)
}

func (d *ftpData) forget() {
	if d.listener != nil {
		_ = d.listener.Close()
	}
	d.listener, d.active = nil, netip.AddrPort{}
}

func ftpDataCommands() map[string]ftpCommand {
	return map[string]ftpCommand{
		"PASV": {run: ftpPASV},
		"EPSV": {run: ftpEPSV},
		"PORT": {run: ftpPORT, argument: true},
		"EPRT": {run: ftpEPRT, argument: true},
	}
}

// listen opens the listener for a passive connection, and returns its port. It answers if it cannot.
func (s *ftpSession) listen(ctx context.Context) (port uint16, ok bool) {
	s.data.forget()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(s.server.Host(), "0"))
	if err != nil {
		s.reply(425, "there is no port")
		return 0, false
	}
	s.data.listener = l
	addr, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		s.reply(425, "there is no port")
		return 0, false
	}
	return addr.Port(), true
}

func ftpPASV(ctx context.Context, s *ftpSession, _ string) {
	if s.data.epsvAll {
		s.reply(501, "you said EPSV ALL")
		return
	}
	if port, ok := s.listen(ctx); ok {
		host := strings.ReplaceAll(s.server.Host(), ".", ",")
		s.reply(227, fmt.Sprintf("Entering Passive Mode (%s,%d,%d)", host, port>>8, port&0xff))
	}
}

// ftpEPSV answers RFC 2428, section 3.
func ftpEPSV(ctx context.Context, s *ftpSession, arg string) {
	switch strings.ToUpper(arg) {
	case "ALL":
		s.data.epsvAll = true
		s.reply(200, "EPSV alone from now on")
	case "", "1":
		if port, ok := s.listen(ctx); ok {
			s.reply(229, fmt.Sprintf("Entering Extended Passive Mode (|||%d|)", port))
		}
	default:
		s.reply(522, "use (1)")
	}
}

func ftpPORT(_ context.Context, s *ftpSession, arg string) {
	parts := strings.Split(arg, ",")
	var b [6]byte
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || len(parts) != len(b) {
			s.reply(501, "want h1,h2,h3,h4,p1,p2")
			return
		}
		b[i] = byte(n)
	}
	s.connectLater(netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), uint16(b[4])<<8|uint16(b[5])))
}

// ftpEPRT answers RFC 2428, section 2.
func ftpEPRT(_ context.Context, s *ftpSession, arg string) {
	parts := strings.Split(arg, arg[:1])
	if len(parts) != 5 {
		s.reply(501, "want |1|address|port|")
		return
	}
	if parts[1] != "1" {
		s.reply(522, "use (1)")
		return
	}
	addr, err := netip.ParseAddrPort(net.JoinHostPort(parts[2], parts[3]))
	if err != nil {
		s.reply(501, "want |1|address|port|")
		return
	}
	s.connectLater(addr)
}

// connectLater plans an active connection, to nobody but the client itself.
func (s *ftpSession) connectLater(addr netip.AddrPort) {
	if s.data.epsvAll {
		s.reply(501, "you said EPSV ALL")
		return
	}
	if !samePeer(addr.Addr().String(), s.raw.RemoteAddr()) || addr.Port() < 1024 {
		s.reply(501, "that is not yours")
		return
	}
	s.data.forget()
	s.data.active = addr
	s.reply(200, "I shall connect there")
}

func samePeer(ip string, peer net.Addr) bool {
	host, _, err := net.SplitHostPort(peer.String())
	return err == nil && host == ip
}

// errNoPlan is the error of a transfer without PASV, PORT or the like.
var errNoPlan = errors.New("say EPSV, PASV, EPRT or PORT first")

// connect makes the planned data connection, without TLS.
func (s *ftpSession) connect(ctx context.Context) (*gatedConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dataWithin)
	defer cancel()
	defer s.data.forget()
	if s.data.active.IsValid() {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", s.data.active.String())
		if err != nil {
			return nil, err
		}
		return s.server.gate.wrap(c), nil
	}
	if s.data.listener == nil {
		return nil, errNoPlan
	}
	l := s.data.listener
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			return nil, err
		}
		if samePeer(strings.Split(c.RemoteAddr().String(), ":")[0], s.raw.RemoteAddr()) {
			return s.server.gate.wrap(c), nil
		}
		_ = c.Close()
	}
}

// errNotResumed is the error of a data connection that began a TLS session of its own.
var errNotResumed = errors.New("resume the session of the control connection")

// protect begins TLS on a data connection.
func (s *ftpSession) protect(ctx context.Context, c net.Conn) (*tls.Conn, error) {
	secure := tls.Server(c, s.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	if secure.ConnectionState().DidResume {
		s.server.resumed.Add(1)
		return secure, nil
	}
	s.server.full.Add(1)
	if s.server.cfg.RequireReuse {
		return nil, errNotResumed
	}
	return secure, nil
}

package ftp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hawser/hawser"
)

// A passiveConn is a data connection that is open before the command is sent.
type passiveConn struct{ conn net.Conn }

func (p *passiveConn) way() way                                  { return passive }
func (p *passiveConn) addr() string                              { return p.conn.RemoteAddr().String() }
func (p *passiveConn) connect(context.Context) (net.Conn, error) { return p.conn, nil }
func (p *passiveConn) abandon()                                  { _ = p.conn.Close() }

// preparePassive asks for a port, by EPSV and else by PASV, and connects to it
// on the control connection's host. The address in a PASV reply is ignored: it is
// wrong behind NAT, and a server could send us anywhere by it.
func (s *Session) preparePassive(ctx context.Context) (opener, error) {
	extended := !s.ways.noEPSV
	open, err := s.passiveBy(ctx)
	if extended && !s.ways.noEPSV && isOfWay(err) && !s.isIPv6() && ctx.Err() == nil {
		// Some firewalls open the ports that they read of in PASV alone.
		s.ways.noEPSV = true
		return s.passiveBy(ctx)
	}
	return open, err
}

func (s *Session) passiveBy(ctx context.Context) (opener, error) {
	port, err := s.passivePort()
	if err != nil {
		return nil, err
	}
	dialing, cancel := s.dataDial(ctx)
	defer cancel()
	addr := net.JoinHostPort(s.host(), strconv.Itoa(port))
	conn, err := s.transport.DialNet(dialing, s.settings, "tcp", addr)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, ofWay(passive, addr, err)
	}
	return &passiveConn{conn}, nil
}

// dataDial is the context of opening a data connection, which ends with ctx too. It
// is without the traces of ctx, which would be told of a step of the opening.
func (s *Session) dataDial(ctx context.Context) (dialing context.Context, cancel func()) {
	dialing, end := context.WithTimeout(context.Background(), s.dataTimeout())
	stop := context.AfterFunc(ctx, end)
	return dialing, func() {
		stop()
		end()
	}
}

// dataTimeout bounds opening a data connection. Where another way is left to
// try, it gets its share.
func (s *Session) dataTimeout() time.Duration {
	if s.settings.FTP.Mode == hawser.Auto && !s.ways.good {
		return s.timeout() / 3
	}
	return s.timeout()
}

func (s *Session) passivePort() (int, error) {
	if !s.ways.noEPSV {
		r, err := s.exchange("EPSV")
		if err != nil {
			return 0, err
		}
		if r.Code == 229 {
			return parseEPSV(r.Text())
		}
		if s.isIPv6() {
			return 0, &DataError{Mode: hawser.Passive, Err: refusal("EPSV", r)}
		}
		s.ways.noEPSV = true
	}
	r, err := s.exchange("PASV")
	if err != nil {
		return 0, err
	}
	if r.Code != 227 {
		return 0, &DataError{Mode: hawser.Passive, Err: refusal("PASV", r)}
	}
	return parsePASV(r.Text())
}

// isIPv6 reports whether the control connection is, where PASV has no address.
func (s *Session) isIPv6() bool {
	addr, err := netip.ParseAddr(s.host())
	return err == nil && addr.Unmap().Is6()
}

// parseEPSV reads the port of a 229 reply, "Entering Extended Passive Mode
// (|||6446|)" (RFC 2428, section 3). The delimiter is the server's choice.
func parseEPSV(text string) (int, error) {
	_, rest, found := strings.Cut(text, "(")
	if !found || len(rest) < 5 || rest[0] != rest[1] || rest[1] != rest[2] || rest[0] >= '0' && rest[0] <= '9' {
		return 0, malformed("EPSV", text)
	}
	number, _, found := strings.Cut(rest[3:], rest[:1])
	port, err := strconv.ParseUint(number, 10, 16)
	if !found || err != nil || port == 0 {
		return 0, malformed("EPSV", text)
	}
	return int(port), nil
}

// parsePASV reads the port of a 227 reply: h1,h2,h3,h4,p1,p2 stand somewhere in
// it (RFC 959, section 4.1.2; RFC 1123, section 4.1.2.6).
func parsePASV(text string) (int, error) {
	isOther := func(r rune) bool { return r != ',' && (r < '0' || r > '9') }
	for _, word := range strings.FieldsFunc(text, isOther) {
		parts := strings.Split(word, ",")
		if len(parts) != 6 {
			continue
		}
		var numbers [6]uint64
		for i, part := range parts {
			n, err := strconv.ParseUint(part, 10, 8)
			if err != nil {
				return 0, malformed("PASV", text)
			}
			numbers[i] = n
		}
		if port := int(numbers[4]<<8 | numbers[5]); port > 0 {
			return port, nil
		}
	}
	return 0, malformed("PASV", text)
}

// malformed is a reply without what it is for. The session is still in step.
func malformed(verb, text string) error {
	return &DataError{Mode: hawser.Passive, Err: fmt.Errorf("%s: the server names no port: %q", verb, text)}
}

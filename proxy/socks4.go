package proxy

import (
	"net"
	"net/netip"
	"syscall"

	"github.com/hawser/hawser"
)

// socks4 is SOCKS 4 and its extension 4A, in which the proxy resolves names.
type socks4 struct{}

// The result codes of SOCKS4.
const (
	socks4Granted    = 90
	socks4Failed     = 91
	socks4NoIdent    = 92
	socks4OtherIdent = 93
)

func (socks4) network() string { return "tcp4" }

func (v socks4) request(w *way, conn net.Conn, cmd command, t target) (bound, error) {
	// 0.0.0.x, with an x other than 0, says that a name follows.
	ip := netip.AddrFrom4([4]byte{0, 0, 0, 1})
	if !t.isName() {
		ip = t.ip
	}
	address := ip.As4()
	b := append([]byte{4, byte(cmd), byte(t.port >> 8), byte(t.port)}, address[:]...)
	b = append(append(b, w.p.User...), 0)
	if t.isName() {
		b = append(append(b, t.host...), 0)
	}
	if _, err := conn.Write(b); err != nil {
		return bound{}, err
	}
	return v.reply(w, conn, cmd, t)
}

func (socks4) reply(w *way, conn net.Conn, cmd command, t target) (bound, error) {
	var b [8]byte
	if err := read(conn, b[:1]); err != nil {
		return bound{}, err
	}
	if b[0] != 0 && b[0] != 4 { // 0 by the protocol; some send their version
		return bound{}, w.stranger(cmd.op(), t, b[0])
	}
	if err := read(conn, b[1:]); err != nil {
		return bound{}, err
	}
	if b[1] != socks4Granted {
		return bound{}, w.refused4(cmd, t, int(b[1]))
	}
	return bound{ip: netip.AddrFrom4([4]byte(b[4:])), port: port16(b[2:])}, nil
}

func (w *way) refused4(cmd command, t target, code int) *Error {
	e := &Error{Proxy: w.String(), Target: t.addr, Op: cmd.op(), Code: code}
	switch code {
	case socks4Failed:
		e.Reason, e.passing = "rejected or failed; SOCKS4 does not tell whether the proxy refuses or the target does", true
		if w.p.Type == hawser.ProxySOCKS4A && t.isName() {
			e.cure = "if the proxy does not know SOCKS4a, set proxy.type to socks4 or socks5h"
		}
	case socks4NoIdent, socks4OtherIdent:
		e.Op, e.refused = OpLogin, true
		e.Reason = "the proxy asked this machine's identd, which does not confirm proxy.user"
	default:
		e.Reason = "no reply of SOCKS4"
	}
	return e
}

// noRoute is the error of a network that does not lead there.
const noRoute = syscall.ENETUNREACH

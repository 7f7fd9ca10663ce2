package proxy

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// socks5 is RFC 1928, with logins by RFC 1929. It is written here, not in
// golang.org/x/net/proxy, because that has no BIND, and tells refusals by texts
// without a code and the end of a context as a timeout.
type socks5 struct{}

// The methods of RFC 1928, section 3.
const (
	methodNone     = 0x00
	methodPassword = 0x02
	methodRefused  = 0xff
)

// The address types of RFC 1928, section 5.
const (
	typeIPv4 = 1
	typeName = 3
	typeIPv6 = 4
)

func (socks5) network() string { return "tcp" }

func (v socks5) request(w *way, conn net.Conn, cmd command, t target) (bound, error) {
	if err := v.login(w, conn, t); err != nil {
		return bound{}, err
	}
	if _, err := conn.Write(append([]byte{5, byte(cmd), 0}, t.address5()...)); err != nil {
		return bound{}, err
	}
	return v.reply(w, conn, cmd, t)
}

// login agrees on a method (RFC 1928, section 3) and logs in.
func (socks5) login(w *way, conn net.Conn, t target) error {
	hello := []byte{5, 1, methodNone}
	if w.p.User != "" {
		hello = []byte{5, 2, methodNone, methodPassword}
	}
	if _, err := conn.Write(hello); err != nil {
		return err
	}
	var b [2]byte
	if err := read(conn, b[:1]); err != nil {
		return err
	}
	if b[0] != 5 {
		return w.stranger(OpConnect, t, b[0])
	}
	if err := read(conn, b[1:]); err != nil {
		return err
	}
	switch {
	case b[1] == methodNone:
		return nil
	case b[1] == methodPassword && w.p.User != "":
		return w.password(conn, t)
	}
	return w.noMethod(t, b[1])
}

func (w *way) noMethod(t target, method byte) *Error {
	e := &Error{Proxy: w.String(), Target: t.addr, Op: OpLogin, Code: int(method), refused: true}
	switch {
	case method != methodRefused:
		e.Reason = "the proxy chose a method that it was not offered"
	case w.p.User == "":
		e.Reason, e.cure = "the proxy wants a login", "set proxy.user and proxy.password"
	default:
		e.Reason = "the proxy takes neither a password nor nobody"
	}
	return e
}

// password is RFC 1929, section 2.
func (w *way) password(conn net.Conn, t target) error {
	user, password := w.p.User, w.p.Password.Reveal()
	const most = 255
	if len(user) > most || len(password) > most {
		return errors.New("proxy.user or proxy.password is longer than 255 bytes")
	}
	b := append([]byte{1, byte(len(user))}, user...)
	b = append(append(b, byte(len(password))), password...)
	var answer [2]byte
	_, err := conn.Write(b)
	if err == nil {
		err = read(conn, answer[:])
	}
	if err != nil {
		return &Error{Proxy: w.String(), Target: t.addr, Op: OpLogin, Err: hungUp(err)}
	}
	if answer[1] != 0 { // some proxies have another version in front of it
		return &Error{
			Proxy: w.String(), Target: t.addr, Op: OpLogin, Code: int(answer[1]), refused: true,
			Reason: "the proxy refuses proxy.user or proxy.password",
		}
	}
	return nil
}

// address5 is t in a request (RFC 1928, section 5), port included.
func (t target) address5() []byte {
	var b []byte
	switch {
	case t.isName():
		b = append([]byte{typeName, byte(len(t.host))}, t.host...)
	case t.ip.Is4():
		ip := t.ip.As4()
		b = append([]byte{typeIPv4}, ip[:]...)
	default:
		ip := t.ip.As16()
		b = append([]byte{typeIPv6}, ip[:]...)
	}
	return append(b, byte(t.port>>8), byte(t.port))
}

// reply is RFC 1928, section 6.
func (socks5) reply(w *way, conn net.Conn, cmd command, t target) (bound, error) {
	var b [4]byte
	if err := read(conn, b[:1]); err != nil {
		return bound{}, err
	}
	if b[0] != 5 {
		return bound{}, w.stranger(cmd.op(), t, b[0])
	}
	if err := read(conn, b[1:]); err != nil {
		return bound{}, err
	}
	if b[1] != 0 {
		return bound{}, w.refused5(cmd, t, b[1])
	}
	return readBound(conn, b[3])
}

// readBound reads the address and port of a reply.
func readBound(conn net.Conn, kind byte) (bound, error) {
	size := [1]byte{4}
	switch kind {
	case typeIPv4:
	case typeIPv6:
		size[0] = 16
	case typeName:
		if err := read(conn, size[:]); err != nil {
			return bound{}, err
		}
	default:
		return bound{}, errors.New("the reply has an address of no known type")
	}
	b := make([]byte, int(size[0])+2)
	if err := read(conn, b); err != nil {
		return bound{}, err
	}
	host, port := b[:size[0]], port16(b[size[0]:])
	if kind == typeName {
		return bound{name: string(host), port: port}, nil
	}
	ip, _ := netip.AddrFromSlice(host)
	return bound{ip: ip.Unmap(), port: port}, nil
}

// A reply5 is what a reply of RFC 1928, section 6, means.
type reply5 struct {
	reason  string
	cause   error // as of a direct connection; the target failed
	passing bool
}

func replies5(code byte) reply5 {
	switch code {
	case 1:
		return reply5{reason: "general SOCKS server failure", passing: true}
	case 2:
		return reply5{reason: "connection not allowed by ruleset"}
	case 3:
		return reply5{reason: "network unreachable", cause: noRoute}
	case 4:
		return reply5{reason: "host unreachable", cause: syscall.EHOSTUNREACH}
	case 5:
		return reply5{reason: "connection refused", cause: syscall.ECONNREFUSED}
	case 6:
		return reply5{reason: "TTL expired", cause: syscall.EHOSTUNREACH}
	case 7:
		return reply5{reason: "command not supported"}
	case 8:
		return reply5{reason: "address type not supported"}
	}
	return reply5{reason: "a reply that RFC 1928 does not know"}
}

func (w *way) refused5(cmd command, t target, code byte) *Error {
	r := replies5(code)
	e := &Error{
		Proxy: w.String(), Target: t.addr, Op: cmd.op(), Code: int(code),
		Reason: r.reason, Err: r.cause, passing: r.passing, target: r.cause != nil && cmd == commandConnect,
	}
	switch {
	case code == 7 || cmd == commandBind && code != 1:
		e.Err = errors.ErrUnsupported
	case code == 8:
		e.Err = errors.ErrUnsupported
		if t.isName() {
			e.cure = "the proxy resolves no names: set proxy.type to socks5"
		}
	}
	return e
}

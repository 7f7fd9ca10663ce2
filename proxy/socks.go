package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

// A command is what a SOCKS proxy is asked to do, in either version.
type command byte

const (
	commandConnect command = 1
	commandBind    command = 2
)

func (c command) op() string {
	if c == commandBind {
		return OpBind
	}
	return OpConnect
}

// A socks is a version of the protocol. Its methods speak on conn without reading
// more than the answer: what follows is the target's.
type socks interface {
	// network is that of the addresses which the version knows.
	network() string
	// request asks for cmd and reads the first reply. A refusal is an *Error.
	request(w *way, conn net.Conn, cmd command, t target) (bound, error)
	// reply reads one more reply, that of a BIND.
	reply(w *way, conn net.Conn, cmd command, t target) (bound, error)
}

// A bound is the address in a reply, which may be a name.
type bound struct {
	ip   netip.Addr
	name string
	port uint16
}

// addr is b as an address of a connection.
func (b bound) addr() net.Addr {
	if b.ip.IsValid() {
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(b.ip, b.port))
	}
	return name(net.JoinHostPort(hawser.Printable(b.name), strconv.Itoa(int(b.port))))
}

// connectSOCKS tries one address of the target after the other, if they are found
// out here.
func (w *way) connectSOCKS(ctx context.Context, t target, v socks) (net.Conn, error) {
	targets, err := w.locate(ctx, t, v)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, t := range targets {
		c, err := w.connectSOCKSTo(ctx, t, v)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
		if e := (*Error)(nil); errors.As(err, &e) && e.Op != OpConnect || opening.IsOver(ctx) {
			break // it is not the address
		}
	}
	if len(errs) == 1 {
		return nil, errs[0]
	}
	return nil, errors.Join(errs...)
}

// locate is t as the proxy is told it: by name, or by its addresses.
func (w *way) locate(ctx context.Context, t target, v socks) ([]target, error) {
	if v.network() == "tcp4" && t.network == "tcp6" {
		e := w.fail(ctx, OpConnect, t, fmt.Errorf("SOCKS4 has no IPv6 addresses: %w", errors.ErrUnsupported))
		e.cure = "set proxy.type to socks5"
		return nil, e
	}
	switch {
	case t.isName() && (w.p.Type == hawser.ProxySOCKS4A || w.p.Type == hawser.ProxySOCKS5H):
		return []target{t}, nil
	case t.isName():
		network := t.network
		if v.network() != "tcp" {
			network = v.network()
		}
		found, err := t.resolve(ctx, network)
		if err != nil {
			e := w.fail(ctx, OpResolve, t, err)
			e.target = !opening.IsOver(ctx)
			return nil, e
		}
		return found, nil
	case v.network() == "tcp4" && !t.ip.Is4():
		e := w.fail(ctx, OpConnect, t, fmt.Errorf("SOCKS4 has no IPv6 addresses: %w", errors.ErrUnsupported))
		e.cure = "set proxy.type to socks5"
		return nil, e
	}
	return []target{t}, nil
}

func (w *way) connectSOCKSTo(ctx context.Context, t target, v socks) (net.Conn, error) {
	raw, _, err := w.ask(ctx, t, v, commandConnect)
	if err != nil {
		return nil, err
	}
	bind := func(ctx context.Context) (hawser.Binding, error) { return w.bind(ctx, t, v) }
	return bindable{conn: &conn{Conn: raw, remote: t.remote()}, bind: bind}, nil
}

// ask connects to the proxy and has it do cmd.
func (w *way) ask(ctx context.Context, t target, v socks, cmd command) (net.Conn, bound, error) {
	raw, err := w.open(ctx, t)
	if err != nil {
		return nil, bound{}, err
	}
	var b bound
	err = converse(ctx, raw, func() error {
		var err error
		b, err = v.request(w, raw, cmd, t)
		return err
	})
	if err != nil {
		return nil, bound{}, w.refine(ctx, cmd.op(), t, err)
	}
	return raw, b, nil
}

// refine makes an *Error of err, which is of a conversation, unless it is one.
func (w *way) refine(ctx context.Context, op string, t target, err error) error {
	if e := (*Error)(nil); errors.As(err, &e) && !opening.IsOver(ctx) {
		return e
	}
	return w.fail(ctx, op, t, hungUp(err))
}

// hungUp is err of an answer that did not come.
func hungUp(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it hung up instead of an answer: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// stranger is the error of an answer that is none of the protocol. first is how it
// begins.
func (w *way) stranger(op string, t target, first byte) *Error {
	e := &Error{Proxy: w.String(), Target: t.addr, Op: op, Reason: fmt.Sprintf("it does not speak %s: its answer begins with the byte 0x%02x", w.p.Type, first)}
	switch first {
	case 0:
		e.cure = "it may be a SOCKS4 proxy: set proxy.type to socks4 or socks4a"
	case 5:
		e.cure = "it may be a SOCKS5 proxy: set proxy.type to socks5 or socks5h"
	case 'H':
		e.cure = "it may be an HTTP proxy: set proxy.type to http"
	case 0x15:
		e.cure = "it may speak TLS: set proxy.type to https"
	case 'S', '2':
		e.cure = "it may be a server and no proxy"
	}
	return e
}

// read reads exactly len(b) bytes.
func read(conn net.Conn, b []byte) error {
	_, err := io.ReadFull(conn, b)
	return err
}

// port16 is a port in network order.
func port16(b []byte) uint16 { return uint16(b[0])<<8 | uint16(b[1]) }

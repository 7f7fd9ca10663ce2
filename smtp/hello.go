package smtp

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/wire"
)

// hello says who we are and learns what the server offers (RFC 5321, section
// 4.1.1.1). A server that knows no EHLO is greeted as of old, and offers nothing.
func (p *dial) hello() error {
	if p.name == "" {
		p.name = p.helloName()
	}
	r, err := exchange(p.Wire, "EHLO "+p.name)
	if err != nil {
		return err
	}
	if r.Code == 250 {
		p.features, p.old = parseFeatures(r), nil
		return nil
	}
	p.features, p.old = features{}, refusal("EHLO", r)
	if r.Class() != 5 {
		return p.old
	}
	old, err := exchange(p.Wire, "HELO "+p.name)
	switch {
	case err != nil:
		return err
	case old.Code != 250:
		err := fmt.Errorf("the server does not take the name %q; set smtp.hello to another: %w", p.name, p.old)
		return opening.WithHint(err, p.helloHint(old))
	}
	return nil
}

// helloHint is what to do about a server that refuses EHLO, and HELO by r.
func (p *dial) helloHint(r wire.Reply) string {
	if isUnknown(p.old.Code) && isUnknown(r.Code) {
		return "the server knows neither EHLO nor HELO, so it is none of mail: check protocol and port"
	}
	return "set smtp.hello to a name that the server takes, such as the one that DNS has for the address of this machine"
}

// isUnknown reports whether code is of a server that does not know a command; those
// of FTP say 530 before a login.
func isUnknown(code int) bool { return code == 500 || code == 502 || code == 530 }

// oldHello is for what the server does not offer because it was greeted as of old.
func (p *dial) oldHello() string {
	if p.old == nil {
		return ""
	}
	return fmt.Sprintf(" (it has refused %v)", p.old)
}

// helloName is what c says, or the name of this machine if it is a full one, or
// else its address on this connection, as RFC 5321, section 4.1.4, wants it.
func (p *dial) helloName() string {
	if p.c.SMTP.Hello != "" {
		return p.c.SMTP.Hello
	}
	if name, err := os.Hostname(); err == nil && isDomain(name) {
		return name
	}
	return addressLiteral(p.Wire.NetConn().LocalAddr())
}

// isDomain reports whether name is a domain of several labels.
func isDomain(name string) bool {
	labels := strings.Split(name, ".")
	return len(labels) > 1 && !slices.ContainsFunc(labels, func(label string) bool {
		return label == "" || label[0] == '-' || strings.ContainsFunc(label, func(r rune) bool {
			return !(r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
		})
	})
}

// addressLiteral is addr as RFC 5321, section 4.1.3, writes it.
func addressLiteral(addr net.Addr) string {
	const unknown = "[127.0.0.1]" // a tunnel may have no address of this machine
	if addr == nil {
		return unknown
	}
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return unknown
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return "[" + ip.String() + "]"
	}
	return "[IPv6:" + ip.String() + "]"
}

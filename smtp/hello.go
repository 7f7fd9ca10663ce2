package smtp

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wire"
)

// hello says who we are and learns what the server offers (RFC 5321, section
// 4.1.1.1). A server that knows no EHLO is greeted as of old, and offers nothing.
func (p *dial) hello() error {
	if p.name == "" {
		p.name = p.helloName()
	}
	r, err := exchange(p.Wire, "EHLO "+p.name, "", "")
	if err != nil {
		return err
	}
	if r.Code == 250 {
		p.features = parseFeatures(r)
		return nil
	}
	p.features = features{}
	if r.Class() != 5 {
		return refusal("EHLO", r)
	}
	old, err := exchange(p.Wire, "HELO "+p.name, "", "")
	switch {
	case err != nil:
		return err
	case old.Code != 250:
		return fmt.Errorf("the server does not take the name %q; set smtp.hello to another: %w", p.name, refusal("EHLO", r))
	}
	return nil
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

// features are what a server offers, by keyword in upper case, with the
// parameters (RFC 5321, section 4.1.1.1).
type features map[string]string

// parseFeatures reads the reply to EHLO, whose first line names the server.
func parseFeatures(r wire.Reply) features {
	f := features{}
	for _, text := range r.Texts()[1:] {
		keyword, parameters, _ := strings.Cut(strings.TrimSpace(text), " ")
		keyword = strings.ToUpper(keyword)
		if mechanisms, ok := strings.CutPrefix(keyword, "AUTH="); ok { // of before RFC 2554
			keyword, parameters = "AUTH", mechanisms+" "+parameters
		}
		if keyword == "AUTH" {
			parameters = strings.ToUpper(strings.TrimSpace(f["AUTH"] + " " + parameters))
		}
		if keyword != "" {
			f[keyword] = strings.TrimSpace(parameters)
		}
	}
	return f
}

func (f features) has(keyword string) bool {
	_, ok := f[keyword]
	return ok
}

// mechanisms are those of SASL that the server offers.
func (f features) mechanisms() []string { return strings.Fields(f["AUTH"]) }

// maxSize is the largest message that the server takes, in bytes; 0 if it does not
// say (RFC 1870, section 4).
func (f features) maxSize() int64 {
	n, err := strconv.ParseInt(f["SIZE"], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// describe names the offers that matter, for a report.
func (f features) describe() string {
	var has []string
	for _, keyword := range []string{"PIPELINING", "CHUNKING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN"} {
		if f.has(keyword) {
			has = append(has, strings.TrimSpace(keyword+" "+hawser.Printable(f[keyword])))
		}
	}
	if len(has) == 0 {
		return "no extensions"
	}
	return strings.Join(has, ", ")
}

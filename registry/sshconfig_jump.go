package registry

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/hawser/hawser"
)

// A sshJump is one hop of a ProxyJump.
type sshJump struct {
	text string // as it is written
	user string // "": as the file says for host
	host string
	port uint16 // 0: likewise
}

// jump returns the Via that the ProxyJump of h asks for. The first hop goes its
// own way, as ssh to it would; each next one goes through the one before, which
// ssh -J tells it whatever the file says.
func (s *sshImport) jump(h *sshHost, settings *sshSettings) (via string, err error) {
	o, set := settings.first["proxyjump"]
	if !set || isNone(o) {
		return "", nil
	}
	hops, err := parseJumps(o.rest, h)
	if err != nil {
		return "", err
	}
	for i, hop := range hops {
		texts := make([]string, i+1)
		for j := range texts {
			texts[j] = hops[j].text
		}
		if via, err = s.hop(hop, o.line, strings.Join(texts, ","), via); err != nil {
			return "", fmt.Errorf("jump host %s: %w", brief(hop.text), err)
		}
	}
	return via, nil
}

// hop returns the name of a connection to hop through before, "" for its own
// way: that of its Host line if that is the same, else one called name.
func (s *sshImport) hop(hop sshJump, line int, name, before string) (string, error) {
	if alias := s.hosts[hop.host]; alias != nil && !alias.made {
		if err := s.buildAlias(alias); err != nil {
			return "", err
		}
		same := (hop.user == "" || hop.user == alias.Auth.User) && (hop.port == 0 || hop.port == alias.port())
		if same && (before == "" || before == alias.Via) {
			alias.hop = true
			return alias.Name, nil
		}
	}
	return s.makeHop(hop, line, name, before)
}

func (h *sshHost) port() uint16 {
	if h.Port == 0 {
		return 22
	}
	return h.Port
}

// makeHop builds a connection that has no Host line of its own.
func (s *sshImport) makeHop(hop sshJump, line int, name, before string) (string, error) {
	h := s.hosts[name]
	if h != nil && !h.made {
		return "", errors.New("its name is taken by a Host of the file")
	}
	if h == nil {
		h = &sshHost{line: line, hop: true, made: true}
		h.Name, h.Protocol = name, hawser.SSH
		h.Auth.User, h.Port = hop.user, hop.port
		s.hosts[name] = h
		s.order = append(s.order, h)
	}
	switch h.state {
	case sshBuilt:
		return h.Name, nil
	case sshBuilding:
		return "", errors.New("leads in a circle")
	case sshRefused:
		return "", errors.New("is left out itself")
	}
	settings := s.settings(hop.host, name)
	own := func() (string, error) { return s.jump(h, settings) }
	if before != "" {
		own = func() (string, error) { return before, nil }
	}
	return h.Name, s.build(h, hop.host, settings, own)
}

// parseJumps splits a ProxyJump: hops [user@]host[:port] or ssh URLs, with commas
// between them. Its tokens are those of the host that it leads to.
func parseJumps(text string, h *sshHost) ([]sshJump, error) {
	text, _, _ = strings.Cut(text, "#")
	text, err := expandTokens(strings.TrimSpace(text), map[byte]string{
		'h': h.Host, 'n': h.Name, 'r': h.Auth.User, 'p': strconv.Itoa(int(h.port())),
	})
	if err != nil {
		return nil, err
	}
	parts := strings.SplitN(text, ",", maxSSHHops+1)
	if len(parts) > maxSSHHops {
		return nil, fmt.Errorf("has more than %d jump hosts", maxSSHHops)
	}
	hops := make([]sshJump, len(parts))
	for i, part := range parts {
		if hops[i], err = parseJump(part); err != nil {
			return nil, err
		}
	}
	return hops, nil
}

func parseJump(text string) (sshJump, error) {
	wrong := errors.New("wants jump hosts as [user@]host[:port], with commas between them")
	hop := sshJump{text: text}
	address := text
	if strings.HasPrefix(strings.ToLower(text), "ssh://") {
		u, err := url.Parse(text)
		if err != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
			return hop, wrong
		}
		hop.user, address = u.User.Username(), u.Host
	} else if at := strings.LastIndexByte(text, '@'); at >= 0 {
		hop.user, address = text[:at], text[at+1:]
		if hop.user == "" {
			return hop, wrong
		}
	}
	colon := strings.LastIndexByte(address, ':')
	if colon >= 0 && !strings.HasSuffix(address, "]") {
		port, err := parsePort(address[colon+1:])
		if err != nil {
			return hop, wrong
		}
		hop.port, address = port, address[:colon]
	}
	bracketed := strings.HasPrefix(address, "[") && strings.HasSuffix(address, "]")
	if bracketed {
		address = address[1 : len(address)-1]
	}
	hop.host = address
	if address == "" || strings.ContainsAny(address, " \t\"'[]@/") || !bracketed && strings.Contains(address, ":") {
		return hop, wrong
	}
	return hop, nil
}

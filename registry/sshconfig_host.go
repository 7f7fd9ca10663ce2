package registry

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// sshSettings are the options that count for one host, by key in lower case.
type sshSettings struct {
	first      map[string]sshOption
	identities []sshOption // IdentityFile, in order
	wrong      sshOption   // the first that cannot be read
}

func (s *sshImport) importAll() {
	for _, h := range s.order[:len(s.order):len(s.order)] { // hops are added behind
		if s.steps < 0 {
			return
		}
		s.buildAlias(h)
	}
}

// buildAlias builds the connection of a name of a Host line.
func (s *sshImport) buildAlias(h *sshHost) error {
	switch h.state {
	case sshBuilt:
		return nil
	case sshBuilding:
		return errors.New("leads in a circle")
	case sshRefused:
		return errors.New("is left out itself")
	}
	settings := s.settings(h.Name, h.Name)
	return s.build(h, h.Name, settings, func() (string, error) { return s.jump(h, settings) })
}

// build fills h in from settings and goes through what jump says. It refuses h
// if it would be wrong. Its error does not say why: of a chain of hosts each would
// repeat those of all behind it.
func (s *sshImport) build(h *sshHost, alias string, settings *sshSettings, jump func() (string, error)) error {
	h.state = sshBuilding
	if h.Protocol == "" {
		h.Protocol = s.options.Protocol
	}
	culprit, err := s.fill(h, alias, settings)
	if err == nil {
		culprit = settings.first["proxyjump"]
		h.Via, err = jump()
	}
	if err == nil {
		culprit = sshOption{}
		err = oneLine(h.Validate())
	}
	if err == nil {
		h.state = sshBuilt
		return nil
	}
	h.state = sshRefused
	line := h.line
	if culprit.line > 0 {
		line = culprit.line
	}
	s.refuse(&SSHConfigProblem{Line: line, Host: h.Name, Option: culprit.name, Problem: err.Error()})
	return errors.New("is left out itself")
}

// settings collects what the blocks say of the host called alias, for the
// connection called name.
func (s *sshImport) settings(alias, name string) *sshSettings {
	settings := &sshSettings{first: map[string]sshOption{}}
	for _, i := range s.candidates(alias) {
		if s.steps < 0 {
			break
		}
		if !s.matches(&s.blocks[i], alias) {
			continue
		}
		for _, o := range s.blocks[i].options {
			s.steps -= 20 + len(o.rest)/8 // it takes as long, and may be copied
			s.apply(settings, name, o)
		}
	}
	return settings
}

// apply keeps the first value of an option. ProxyJump and ProxyCommand exclude
// each other; a ProxyJump of none leaves it open.
func (s *sshImport) apply(settings *sshSettings, name string, o sshOption) {
	if o.wrong != nil {
		if settings.wrong.wrong == nil {
			settings.wrong = o
		}
		return
	}
	jump, jumps := settings.first["proxyjump"]
	_, commands := settings.first["proxycommand"]
	switch o.key {
	case "proxyjump":
		if commands {
			return
		}
	case "proxycommand":
		if jumps && !isNone(jump) {
			return
		}
	case "identityfile":
		settings.identities = append(settings.identities, o)
		return
	case "serveralivecountmax":
		if len(o.values) == 1 && o.values[0] == "3" {
			return // as hawser does it
		}
		s.warn(name, o, "hawser ends a connection after 3 misses")
		return
	case "hostname", "user", "port", "certificatefile", "connecttimeout", "serveraliveinterval", "identitiesonly", "identityagent", "canonicalizehostname":
	default:
		s.warn(name, o, "has no field in a connection, and is left out")
		return
	}
	if before, seen := settings.first[o.key]; !seen {
		settings.first[o.key] = o
	} else if o.key == "certificatefile" {
		s.warn(name, o, fmt.Sprintf("a connection has one; the first counts, that of line %d", before.line))
	}
}

func isNone(o sshOption) bool {
	text, _, _ := strings.Cut(o.rest, "#")
	return strings.EqualFold(strings.TrimSpace(text), "none")
}

// value returns the one value of the option called key; ok is false if it is not
// set.
func (t *sshSettings) value(key string) (value string, o sshOption, ok bool, err error) {
	o, ok = t.first[key]
	if !ok {
		return "", o, false, nil
	}
	value, err = o.value()
	return value, o, true, err
}

func (o sshOption) value() (string, error) {
	if len(o.values) != 1 || o.values[0] == "" {
		return "", errors.New("wants one value")
	}
	return o.values[0], nil
}

// fill sets all of h but for Via. Beside an error it returns the option that it
// is of.
func (s *sshImport) fill(h *sshHost, alias string, settings *sshSettings) (sshOption, error) {
	if o := settings.wrong; o.wrong != nil {
		return o, o.wrong
	}
	if o, set := settings.first["proxycommand"]; set && !isNone(o) {
		return o, errors.New("hawser runs no command to connect; use ProxyJump, or a proxy of the connection")
	}
	if o, set := settings.first["canonicalizehostname"]; set && (len(o.values) != 1 || !strings.EqualFold(o.values[0], "no")) {
		return o, errors.New("the host that it leads to is not known; write it as HostName")
	}
	tokens := &sshTokens{options: s.options, alias: alias}
	for _, step := range []func(*sshHost, *sshTokens, *sshSettings) (sshOption, error){fillServer, fillTimes, s.fillAuth} {
		if o, err := step(h, tokens, settings); err != nil {
			return o, err
		}
	}
	return sshOption{}, nil
}

func fillServer(h *sshHost, tokens *sshTokens, settings *sshSettings) (sshOption, error) {
	name, o, set, err := settings.value("hostname")
	if !set {
		name = "%h"
		if strings.Contains(tokens.alias, ",") {
			err = errors.New("commas do not separate names; OpenSSH wants blanks")
		}
	}
	if err == nil {
		name, err = expandTokens(name, map[byte]string{'h': tokens.alias})
	}
	if err != nil {
		return o, err
	}
	h.Host = strings.ToLower(name) // as OpenSSH knows hosts
	port, o, set, err := settings.value("port")
	if set && err == nil && h.Port == 0 {
		h.Port, err = parsePort(port)
	}
	if err != nil {
		return o, err
	}
	login, o, set, err := settings.value("user")
	if set && h.Auth.User == "" {
		h.Auth.User = login
		if strings.ContainsAny(login, "%$") {
			err = errors.New("versions of OpenSSH disagree on what % and $ mean here")
		}
	}
	if err == nil && h.Auth.User == "" {
		h.Auth.User, err = tokens.local()
	}
	tokens.host, tokens.user, tokens.port = h.Host, h.Auth.User, h.Port
	return o, err
}

func fillTimes(h *sshHost, _ *sshTokens, settings *sshSettings) (sshOption, error) {
	text, o, set, err := settings.value("connecttimeout")
	if set && err == nil && text != "none" {
		h.Timeout, err = parseSSHTime(text)
	}
	if err != nil {
		return o, err
	}
	text, o, set, err = settings.value("serveraliveinterval")
	if set && err == nil {
		h.SSH.KeepAlive, err = parseSSHTime(text)
		if h.SSH.KeepAlive == 0 {
			h.SSH.KeepAlive = -time.Second // said not to, which differs from not said
		}
	}
	return o, err
}

// fillAuth chooses among agent and key files; see [ParseSSHConfig].
func (s *sshImport) fillAuth(h *sshHost, tokens *sshTokens, settings *sshSettings) (sshOption, error) {
	if o, err := s.fillKey(h, tokens, settings); err != nil {
		return o, err
	}
	certificate, o, set, err := settings.value("certificatefile")
	if set && err == nil && certificate != "none" {
		h.Auth.Key.Certificate, err = tokens.path(certificate)
	}
	if err != nil {
		return o, err
	}
	agent, agentOption, agentSet, err := settings.value("identityagent")
	if err != nil {
		return agentOption, err
	}
	only, o, _, err := settings.value("identitiesonly")
	if err != nil {
		return o, err
	}
	switch strings.ToLower(only) {
	case "", "no", "false":
		h.Auth.Agent = agent != "none"
	case "yes", "true":
	default:
		return o, errors.New("wants yes or no")
	}
	if h.Auth.Agent && agentSet && agent != "SSH_AUTH_SOCK" {
		s.warn(h.Name, agentOption, "hawser asks the agent of SSH_AUTH_SOCK alone")
	}
	if !h.Auth.Agent && h.Auth.Key.File == "" {
		return o, errors.New("without the agent there is no login, for no IdentityFile is named; hawser tries no others")
	}
	return sshOption{}, nil
}

func (s *sshImport) fillKey(h *sshHost, tokens *sshTokens, settings *sshSettings) (sshOption, error) {
	first := 0
	for _, o := range settings.identities {
		value, err := o.value()
		switch {
		case err != nil:
			return o, err
		case value == "none":
			continue
		case first > 0:
			s.warn(h.Name, o, fmt.Sprintf("a connection has one key; the first counts, that of line %d", first))
			continue
		}
		first = o.line
		if h.Auth.Key.File, err = tokens.path(value); err != nil {
			return o, err
		}
	}
	return sshOption{}, nil
}

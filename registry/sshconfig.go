package registry

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hawser/hawser"
)

const (
	maxSSHConfig = 1 << 20
	// maxSSHSteps bounds the work that patterns such as *a*a*a can cause: a file
	// of thousands of hosts needs a tenth of it.
	maxSSHSteps = 10_000_000
	maxSSHHops  = 16
)

// SSHConfigOptions says how [ParseSSHConfig] reads. The zero value works.
type SSHConfigOptions struct {
	// Protocol is that of the connections, hawser.SSH or hawser.SFTP. A host that
	// others jump through is of protocol ssh always, as hops have to be. "": ssh.
	Protocol hawser.Protocol
	// User is what %u means, and the login name of a host that names none. "":
	// the user of this process.
	User string
	// Home is what ~ and %d mean. "": that of the user of this process.
	Home string
}

// An SSHConfigProblem is what [ParseSSHConfig] cannot take over. It is an error,
// or a warning where the connection works without.
type SSHConfigProblem struct {
	Line    int    // in the file, from 1
	Host    string // the connection, or the first of those it is about; "": all
	Option  string // as it is written in the file
	Problem string
}

// Error returns "line 3: host web: ProxyCommand: " and the problem.
func (p *SSHConfigProblem) Error() string {
	text := fmt.Sprintf("line %d: ", p.Line)
	if p.Host != "" {
		text += "host " + brief(p.Host) + ": "
	}
	if p.Option != "" {
		text += brief(p.Option) + ": "
	}
	return hawser.Printable(text + p.Problem)
}

// brief bounds what a hostile file puts into an error, which it may do for each
// of thousands of hosts.
func brief(text string) string {
	const enough = 100
	if len(text) > enough {
		return text[:enough] + "..."
	}
	return text
}

// ParseSSHConfig reads a file of the OpenSSH client, as ~/.ssh/config is
// (ssh_config(5)), and returns a connection for each name of its Host lines that
// has no wildcard, in the order of the file; then those of jump hosts that have no
// Host line of their own. The connection is called as the host is. Host lines
// with wildcards and Match all apply, and as in OpenSSH the first value counts.
// The file may have a megabyte.
//
//   - HostName (with %h and %%), Port and User are the server and login.
//   - IdentityFile and CertificateFile (with ~, %d, %h, %n, %p, %r, %u and %%) are
//     auth.key. A connection has one key: the first counts, and each other is a
//     warning.
//   - auth.agent is set, for OpenSSH asks a running agent, unless IdentityAgent is
//     none or IdentitiesOnly is yes. The key files that OpenSSH tries where none is
//     named are not tried: such a host has no login without the agent.
//   - ProxyJump becomes via. A jump host that the file knows keeps its connection;
//     one with another user or port, or behind other hops, gets a connection of its
//     own, called as it is written: "joe@gate:2222", or "gate,inner" for the
//     second of two.
//   - ConnectTimeout is timeout; ServerAliveInterval is ssh.keepalive, 0 never.
//
// The error joins a *[SSHConfigProblem] for each thing that would make a
// connection another than OpenSSH's: a Match of more than all, an Include (the
// file is read by itself, and opens no other), a ProxyCommand. What a problem of a
// Host is about is left out; the connections beside the error are right but for
// problems without a Host, which may be about them all. The warnings are about options
// that hawser has no field for, each told once, at the first host that it applies to.
func ParseSSHConfig(r io.Reader, o SSHConfigOptions) (conns []hawser.Connection, warnings []*SSHConfigProblem, err error) {
	o.Protocol = cmp.Or(o.Protocol, hawser.SSH)
	if o.Protocol != hawser.SSH && o.Protocol != hawser.SFTP {
		return nil, nil, &hawser.FieldError{Field: "protocol", Problem: fmt.Sprintf("%q is not one of ssh and sftp", o.Protocol)}
	}
	text, err := readBounded(r, maxSSHConfig)
	if err != nil {
		return nil, nil, err
	}
	s := &sshImport{options: o, steps: maxSSHSteps, hosts: map[string]*sshHost{}, warned: map[int]bool{}}
	s.parse(text)
	s.index()
	s.importAll()
	if s.steps < 0 {
		return nil, nil, errors.New("file has too many hosts and wildcards")
	}
	conns = s.connections()
	byLine := func(a, b *SSHConfigProblem) int { return cmp.Compare(a.Line, b.Line) }
	slices.SortStableFunc(s.problems, byLine)
	slices.SortStableFunc(s.warnings, byLine)
	errs := make([]error, len(s.problems))
	for i, p := range s.problems {
		errs[i] = p
	}
	return conns, s.warnings, errors.Join(errs...)
}

// An sshImport is one run of [ParseSSHConfig].
type sshImport struct {
	options  SSHConfigOptions
	blocks   []sshBlock
	wild     []int            // indexes of the blocks with wildcards
	named    map[string][]int // those of the others, by name
	steps    int              // of pattern matching that are left
	order    []*sshHost
	hosts    map[string]*sshHost // by name of connection
	problems []*SSHConfigProblem
	warnings []*SSHConfigProblem
	warned   map[int]bool // lines
}

// An sshHost is a connection that is being built.
type sshHost struct {
	hawser.Connection
	line  int // of its Host, or of the ProxyJump that needs it
	state sshState
	hop   bool // others jump through it
	made  bool // for a jump: it has no Host line
}

type sshState int

const (
	sshUnseen sshState = iota
	sshBuilding
	sshBuilt
	sshRefused
)

// connections returns what was built. A hop is of protocol ssh.
func (s *sshImport) connections() []hawser.Connection {
	var conns []hawser.Connection
	for _, h := range s.order {
		if h.state != sshBuilt {
			continue
		}
		if h.hop && h.Protocol != hawser.SSH {
			h.Protocol = hawser.SSH
			s.warnings = append(s.warnings, &SSHConfigProblem{Line: h.line, Host: h.Name, Option: "Host", Problem: "is a jump host of others, so its protocol is ssh"})
		}
		conns = append(conns, h.Connection)
	}
	return conns
}

func (s *sshImport) refuse(p *SSHConfigProblem) { s.problems = append(s.problems, p) }

// warn tells of an option once, however many hosts it applies to.
func (s *sshImport) warn(host string, o sshOption, problem string) {
	if !s.warned[o.line] {
		s.warned[o.line] = true
		s.warnings = append(s.warnings, &SSHConfigProblem{Line: o.line, Host: host, Option: o.name, Problem: problem})
	}
}

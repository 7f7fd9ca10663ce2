package registry

import (
	"errors"
	"slices"
	"strings"
)

// An sshBlock is a Host or Match line and the options below it. What stands
// before the first is a block of Host *.
type sshBlock struct {
	patterns []sshPattern
	line     int
	options  []sshOption
	unknown  bool // whom it is for is not known, so it is for nobody
}

// An sshPattern is a name of a Host line.
type sshPattern struct {
	text    string // behind a "!"
	negated bool
	wild    bool // has * or ?
}

// An sshOption is one line: a keyword and its values.
type sshOption struct {
	name   string   // as it is written
	key    string   // in lower case
	values []string // without quotes
	rest   string   // the text behind the keyword, for options that take it as it is
	line   int
	wrong  error // why it cannot be split into values, or nil
}

// parse splits text into blocks. Hosts get their place in the order of the file.
// It is ours because github.com/kevinburke/ssh_config (1.6) reads other things
// than OpenSSH without a word: its ? also matches nothing, names of a Host line are
// not split at tabs nor freed of quotes, a # inside a value ends it, single quotes
// and escapes stay; and it opens the files of Include while it parses.
func (s *sshImport) parse(text []byte) {
	s.blocks = []sshBlock{{patterns: sshPatterns("*")}}
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		number++
		o := parseSSHLine(line)
		o.line = number
		switch o.key {
		case "":
		case "host":
			s.addHosts(o)
		case "match":
			s.addMatch(o)
		case "include":
			s.refuse(&SSHConfigProblem{Line: number, Option: o.name, Problem: "is not followed, so what that file says is missing here; put it in this place"})
		default:
			last := &s.blocks[len(s.blocks)-1]
			last.options = append(last.options, o)
		}
	}
}

func (s *sshImport) addHosts(o sshOption) {
	s.blocks = append(s.blocks, sshBlock{patterns: sshPatterns(o.values...), line: o.line})
	if o.wrong == nil && len(o.values) == 0 {
		o.wrong = errors.New("has no value")
	}
	if o.wrong != nil {
		s.refuse(&SSHConfigProblem{Line: o.line, Option: o.name, Problem: o.wrong.Error()})
	}
	for _, name := range o.values {
		if name == "" || strings.ContainsAny(name, "*?") || name[0] == '!' || s.hosts[name] != nil {
			continue
		}
		s.hosts[name] = &sshHost{line: o.line}
		s.hosts[name].Name = name
		s.order = append(s.order, s.hosts[name])
	}
}

// addMatch takes Match all. Other criteria depend on who connects, and on what
// commands say.
func (s *sshImport) addMatch(o sshOption) {
	b := sshBlock{patterns: sshPatterns("*"), line: o.line}
	if len(o.values) != 1 || !strings.EqualFold(o.values[0], "all") {
		b.unknown = true
		s.refuse(&SSHConfigProblem{Line: o.line, Option: o.name, Problem: "only Match all is understood; the options below it are left out"})
	}
	s.blocks = append(s.blocks, b)
}

func sshPatterns(texts ...string) []sshPattern {
	patterns := make([]sshPattern, len(texts))
	for i, text := range texts {
		p := &patterns[i]
		p.text, p.negated = strings.CutPrefix(text, "!")
		p.wild = strings.ContainsAny(p.text, "*?")
	}
	return patterns
}

// parseSSHLine splits a line into its keyword, which an = may follow, and its
// values. The keyword of an empty line or a comment is "".
func parseSSHLine(line string) sshOption {
	line = strings.Trim(line, " \t\r\n\f")
	if line == "" || line[0] == '#' {
		return sshOption{}
	}
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		end = len(line)
	}
	o := sshOption{name: line[:end], key: strings.ToLower(line[:end])}
	o.rest = strings.TrimLeft(line[end:], " \t")
	o.rest = strings.TrimLeft(strings.TrimPrefix(o.rest, "="), " \t")
	if strings.ContainsRune(line, 0) {
		o.wrong = errors.New("line holds NUL")
	} else if !o.takesRest() {
		o.values, o.wrong = splitSSHValues(o.rest)
	}
	return o
}

// takesRest reports whether quotes and spaces mean nothing in the value.
func (o sshOption) takesRest() bool { return o.key == "proxyjump" || o.key == "proxycommand" }

// splitSSHValues splits at blanks outside of quotes, single or double. A value
// that begins with # is a comment. A backslash stands before a quote, a
// backslash or, outside of quotes, a space; before anything else it is itself.
func splitSSHValues(text string) ([]string, error) {
	var values []string
	for {
		text = strings.TrimLeft(text, " \t")
		if text == "" || text[0] == '#' {
			return values, nil
		}
		value, rest, err := cutSSHValue(text)
		if err != nil {
			return nil, err
		}
		values, text = append(values, value), rest
	}
}

func cutSSHValue(text string) (value, rest string, err error) {
	var b strings.Builder
	var quote byte // 0: outside of quotes
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text) && (strings.IndexByte(`"'\`, text[i+1]) >= 0 || quote == 0 && text[i+1] == ' '):
			i++
			b.WriteByte(text[i])
		case quote == 0 && (c == ' ' || c == '\t'):
			return b.String(), text[i:], nil
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", "", errors.New("a quote is not closed")
	}
	return b.String(), "", nil
}

// index notes which blocks name a host without a wildcard, so that a file of
// thousands of hosts is not searched once for each.
func (s *sshImport) index() {
	s.named = map[string][]int{}
	for i, b := range s.blocks {
		wild := false
		for _, p := range b.patterns {
			if wild = wild || p.wild; !p.wild && !p.negated {
				s.named[p.text] = append(s.named[p.text], i)
			}
		}
		if wild {
			s.wild = append(s.wild, i)
		}
	}
}

// candidates returns the indexes of the blocks that may be for host, in the order
// of the file.
func (s *sshImport) candidates(host string) []int {
	found := slices.Concat(s.wild, s.named[host])
	s.steps -= len(found)
	slices.Sort(found)
	return slices.Compact(found)
}

// matches reports whether the block is for host: one of its patterns matches,
// and none of those that begin with "!".
func (s *sshImport) matches(b *sshBlock, host string) bool {
	found := false
	for _, p := range b.patterns {
		s.steps--
		if p.wild && !s.match(p.text, host) || !p.wild && p.text != host {
			continue
		}
		if p.negated {
			return false
		}
		found = true
	}
	return found && !b.unknown
}

// match matches * with any text and ? with one byte, as OpenSSH does: with their
// case. It goes back to the last * alone, so it takes len(pattern) times
// len(host) steps at most, and no more than are left.
func (s *sshImport) match(pattern, host string) bool {
	p, h, star, after := 0, 0, -1, 0
	for h < len(host) && s.steps >= 0 {
		s.steps--
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, after = p, h
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == host[h]):
			p, h = p+1, h+1
		case star >= 0:
			after++
			p, h = star+1, after
		default:
			return false
		}
	}
	return h == len(host) && strings.Trim(pattern[p:], "*") == ""
}

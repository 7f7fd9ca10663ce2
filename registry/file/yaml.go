package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hawser/hawser"
)

// readYAML reads one document. The node is nil if there is none. Whatever is wrong
// in a text that is YAML at all is told to p.
//
// It reads by go.yaml.in/yaml and not by goccy/go-yaml, which took 2.2 s in place of
// 0.12 s for 20,000 connections, has no limit of nesting, refuses a byte order mark,
// and quotes lines of the file, secrets too, in its errors.
func readYAML(data []byte, p *problems) *node {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	err := d.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		p.syntax(err)
		return nil
	}
	var second yaml.Node
	if err := d.Decode(&second); err == nil {
		p.add(place{line: second.Line, column: second.Column}, "a second document begins; put all connections into one")
	} else if !errors.Is(err, io.EOF) {
		p.syntax(err)
	}
	root := yamlNode(document.Content[0], p)
	if root.kind == other && root.text == "null" {
		return nil
	}
	return root
}

// syntax takes the line out of an error of package yaml, whose text may quote
// what stands there: `password: *hunter2` is an unknown anchor to it.
func (p *problems) syntax(err error) {
	at, problem := place{}, "not valid YAML"
	if m := yamlError.FindStringSubmatch(err.Error()); m != nil {
		at.line, _ = strconv.Atoi(m[1])
		problem += ": " + m[2]
	}
	p.add(at, "%s", problem)
}

// yamlError matches the errors that quote nothing but punctuation.
var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?((?:[^'"]|'[^'\w]{1,3}')*)$`)

func yamlNode(y *yaml.Node, p *problems) *node {
	n := &node{at: place{line: y.Line, column: y.Column}, comment: y.LineComment, block: y.Style&yaml.FlowStyle == 0}
	switch {
	case y.Kind == yaml.AliasNode:
		p.add(n.at, "an alias of YAML; write the value out, or put it in quotes if it is text")
	case y.Anchor != "":
		p.add(n.at, "an anchor of YAML; leave it out, or put the value in quotes if it is text")
	case y.Style&yaml.TaggedStyle != 0:
		p.add(n.at, "a tag of YAML; leave it out, or put the value in quotes if it is text")
	}
	switch y.Kind {
	case yaml.MappingNode:
		n.kind = object
		yamlMembers(n, y, p)
	case yaml.SequenceNode:
		n.kind = list
		for _, item := range y.Content {
			n.items = append(n.items, yamlNode(item, p))
		}
	case yaml.ScalarNode:
		yamlScalar(n, y, p)
	default: // of an alias, which was told
		n.kind = text
	}
	return n
}

func yamlMembers(n *node, y *yaml.Node, p *problems) {
	lines := map[string]int{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, at := y.Content[i], place{line: y.Content[i].Line, column: y.Content[i].Column}
		switch {
		case key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Style&yaml.TaggedStyle != 0:
			p.add(at, "want a name here, and nothing else of YAML")
			continue
		case key.Value == "<<" && plain(key):
			p.add(at, "a merge of YAML; write the values out")
			continue
		case lines[key.Value] != 0:
			p.add(at, "%q is given twice; first in line %d", hawser.Printable(key.Value), lines[key.Value])
			continue
		}
		lines[key.Value] = key.Line
		n.members = append(n.members, member{key: key.Value, at: at, value: yamlNode(y.Content[i+1], p)})
	}
}

func plain(y *yaml.Node) bool {
	return y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
}

func yamlScalar(n *node, y *yaml.Node, p *problems) {
	n.kind, n.text = text, y.Value
	if !plain(y) {
		return
	}
	switch meaning(y.Value) {
	case isNull:
		n.kind, n.text = other, "null"
	case isBool:
		n.kind, n.text = other, strings.ToLower(y.Value)
	case isNumber:
		n.kind = other
		if !json.Valid([]byte(y.Value)) {
			p.add(n.at, "a number that is not decimal, or has a sign or zeros before it; write it in quotes if it is text")
			n.text = "0"
		}
	}
}

type meant int

const (
	isText meant = iota
	isNull
	isBool
	isNumber
)

// meaning says what a plain scalar is by the core schema of YAML 1.2, section
// 10.3.2, so that "no" is a text.
func meaning(s string) meant {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return isNull
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return isBool
	}
	if yamlNumber.MatchString(s) {
		return isNumber
	}
	return isText
}

var yamlNumber = regexp.MustCompile(`^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN)$`)

// problems collects what is wrong with a file, each with its place.
type problems struct {
	path string
	all  []error
}

func (p *problems) add(at place, format string, args ...any) {
	p.wrap(at, "", &hawser.FieldError{Problem: fmt.Sprintf(format, args...)})
}

// wrap adds err, which is of the connection called name, if that is not "".
func (p *problems) wrap(at place, name string, err error) {
	where := p.path
	if at.line > 0 {
		where += ":" + strconv.Itoa(at.line)
	}
	if at.line > 0 && at.column > 0 {
		where += ":" + strconv.Itoa(at.column)
	}
	if name != "" {
		where += fmt.Sprintf(": connection %q", hawser.Printable(name))
	}
	p.all = append(p.all, fmt.Errorf("%s: %w", where, err))
}

func (p *problems) err() error { return errors.Join(p.all...) }

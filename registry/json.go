package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/hawser/hawser"
)

// ReadJSON reads a JSON array of connections in their stored form, as [WriteJSON]
// writes it. It is strict: a field that is unknown, given twice or of the wrong
// kind is an error, as is a name that is missing or given twice. The file may have
// 16 MiB. The error joins the problems of all connections, each with its
// connection's name; there are no connections beside it. They are not validated,
// so that secrets can be filled in; a Put does that.
func ReadJSON(r io.Reader) ([]hawser.Connection, error) {
	text, err := readBounded(r, maxImport)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	var items []json.RawMessage
	if err := json.Unmarshal(text, &items); err != nil {
		return nil, jsonProblem(text, err)
	}
	if items == nil {
		return nil, errors.New("want a JSON array of connections, not null")
	}
	var conns []hawser.Connection
	var problems []error
	seen := map[string]bool{}
	for i, item := range items {
		var c hawser.Connection
		err := c.UnmarshalJSON(item)
		switch {
		case err != nil:
		case c.Name == "":
			err = &hawser.FieldError{Field: "name", Problem: "is empty"}
		case seen[c.Name]:
			err = errors.New("is there twice")
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", labelOf(i, item), err))
			continue
		}
		seen[c.Name] = true
		conns = append(conns, c)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return conns, nil
}

// jsonProblem says where text is not JSON. It does not quote it.
func jsonProblem(text []byte, err error) error {
	syntax := new(json.SyntaxError)
	if !errors.As(err, &syntax) {
		return errors.New("want a JSON array of connections")
	}
	before := text[:min(max(int(syntax.Offset)-1, 0), len(text))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("line %d, column %d: not JSON", line, column)
}

// labelOf names the connection item, which cannot be read as a whole.
func labelOf(i int, item json.RawMessage) string {
	var named struct {
		Name string `json:"name"`
	}
	if _ = json.Unmarshal(item, &named); named.Name != "" {
		return fmt.Sprintf("%q", named.Name)
	}
	return fmt.Sprintf("connection %d", i+1)
}

// WriteJSON writes conns, which may be a Registry's All, as a JSON array of
// connections in their stored form. References of secrets are kept, literal
// secrets are left out and returned. An error of conns or of w ends it, and what
// was written is no whole array then.
func WriteJSON(w io.Writer, conns iter.Seq2[hawser.Connection, error]) ([]Missing, error) {
	var missing []Missing
	before := "[\n"
	for c, err := range conns {
		if err != nil {
			return missing, err
		}
		plain, left := withoutLiterals(c)
		text, err := json.MarshalIndent(plain, "  ", "  ")
		if err != nil {
			return missing, err
		}
		if _, err := io.WriteString(w, before+"  "+string(text)); err != nil {
			return missing, err
		}
		missing = append(missing, left...)
		before = ",\n"
	}
	end := "\n]\n"
	if before == "[\n" {
		end = "[]\n"
	}
	_, err := io.WriteString(w, end)
	return missing, err
}

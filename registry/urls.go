package registry

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/hawser/hawser"
)

// ReadURLs reads one connection a line, as a URL that hawser.ParseURL reads and
// with its name as a parameter:
//
//	sftp://joe@sftp.example.com?auth.agent=true&name=bank
//
// Empty lines and lines that begin with # are passed over. The file may have 16
// MiB. The error joins the problems of all lines, each with its number and
// without the line, which may hold a password; there are no connections beside
// it. Connections are in the order of the file and not validated, so that secrets
// can be filled in; a Put does that.
func ReadURLs(r io.Reader) ([]hawser.Connection, error) {
	text, err := readBounded(r, maxImport)
	if err != nil {
		return nil, err
	}
	var conns []hawser.Connection
	var problems []error
	lines := map[string]int{} // by name
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		c, err := readURL(line)
		if err == nil && lines[c.Name] != 0 {
			err = fmt.Errorf("%q is on line %d, too", c.Name, lines[c.Name])
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("line %d: %w", number, err))
			continue
		}
		lines[c.Name] = number
		conns = append(conns, c)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return conns, nil
}

func readURL(line string) (hawser.Connection, error) {
	if len(line) > maxURL {
		return hawser.Connection{}, errors.New("is longer than 1 MiB")
	}
	c, err := hawser.ParseURL(line)
	if err == nil && c.Name == "" {
		err = &hawser.FieldError{Field: "name", Problem: "is empty; add ?name= to the URL"}
	}
	return c, err
}

// WriteURLs writes each connection of conns, which may be a Registry's All, as
// [ReadURLs] reads it. It returns the literal secrets that it left out. A
// connection that no URL can hold, such as one whose protocol is no scheme of
// URLs, is not written and part of the error, but the others are; an error of
// conns or of w ends it.
func WriteURLs(w io.Writer, conns iter.Seq2[hawser.Connection, error]) ([]Missing, error) {
	b := bufio.NewWriter(w)
	var missing []Missing
	var problems []error
	for c, err := range conns {
		if err != nil {
			return missing, errors.Join(append(problems, b.Flush(), err)...)
		}
		plain, left := withoutLiterals(c)
		line, err := urlOf(plain)
		if err != nil {
			problems = append(problems, fmt.Errorf("%q: %w", c.Name, err))
			continue
		}
		if _, err := b.WriteString(line + "\n"); err != nil {
			return missing, errors.Join(append(problems, err)...)
		}
		missing = append(missing, left...)
	}
	return missing, errors.Join(append(problems, b.Flush())...)
}

// urlOf makes sure that the URL is read as c again.
func urlOf(c hawser.Connection) (string, error) {
	line := c.URL()
	read, err := readURL(line)
	if err != nil {
		return "", err
	}
	before, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	after, err := json.Marshal(read)
	if err != nil {
		return "", err
	}
	if string(before) != string(after) || strings.ContainsAny(line, "\r\n") || strings.TrimSpace(line) != line {
		return "", errors.New("no URL holds all of it; export it as JSON")
	}
	return line, nil
}

package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/hawser/hawser"
)

// environmentPrefix is what the names of variables that hold connections begin
// with.
const environmentPrefix = "HAWSER_CONN_"

// Environ is a Registry of connections that were read from the environment of a
// process. It never changes, and its Watch has nothing to tell. It is safe for
// concurrent use, and its zero value is empty.
type Environ struct{ conns map[string]hawser.Connection }

var _ interface {
	hawser.Registry
	hawser.Watcher
	hawser.Versioner
} = (*Environ)(nil)

// Environment returns the connections of environ, which is as os.Environ gives
// it: each variable HAWSER_CONN_NAME holds one as a URL that hawser.ParseURL
// reads.
//
//	HAWSER_CONN_BANK_EU=sftp://joe@sftp.example.com?auth.password.ref=env:BANK_PASSWORD
//
// The connection is called as the variable is behind the prefix, in lower case,
// because variables are in upper case by custom and connections are not:
// "bank_eu" here. A parameter ?name=Bank%20EU gives another name. Two variables
// that give one name are refused. A password in the URL stays in memory, where
// it is a literal secret; it is visible to whoever sees the environment, so a
// reference such as auth.password.ref=file:/run/secrets/bank is better.
//
// The error joins the problems of all variables, each with its variable's name
// and without its value, and there is no Environ beside it.
func Environment(environ []string) (*Environ, error) {
	e := &Environ{conns: map[string]hawser.Connection{}}
	variables := map[string]string{} // by name of connection
	var problems []error
	for _, entry := range environ {
		variable, value, _ := strings.Cut(entry, "=")
		suffix, ok := cutVariable(variable)
		if !ok {
			continue
		}
		c, err := variableConnection(suffix, value)
		if err == nil && variables[c.Name] != "" {
			err = fmt.Errorf("%q is the name that %s gives, too; give one of them ?name=", c.Name, variables[c.Name])
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", hawser.Printable(variable), err))
			continue
		}
		variables[c.Name] = variable
		e.conns[c.Name] = c
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return e, nil
}

// cutVariable returns what stands behind the prefix. On Windows the case of a
// variable's name does not count.
func cutVariable(variable string) (suffix string, ok bool) {
	n := len(environmentPrefix)
	if runtime.GOOS == "windows" && len(variable) >= n && strings.EqualFold(variable[:n], environmentPrefix) {
		return variable[n:], true
	}
	return strings.CutPrefix(variable, environmentPrefix)
}

func variableConnection(suffix, value string) (hawser.Connection, error) {
	c, err := hawser.ParseURL(value)
	if err != nil {
		return c, err
	}
	if c.Name == "" {
		c.Name = strings.ToLower(suffix)
	}
	if c.Name == "" {
		return c, errors.New("names no connection; write HAWSER_CONN_NAME=, or ?name= in the URL")
	}
	c.Revision = "1"
	return c, oneLine(c.Validate())
}

// oneLine joins the problems of one connection by "; ".
func oneLine(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	return &lineError{errs: joined.Unwrap()}
}

type lineError struct{ errs []error }

func (e *lineError) Error() string {
	texts := make([]string, len(e.errs))
	for i, err := range e.errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (e *lineError) Unwrap() []error { return e.errs }

// Lookup returns a copy of the connection called name.
func (e *Environ) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	if err := ctx.Err(); err != nil {
		return hawser.Connection{}, err
	}
	c, ok := e.conns[name]
	if !ok {
		return hawser.Connection{}, fmt.Errorf("%w: %q in the environment", hawser.ErrNotFound, name)
	}
	return c.Clone(), nil
}

// All yields a copy of each connection.
func (e *Environ) All(ctx context.Context) iter.Seq2[hawser.Connection, error] {
	return func(yield func(hawser.Connection, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(e.conns)) {
			if ctx.Err() != nil {
				break
			}
			if !yield(e.conns[name].Clone(), nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(hawser.Connection{}, err)
		}
	}
}

// Watch stands until ctx ends and tells nothing.
func (e *Environ) Watch(ctx context.Context) (changes, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return func(yield func(hawser.Change, error) bool) {
		<-ctx.Done()
		yield(hawser.Change{}, ctx.Err())
	}, nil
}

// Version is always 0: an Environ never changes.
func (e *Environ) Version() uint64 { return 0 }

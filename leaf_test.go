package hawser_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A leaf is a stored field of a Connection, found by its json tags alone, so
// that the tests do not trust the walk of the code that they test, and so that
// a new field is covered the day it is added.
type leaf struct {
	name  string // "tls.min_version"
	index []int
	kind  reflect.Type
}

func leaves() []leaf { return leavesOf("", nil, reflect.TypeFor[hawser.Connection]()) }

func leavesOf(prefix string, index []int, group reflect.Type) []leaf {
	var found []leaf
	for i := range group.NumField() {
		f := group.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		at := append(append([]int{}, index...), i)
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[hawser.Secret]() {
			found = append(found, leavesOf(prefix+name+".", at, f.Type)...)
			continue
		}
		found = append(found, leaf{prefix + name, at, f.Type})
	}
	return found
}

// in returns the leaf's value in c.
func (l leaf) in(c *hawser.Connection) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(l.index)
}

// fill sets the leaf in c to a value that is not zero; a secret to a reference.
func (l leaf) fill(c *hawser.Connection) {
	v := l.in(c)
	switch v.Interface().(type) {
	case time.Duration:
		v.SetInt(int64(90*time.Second + time.Millisecond))
		return
	case hawser.Secret:
		v.Set(reflect.ValueOf(hawser.SecretRef("env:" + l.name)))
		return
	case map[string]string:
		v.Set(reflect.ValueOf(map[string]string{"ours.a": "1 & 2", "ours.b": "ü?=#%"}))
		return
	case map[string]hawser.Secret:
		v.Set(reflect.ValueOf(map[string]hawser.Secret{"ours.key": hawser.SecretRef("env:A"), "ours.c.ref": hawser.SecretRef("file:/b c")}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("Some-" + strings.ReplaceAll(l.name, ".", "-"))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint16:
		v.SetUint(4711)
	case reflect.Int:
		v.SetInt(math.MaxInt)
	case reflect.Slice:
		item := reflect.ValueOf("item & one").Convert(v.Type().Elem())
		v.Set(reflect.Append(reflect.Append(v, item), reflect.Zero(v.Type().Elem())))
	default:
		panic(fmt.Sprintf("%s: teach leaf.fill the type %v, and JSON, URL and Clone", l.name, v.Type()))
	}
}

// full returns a Connection with every stored field set, secrets as references.
func full() hawser.Connection {
	var c hawser.Connection
	for _, l := range leaves() {
		l.fill(&c)
	}
	return c
}

// requireSame compares every stored field; secrets by Equal.
func requireSame(t testing.TB, want, got hawser.Connection) {
	t.Helper()
	for _, l := range leaves() {
		w, g := l.in(&want).Interface(), l.in(&got).Interface()
		switch w := w.(type) {
		case hawser.Secret:
			require.True(t, w.Equal(g.(hawser.Secret)), "%s: got %v, want %v", l.name, g, w)
		case map[string]hawser.Secret:
			g := g.(map[string]hawser.Secret)
			require.Len(t, g, len(w), l.name)
			for key := range w {
				require.True(t, w[key].Equal(g[key]), "%s.%s: got %v, want %v", l.name, key, g[key], w[key])
			}
		default:
			require.Equal(t, w, g, l.name)
		}
	}
}

// valid returns the shortest Connection of protocol that Validate accepts.
func valid(protocol hawser.Protocol) hawser.Connection {
	c := hawser.Connection{Name: "bank", Protocol: protocol, Host: "bank.example.com"}
	switch protocol {
	case hawser.FTP:
		c.Auth = hawser.Auth{User: "jobs", Password: hawser.NewSecret("literal")}
	case hawser.SSH, hawser.SFTP:
		c.Auth = hawser.Auth{User: "jobs", Agent: true}
	}
	return c
}

// fieldErrors are the problems that err joins.
func fieldErrors(t testing.TB, err error) []*hawser.FieldError {
	t.Helper()
	if err == nil {
		return nil
	}
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	var found []*hawser.FieldError
	for _, e := range list {
		require.ErrorIs(t, e, hawser.ErrInvalid)
		fe, ok := e.(*hawser.FieldError)
		require.True(t, ok, "%T is not a *FieldError: %v", e, e)
		found = append(found, fe)
	}
	return found
}

// requireFieldError requires that err is one FieldError of field whose text
// holds every one of words.
func requireFieldError(t testing.TB, err error, field string, words ...string) {
	t.Helper()
	require.Error(t, err)
	found := fieldErrors(t, err)
	require.Len(t, found, 1, "problems: %v", err)
	require.Equal(t, field, found[0].Field, "error: %v", err)
	for _, word := range words {
		assert.Contains(t, found[0].Problem, word)
	}
}

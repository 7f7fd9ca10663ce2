package registry_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// conn is a valid connection.
func conn(name, host string) hawser.Connection {
	return hawser.Connection{
		Name: name, Protocol: hawser.SFTP, Host: host,
		Auth: hawser.Auth{User: "joe", Password: hawser.SecretRef("env:PASSWORD")},
	}
}

func viaConn(name, host, via string) hawser.Connection {
	c := conn(name, host)
	c.Via = via
	return c
}

func namesOf(t *testing.T, reg hawser.Registry) []string {
	t.Helper()
	var names []string
	for c, err := range reg.All(t.Context()) {
		require.NoError(t, err)
		names = append(names, c.Name)
	}
	return names
}

// failing is a Registry that is down.
type failing struct{ err error }

func (f failing) Lookup(context.Context, string) (hawser.Connection, error) {
	return hawser.Connection{}, f.err
}

func (f failing) All(context.Context) iter.Seq2[hawser.Connection, error] {
	return func(yield func(hawser.Connection, error) bool) { yield(hawser.Connection{}, f.err) }
}

func (f failing) Put(context.Context, hawser.Connection) (hawser.Connection, error) {
	return hawser.Connection{}, f.err
}
func (f failing) Delete(context.Context, string, string) error { return f.err }

func (f failing) Watch(context.Context) (iter.Seq2[hawser.Change, error], error) {
	return func(yield func(hawser.Change, error) bool) { yield(hawser.Change{}, f.err) }, nil
}

func down() failing { return failing{errors.New("server is down")} }

// bare is a Registry without any other ability.
func bare(conns ...hawser.Connection) hawser.Registry {
	return struct{ hawser.Registry }{hawser.NewMemory(conns...)}
}

func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

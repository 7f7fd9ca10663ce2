package postgres

import (
	"context"
	"fmt"
	"net/url"
	osexec "os/exec"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/leak"
	"github.com/hawser/hawser/internal/testserver"
)

func TestDumpHoldsNoSecret(t *testing.T) {
	t.Parallel()
	s := testserver.PostgreSQL(t, testserver.PostgreSQLConfig{Lines: []string{"log_statement = 'all'"}})
	r := open(t, s.DSN(), Options{Key: newKey(t)})
	secrets := []string{"correct horse battery staple", "another secret, of the past", "and one that was deleted"}
	for _, secret := range secrets {
		c := sample("bank")
		c.Auth = hawser.Auth{User: "dumped user", Password: hawser.NewSecret(secret)}
		c.Revision = hawser.AnyRevision
		put(t, r, c)
	}
	require.NoError(t, r.Delete(t.Context(), "bank", hawser.AnyRevision))
	dump, err := osexec.CommandContext(t.Context(), filepath.Join(s.Bin, "pg_dump"), "--dbname", s.DSN()).Output()
	require.NoError(t, err)
	for what, text := range map[string]string{"the dump": string(dump), "the log of the server": s.Log()} {
		require.Contains(t, text, "dumped user", what)
		for _, secret := range append(secrets, s.Password) {
			for _, form := range leak.Forms(secret) {
				assert.NotContains(t, text, form, what)
			}
		}
	}
}

func TestErrorsDoNotShowThePassword(t *testing.T) {
	t.Parallel()
	const password = "hunter2hunter2"
	t.Run("of a DSN that cannot be read", func(t *testing.T) {
		t.Parallel()
		for _, dsn := range []string{
			"postgres://u:" + password + "@h:port/db", "postgres://u:" + password + "/x@h/db", "postgres://u:%zz" + password + "@h/db",
			"postgres://u:" + password + " x@h/db", "u:" + password + "@h", "host=h password='" + password, "host=h user=u " + password,
			"postgres://u:" + password + "@h:99999/db", "postgres://u:" + password + "@h/db?sslmode=none", "postgres:// :" + password + "\x7f@",
			"postgres://u:x@h/db?password=" + password + "&connect_timeout=x", "host=h password=" + password + " sslrootcert=/no/such/file sslmode=verify-full",
		} {
			_, err := Open(t.Context(), dsn, Options{})
			require.Error(t, err, dsn)
			assert.NotContains(t, err.Error(), password)
			assert.NotContains(t, fmt.Sprintf("%+v %#v", err, err), password)
		}
	})
	t.Run("of a file that is not there, which is named", func(t *testing.T) {
		t.Parallel()
		_, err := Open(t.Context(), "host=h sslrootcert=/no/such/file sslmode=verify-full", Options{})
		assert.ErrorContains(t, err, "/no/such/file")
	})
	t.Run("of a server", func(t *testing.T) {
		t.Parallel()
		s := testserver.PostgreSQL(t, testserver.PostgreSQLConfig{})
		u, err := url.Parse(s.DSN())
		require.NoError(t, err)
		u.User = url.UserPassword(s.User, password)
		_, err = Open(t.Context(), u.String(), Options{})
		require.ErrorContains(t, err, "password authentication failed")
		assert.NotContains(t, fmt.Sprintf("%+v %#v", err, err), password)
		u.Host = "127.0.0.1:1"
		_, err = Open(t.Context(), u.String(), Options{})
		require.Error(t, err)
		assert.NotContains(t, err.Error(), password)
	})
	t.Run("and neither does a print of the registry", func(t *testing.T) {
		t.Parallel()
		s := testserver.PostgreSQL(t, testserver.PostgreSQLConfig{})
		r := open(t, s.DSN(), Options{Prefix: "some_"})
		assert.Equal(t, "registry in the postgresql tables some_*", fmt.Sprintf("%+v", r))
		assert.NotContains(t, fmt.Sprintf("%#v", r), s.Password)
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := testserver.PostgreSQL(t, testserver.PostgreSQLConfig{TLS: true})
	r, other := open(t, s.DSN(), Options{Poll: never}), open(t, s.DSN(), Options{Poll: never})
	watch, err := r.Watch(bounded(t))
	require.NoError(t, err)
	putHost(t, other, "bank", "one.example")
	await(t, watch, "bank")
	for parameter, value := range map[string]string{"sslmode": "disable", "sslrootcert": "system"} {
		u, err := url.Parse(s.DSN())
		require.NoError(t, err)
		query := u.Query()
		query.Set(parameter, value)
		u.RawQuery = query.Encode()
		_, err = Open(t.Context(), u.String(), Options{})
		assert.Error(t, err, u.RawQuery)
	}
}

func TestARoleThatMayOnlyRead(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dsn := s.schema(t)
	owner := open(t, dsn, Options{})
	putHost(t, owner, "bank", "one.example")
	exec(t, dsn, "CREATE ROLE reader LOGIN PASSWORD 'reads'", "GRANT USAGE ON SCHEMA test1 TO reader", "GRANT SELECT ON ALL TABLES IN SCHEMA test1 TO reader")
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	u.User = url.UserPassword("reader", "reads")
	reader := open(t, u.String(), Options{Poll: never})
	watch, err := reader.Watch(bounded(t))
	require.NoError(t, err)
	putHost(t, owner, "bank", "two.example")
	await(t, watch, "bank")
	c, err := reader.Lookup(t.Context(), "bank")
	require.NoError(t, err)
	assert.Equal(t, "two.example", c.Host)
	_, err = reader.Put(t.Context(), c)
	assert.ErrorContains(t, err, `put "bank": ERROR: permission denied for table hawser_meta`)
	assert.ErrorContains(t, reader.Delete(t.Context(), "bank", c.Revision), "permission denied")
}

func TestOpenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := testserver.PostgreSQL(t, testserver.PostgreSQLConfig{})
	relay, err := testserver.StartRelay(s.Addr(), testserver.RelayConfig{})
	require.NoError(t, err)
	defer func() { require.NoError(t, relay.Close()) }()
	relay.Freeze()
	config, err := pgx.ParseConfig(s.DSN())
	require.NoError(t, err)
	config.Port = relay.Port()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = OpenConfig(ctx, config, Options{})
	assert.ErrorIs(t, err, context.Canceled)
	config.ConnectTimeout = 1 // a nanosecond
	_, err = OpenConfig(t.Context(), config, Options{})
	assert.Error(t, err)
}

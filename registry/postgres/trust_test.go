package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheDefaultIsToTrustNobody(t *testing.T) {
	t.Setenv("PGSSLMODE", "")
	for _, dsn := range []string{
		"postgres://u:p@db.example/hawser", "postgresql://u:p@db.example:5433/hawser?search_path=x", "host=db.example user=u password=p",
		"postgres://u:p@127.0.0.1,db.example/hawser", "postgres://u@192.0.2.1",
	} {
		config, err := parse(dsn)
		require.NoError(t, err, dsn)
		require.NoError(t, check(config, Options{}), dsn)
		for _, w := range ways(config) {
			require.NotNil(t, w.tls, dsn)
			assert.Equal(t, w.host, w.tls.ServerName, dsn)
			assert.False(t, w.tls.InsecureSkipVerify, dsn)
		}
	}
}

func TestNoPasswordInTheClear(t *testing.T) {
	t.Setenv("PGSSLMODE", "")
	remote := "postgres://u:hunter2@db.example/hawser"
	for _, mode := range []string{"", "disable", "allow", "prefer"} {
		dsn := remote
		if mode != "" {
			dsn += "?sslmode=" + mode
			_, err := Open(t.Context(), dsn, Options{})
			require.ErrorContains(t, err, "could go to \"db.example\" in the clear; use sslmode=verify-full, or set InsecureLogin", mode)
		}
		config, err := pgx.ParseConfig(dsn)
		require.NoError(t, err)
		_, err = OpenConfig(t.Context(), config, Options{})
		require.ErrorContains(t, err, "in the clear", mode)
		assert.NotContains(t, err.Error(), "hunter2")
		assert.NoError(t, check(config, Options{InsecureLogin: true}))
		config.Password = ""
		assert.NoError(t, check(config, Options{}))
	}
	for _, dsn := range []string{
		remote + "?sslmode=require", "postgres://u:p@localhost/x", "postgres://u:p@[::1]/x?sslmode=disable", "host=/run/postgresql user=u password=p",
	} {
		config, err := parse(dsn)
		require.NoError(t, err)
		assert.NoError(t, check(config, Options{}), dsn)
	}
	t.Setenv("PGSSLMODE", "prefer")
	_, err := Open(t.Context(), remote, Options{})
	assert.ErrorContains(t, err, "in the clear")
}

// A sink takes what a failed assertion prints.
type sink struct{ strings.Builder }

func (s *sink) Errorf(format string, args ...any) { fmt.Fprintf(s, format, args...) }

func TestAFailedAssertionDoesNotShowThePassword(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r := open(t, s.schema(t), Options{})
	require.NoError(t, r.Close()) // a print reads what locks guard
	var out sink
	assert.Equal(&out, r, (*Registry)(nil))
	assert.Equal(&out, r.Registry, nil)
	assert.Equal(&out, r.listener, nil)
	require.NotZero(t, out.Len())
	assert.False(t, strings.Contains(out.String(), s.Password))
}

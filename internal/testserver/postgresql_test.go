package testserver

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// psql runs one statement as the server's user.
func psql(t *testing.T, dsn, statement string) (string, error) {
	t.Helper()
	program, ok := find("psql")
	if !ok {
		Unavailable(t, "postgresql", "psql is not installed")
	}
	out, err := exec.CommandContext(t.Context(), program, "-X", "-A", "-t", "-d", dsn, "-c", statement).CombinedOutput()
	return string(out), err
}

func requireAnswer(t *testing.T, s *PostgreSQLServer, statement, want string) {
	t.Helper()
	out, err := psql(t, s.DSN(), statement)
	require.NoError(t, err, out)
	require.Equal(t, want, out)
}

func TestPostgreSQLKeepsItsDataOverARestart(t *testing.T) {
	t.Parallel()
	s := PostgreSQL(t, PostgreSQLConfig{})
	requireAnswer(t, s, "CREATE TABLE kept AS SELECT 42 AS n", "SELECT 1\n")
	addr := s.Addr()
	s.Stop()
	out, err := psql(t, s.DSN(), "SELECT n FROM kept")
	require.Error(t, err, out)
	s.Start(t)
	require.Equal(t, addr, s.Addr())
	requireAnswer(t, s, "SELECT n FROM kept", "42\n")
}

func TestPostgreSQLStopsThoughAClientIsThere(t *testing.T) {
	t.Parallel()
	s := PostgreSQL(t, PostgreSQLConfig{})
	done := make(chan error, 1)
	go func() {
		_, err := psql(t, s.DSN(), "SELECT pg_sleep(600)")
		done <- err
	}()
	const sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
	require.Eventually(t, func() bool {
		out, err := psql(t, s.DSN(), sleeping)
		return err == nil && out == "1\n"
	}, patience, poll)
	s.Stop()
	require.Error(t, <-done)
}

func TestPostgreSQLWantsThePassword(t *testing.T) {
	t.Parallel()
	s := PostgreSQL(t, PostgreSQLConfig{})
	right := s.Password
	s.Password = "guess"
	out, err := psql(t, s.DSN(), "SELECT 1")
	require.Error(t, err)
	require.NotContains(t, out, right)
	require.FileExists(t, filepath.Join(s.Bin, "pg_dump"))
}

func TestPostgreSQLSpeaksTLS(t *testing.T) {
	t.Parallel()
	s := PostgreSQL(t, PostgreSQLConfig{TLS: true, Lines: []string{"work_mem = 1234kB"}})
	requireAnswer(t, s, "SHOW work_mem", "1234kB\n")
	requireAnswer(t, s, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "t\n")
	s.CAFile = "" // which asks for no TLS
	_, err := psql(t, s.DSN(), "SELECT 1")
	require.Error(t, err)
}

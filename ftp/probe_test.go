package ftp_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// tried is what a Probe went through: "mode data: ok" or "mode data: phase".
func tried(t *testing.T, c hawser.Connection) []string {
	t.Helper()
	var lines []string
	for found, report := range (ftp.Dialer{}).Probe(t.Context(), c) {
		line := string(found.TLS.Mode) + " " + string(found.FTP.Mode)
		if found.TLS.MaxVersion != "" {
			line += " " + found.TLS.MaxVersion
		}
		if report.Err == nil {
			line += ": ok"
			require.NoError(t, found.Validate())
			s := open(t, found)
			upload(t, s, "probed", []byte("x"))
		} else {
			line += ": no"
		}
		require.NotEmpty(t, report.Steps)
		lines = append(lines, line)
		t.Log(line, report.Err)
	}
	return lines
}

func TestProbe(t *testing.T) {
	t.Parallel()
	server := func(t *testing.T, cfg testserver.FTPServerConfig) hawser.Connection {
		c := to(testserver.VSFTPD(t, cfg))
		c.TLS.Mode = ""
		c.Timeout = 4 * time.Second // how long a greeting is waited for where none comes
		return c
	}
	t.Run("a server with explicit TLS", func(t *testing.T) {
		t.Parallel()
		assert.Equal(t, []string{"explicit passive: ok", "explicit active: ok", "implicit passive: no"},
			tried(t, server(t, testserver.FTPServerConfig{TLS: testserver.FTPExplicit}))[:3])
	})
	t.Run("a server with implicit TLS", func(t *testing.T) {
		t.Parallel()
		lines := tried(t, server(t, testserver.FTPServerConfig{TLS: testserver.FTPImplicit}))
		assert.Contains(t, lines, "implicit passive: ok")
		assert.Contains(t, lines, "implicit active: ok")
		assert.NotContains(t, lines, "none passive: no", "the password is not shown for nothing")
	})
	t.Run("a server without TLS", func(t *testing.T) {
		t.Parallel()
		c := server(t, testserver.FTPServerConfig{})
		lines := tried(t, c)
		assert.Equal(t, []string{"none passive: ok", "none active: ok"}, lines[len(lines)-2:])
	})
	t.Run("nothing is tried with less protection than asked for", func(t *testing.T) {
		t.Parallel()
		c := server(t, testserver.FTPServerConfig{})
		c.TLS.Mode = hawser.TLSExplicit
		for _, line := range tried(t, c) {
			assert.NotContains(t, line, "none")
			assert.NotContains(t, line, "ok")
		}
	})
	t.Run("a login that is refused ends the search", func(t *testing.T) {
		t.Parallel()
		c := server(t, testserver.FTPServerConfig{TLS: testserver.FTPExplicit})
		c.Auth.Password = hawser.NewSecret("wrong password")
		assert.Len(t, tried(t, c), 1)
	})
}

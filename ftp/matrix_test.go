package ftp_test

import (
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

// realServers are the servers that people run.
func realServers() map[string]func(testing.TB, testserver.FTPServerConfig) *testserver.FTPServer {
	return map[string]func(testing.TB, testserver.FTPServerConfig) *testserver.FTPServer{
		"vsftpd": testserver.VSFTPD, "ProFTPD": testserver.ProFTPDFTP,
	}
}

// A table collects what rows came to, in their order.
type table struct {
	mu    sync.Mutex
	lines []string
}

func (b *table) add(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, fmt.Sprintf(format, args...))
}

// Every server, with every way to open a data connection, to protect it or not;
// the servers want sessions resumed, as they are shipped.
func TestMatrix(t *testing.T) {
	t.Parallel()
	passed := &table{}
	t.Cleanup(func() {
		for _, line := range passed.lines {
			t.Log(line)
		}
		t.Logf("%d combinations", len(passed.lines))
	})
	for name, serve := range realServers() {
		for _, mode := range []hawser.TLSMode{hawser.TLSNone, hawser.TLSExplicit, hawser.TLSImplicit} {
			versions := []string{"1.2", "1.3"}
			if mode == hawser.TLSNone {
				versions = []string{""}
			}
			for _, version := range versions {
				var cfg testserver.FTPServerConfig
				if mode != hawser.TLSNone {
					cfg.TLS = string(mode)
				}
				t.Run(fmt.Sprintf("%s %s %s", name, mode, version), func(t *testing.T) {
					t.Parallel()
					matrixOf(t, func(deny ...string) hawser.Connection {
						cfg := cfg
						cfg.Deny = deny
						c := to(serve(t, cfg))
						c.TLS.Mode, c.TLS.MinVersion, c.TLS.MaxVersion = mode, version, version
						return c
					}, func(row string) { passed.add("%-8s %-8s %-4s %s: ok", name, mode, version, row) })
				})
			}
		}
	}
}

// matrixOf goes through the rows of one server.
func matrixOf(t *testing.T, serve func(deny ...string) hawser.Connection, passed func(row string)) {
	extended, classic := serve(), serve("EPSV", "EPRT")
	levels := []hawser.Protection{hawser.ProtectPrivate, hawser.ProtectClear}
	if extended.TLS.Mode == hawser.TLSNone {
		levels = levels[:1]
	}
	for _, level := range levels {
		for command, c := range map[string]hawser.Connection{"EPSV": extended, "PASV": classic, "EPRT": extended, "PORT": classic} {
			c.FTP.Mode = hawser.Passive
			if command == "EPRT" || command == "PORT" {
				c.FTP.Mode = hawser.Active
			}
			if c.TLS.Mode != hawser.TLSNone {
				c.TLS.Data = level
			}
			t.Run(fmt.Sprintf("%s %s", command, level), func(t *testing.T) {
				exercise(t, c, command)
				passed(fmt.Sprintf("%s PROT %s", command, level))
			})
		}
	}
}

// exercise is what each combination has to do.
func exercise(t *testing.T, c hawser.Connection, command string) {
	used := false
	ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Sent: func(m hawser.Message) {
		used = used || strings.HasPrefix(m.Text, command)
	}})
	s := open(t, c)
	data := content(5_000_000)
	upload(t, s, "large", data)
	assert.Equal(t, data, download(t, s, "large"), "the same bytes")
	upload(t, s, "empty", nil)
	assert.Empty(t, download(t, s, "empty"))
	assert.ElementsMatch(t, []string{"large", "empty"}, list(t, s, "."))
	_, err := s.Open(ctx, "missing", 0)
	assert.True(t, used, "%s was not used", command)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, s.Ping(ctx))
	require.NoError(t, s.Remove(ctx, "large"))
	require.NoError(t, s.Remove(ctx, "empty"))
}

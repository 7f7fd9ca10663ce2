package proxy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseTarget(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ network, addr, host, remote string }{
		{"tcp", "h.example.com:22", "h.example.com:22", "h.example.com:22"},
		{"tcp6", "h:65535", "h:65535", "h:65535"},
		{"tcp4", "192.0.2.1:1", "192.0.2.1:1", "192.0.2.1:1"},
		{"tcp", "[2001:db8::1]:1", "[2001:db8::1]:1", "[2001:db8::1]:1"},
		{"tcp", "[::ffff:192.0.2.1]:1", "192.0.2.1:1", "192.0.2.1:1"},
		{"tcp", "[fe80::1%eth0]:1", "[fe80::1]:1", "[fe80::1%eth0]:1"},
	} {
		got, err := parseTarget(row.network, row.addr)
		require.NoError(t, err, row.addr)
		assert.Equal(t, row.host, got.requestHost())
		assert.Equal(t, row.remote, got.remote().String())
		assert.Equal(t, "tcp", got.remote().Network())
	}
}

func TestParseTargetRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range [][2]string{
		{"udp", "h:1"},
		{"unix", "/a"},
		{"", "h:1"},
		{"tcp", "h"},
		{"tcp", "h:"},
		{"tcp", "h:0"},
		{"tcp", "h:65536"},
		{"tcp", "h:-1"},
		{"tcp", "h:ftp"},
		{"tcp", ":1"},
		{"tcp", "h\r\nX: y:1"},
		{"tcp", "h\x00:1"},
		{"tcp", "h h:1"},
		{"tcp", "h\x7f:1"},
		{"tcp", "u@h:1"},
		{"tcp", "h/x:1"},
		{"tcp", strings.Repeat("h", 256) + ":1"},
		{"tcp4", "[::1]:1"},
		{"tcp6", "127.0.0.1:1"},
		{"tcp", "::1:1"},
	} {
		_, err := parseTarget(row[0], row[1])
		require.Error(t, err, "%q", row)
		assert.NotContains(t, err.Error(), "\n")
		assert.NotContains(t, err.Error(), "\x00")
	}
}

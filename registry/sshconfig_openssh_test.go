package registry_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestParseSSHConfigAsOpenSSH compares what is read with what ssh -G says.
func TestParseSSHConfigAsOpenSSH(t *testing.T) {
	t.Parallel()
	ssh := testserver.Real(t, "openssh", "ssh")[0]
	for name, config := range map[string]string{
		"plain":              "Host web\n HostName web.example\n Port 2222\n User joe",
		"wildcards":          "Host web1 web22 a.b.c xyz\nHost web?\n User one\nHost web*\n User many\nHost *.*.c\n User dots\nHost x*y*z\n Port 5\nHost *\n User all",
		"negation":           "Host a b c\nHost !b *\n Port 7\nHost c !c\n User x\nHost !a\n User y",
		"first value":        "Port 3\nHost a\n Port 4\n User u\nHost a\n User v\n HostName h\nMatch all\n HostName i",
		"case":               "HOST Web web\n hostname %h.Example\n PORT 9\nhost Web\n uSeR u",
		"= and blanks":       "Host=a\nUser=b\nHost = c\n\tUser\t=\td\n Port  =  \"8\"",
		"double =":           "Host a\n User ==x",
		"quotes":             "Host \"a\" q\"x\"\n User \"j o\"  # trailing\nHost b\n User 'it\"s'\nHost c\n User \"it's\"\nHost d\n User j\\ o\\\"e\\x",
		"comments":           "Host a # b\n User x#y\nHost c#d\n HostName cd\n User z\n#User w\n   # Port 6\n User v",
		"tabs":               "Host\ta\tb\n\tUser\tu\n\tPort\t9",
		"CR LF":              "Host a\r\n User u\r\n Port 5\r\n",
		"tokens":             "Host a\n HostName %h.%%x",
		"IPv6":               "Host a\n HostName ::1\nHost b\n HostName fe80::1",
		"no end of line":     "Host a\nUser u",
		"times":              "Host a\n ConnectTimeout 1h2m3s\n ServerAliveInterval 2M\nHost b\n ConnectTimeout 10\n ServerAliveInterval 1d1",
		"other options":      "Host a\n Compression yes\n ForwardAgent yes\n User u\n SendEnv A B",
		"question marks":     "Host ab abc\nHost a?\n User two\nHost a??\n User three\nHost ?\n User one",
		"stars":              "Host aXbXb ab\nHost a*b\n User x\nHost **a*\n Port 4",
		"an option per Host": "Host a b\n User ab\nHost a\n Port 1\nHost b\n Port 2\nHost a b\n HostName same.example",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "config")
			require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
			conns, _, err := registry.ParseSSHConfig(strings.NewReader(config), registry.SSHConfigOptions{})
			require.NoError(t, err)
			require.NotEmpty(t, conns)
			for _, c := range conns {
				assert.Equal(t, opensshSays(t, ssh, file, c.Name), inWordsOfOpenSSH(t, c), c.Name)
			}
		})
	}
}

// inWordsOfOpenSSH returns the fields of c that are compared.
func inWordsOfOpenSSH(t *testing.T, c hawser.Connection) map[string]string {
	t.Helper()
	_, port, err := net.SplitHostPort(c.Addr())
	require.NoError(t, err)
	says := map[string]string{
		"hostname": c.Host, "port": port, "user": c.Auth.User, "connecttimeout": "none",
		"serveraliveinterval": strconv.Itoa(int(c.SSH.KeepAlive / time.Second)),
	}
	if c.Timeout != 0 {
		says["connecttimeout"] = strconv.Itoa(int(c.Timeout / time.Second))
	}
	return says
}

// opensshSays returns what ssh would do to connect to host, which it does not do
// for -G. It reads file alone.
func opensshSays(t *testing.T, ssh, file, host string) map[string]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), ssh, "-G", "-F", file, host).Output()
	require.NoError(t, err, "ssh -G %s", host)
	says := map[string]string{}
	for line := range strings.Lines(string(out)) {
		switch key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " "); key {
		case "hostname", "port", "user", "connecttimeout", "serveraliveinterval":
			says[key] = value
		}
	}
	return says
}

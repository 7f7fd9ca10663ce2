package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ExampleParseSSHConfig() {
	config := `
Host web
	HostName web.example.com
	ProxyJump gate
	ForwardAgent yes
Host gate
	HostName gate.example.com
	Port 2222
Host *
	User joe
	IdentityFile ~/.ssh/id_ed25519
`
	conns, warnings, err := registry.ParseSSHConfig(strings.NewReader(config), registry.SSHConfigOptions{Home: "/home/joe"})
	for _, c := range conns {
		fmt.Println(c.URL())
	}
	for _, w := range warnings {
		fmt.Println("warning:", w)
	}
	fmt.Println(err)
	// Output:
	// ssh://joe@web.example.com?auth.agent=true&auth.key.file=%2Fhome%2Fjoe%2F.ssh%2Fid_ed25519&name=web&via=gate
	// ssh://joe@gate.example.com:2222?auth.agent=true&auth.key.file=%2Fhome%2Fjoe%2F.ssh%2Fid_ed25519&name=gate
	// warning: line 5: host web: ForwardAgent: has no field in a connection, and is left out
	// <nil>
}

// sshImport is what a test makes of a file: connections by name, in a short form.
func parseSSH(config string) (conns []hawser.Connection, warnings []string, err error) {
	conns, found, err := registry.ParseSSHConfig(strings.NewReader(config), registry.SSHConfigOptions{User: "me", Home: "/home/me"})
	for _, w := range found {
		warnings = append(warnings, w.Error())
	}
	return conns, warnings, err
}

// short returns the URL of c without what every row has.
func short(c hawser.Connection) string {
	text := strings.Replace(c.URL(), "auth.agent=true&", "", 1)
	text = strings.ReplaceAll(text, "%2F", "/")
	return strings.ReplaceAll(text, "%2C", ",")
}

func TestParseSSHConfig(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, config string
		want         []string
	}{
		{"nothing", "", nil},
		{"comments and empty lines", "# a\n\n  # Host x\n", nil},
		{"a host without options", "Host web", []string{"ssh://me@web?name=web"}},
		{"each name of a Host line", "Host a b\n HostName h", []string{"ssh://me@h?name=a", "ssh://me@h?name=b"}},
		{"no connection of a wildcard", "Host *.example web? !web1\n User u", nil},
		{"the options of wildcards", "Host web1 web22\nHost web?\n User u", []string{"ssh://u@web1?name=web1", "ssh://me@web22?name=web22"}},
		{"a negated name", "Host a b\nHost * !b\n User u", []string{"ssh://u@a?name=a", "ssh://me@b?name=b"}},
		{"names by their case", "Host Web\n User u\nHost web", []string{"ssh://u@web?name=Web", "ssh://me@web?name=web"}},
		{"the first value", "Host a\n Port 1\n Port 2\nHost *\n Port 3", []string{"ssh://me@a:1?name=a"}},
		{"one connection of a name given twice", "Host a\n Port 1\nHost a\n User u", []string{"ssh://u@a:1?name=a"}},
		{"what stands before the first Host", "User u\nHost a", []string{"ssh://u@a?name=a"}},
		{"Match all", "Host a\nMatch ALL\n User u", []string{"ssh://u@a?name=a"}},
		{"keywords in any case, = and blanks", "hOST=a\n\tport  =  1\n\tUSER\t=u", []string{"ssh://u@a:1?name=a"}},
		{"quotes, escapes and comments", `Host "a" b\ c # d` + "\n HostName h\n User 'x' # y\n", []string{"ssh://x@h?name=a", "ssh://x@h?name=b+c"}},
		{"a # inside a word", "Host a\n User x#y", []string{"ssh://x%23y@a?name=a"}},
		{"CR LF and a byte order mark", "\ufeffHost a\r\n User u\r\n", []string{"ssh://u@a?name=a"}},
		{"tokens of HostName", "Host a\n HostName %h.%%.Example", []string{"ssh://me@a.%25.example?name=a"}},
		{"tokens of IdentityFile", "Host a\n HostName h\n Port 7\n User u\n IdentityFile %d/%h/%n/%p/%r/%u/%%", []string{"ssh://u@h:7?auth.key.file=/home/me/h/a/7/u/me/%25&name=a"}},
		{"the default port as a token", "Host a\n IdentityFile %p", []string{"ssh://me@a?auth.key.file=22&name=a"}},
		{"~ in files", "Host a\n IdentityFile \"~/my key\"\n CertificateFile ~/c", []string{"ssh://me@a?auth.key.certificate=/home/me/c&auth.key.file=/home/me/my+key&name=a"}},
		{"an IdentityFile of none", "Host a\n IdentityFile none\n IdentityFile k", []string{"ssh://me@a?auth.key.file=k&name=a"}},
		{"ConnectTimeout", "Host a b c\n ConnectTimeout 1m30\nHost a", []string{"ssh://me@a?name=a&timeout=1m30s", "ssh://me@b?name=b&timeout=1m30s", "ssh://me@c?name=c&timeout=1m30s"}},
		{"a ConnectTimeout of none", "Host a\n ConnectTimeout none", []string{"ssh://me@a?name=a"}},
		{"ServerAliveInterval", "Host a\n ServerAliveInterval 1h\n ServerAliveCountMax 3\nHost b\n ServerAliveInterval 0", []string{"ssh://me@a?name=a&ssh.keepalive=1h0m0s", "ssh://me@b?name=b&ssh.keepalive=-1s"}},
		{"a jump host of the file", "Host a\n ProxyJump g\nHost g\n User u", []string{"ssh://me@a?name=a&via=g", "ssh://u@g?name=g"}},
		{"a jump host with the user and port of the file", "Host a\n ProxyJump u@g:22\nHost g\n User u", []string{"ssh://me@a?name=a&via=g", "ssh://u@g?name=g"}},
		{"a jump host with another user", "Host a\n ProxyJump v@g:7\nHost g\n User u\n HostName h\n Port 9", []string{"ssh://me@a?name=a&via=v%40g%3A7", "ssh://u@h:9?name=g", "ssh://v@h:7?name=v%40g%3A7"}},
		{"a jump host without a Host line", "Host a b\n ProxyJump g\nHost *\n User u", []string{"ssh://u@a?name=a&via=g", "ssh://u@b?name=b&via=g", "ssh://u@g?name=g"}},
		{"jump hosts as URLs and IPv6 addresses", "Host a\n ProxyJump ssh://v@[::1]:7,[::2]:8", []string{"ssh://me@a?name=a&via=ssh%3A///v%40[::1]:7"}},
		{"a chain", "Host a\n ProxyJump g,i\nHost g i", []string{"ssh://me@a?name=a&via=g,i", "ssh://me@g?name=g", "ssh://me@i?name=i", "ssh://me@i?name=g,i&via=g"}},
		{"a chain that the file has already", "Host a\n ProxyJump g,i\nHost i\n ProxyJump g\nHost g", []string{"ssh://me@a?name=a&via=i", "ssh://me@i?name=i&via=g", "ssh://me@g?name=g"}},
		{"a chain whose last hop has another way of its own", "Host a\n ProxyJump g,i\nHost i\n ProxyJump x\nHost g x", []string{"ssh://me@a?name=a&via=g,i", "ssh://me@i?name=i&via=x", "ssh://me@g?name=g", "ssh://me@x?name=x", "ssh://me@i?name=g,i&via=g"}},
		{"a first hop that has a way of its own", "Host a\n ProxyJump v@g\nHost g\n ProxyJump x\nHost x", []string{"ssh://me@a?name=a&via=v%40g", "ssh://me@g?name=g&via=x", "ssh://me@x?name=x", "ssh://v@g?name=v%40g&via=x"}},
		{"tokens of ProxyJump", "Host a\n HostName h\n ProxyJump %r@%n-gate", []string{"ssh://me@h?name=a&via=me%40a-gate", "ssh://me@a-gate?name=me%40a-gate"}},
		{"a ProxyJump of none", "Host a\n ProxyJump None # x\nHost *\n ProxyJump g", []string{"ssh://me@a?name=a"}},
		{"a ProxyCommand of none before a ProxyJump", "Host a\n ProxyCommand none\n ProxyJump g", []string{"ssh://me@a?name=a"}},
		{"a ProxyCommand behind a ProxyJump", "Host a\n ProxyJump g\n ProxyCommand nc\nHost g", []string{"ssh://me@a?name=a&via=g", "ssh://me@g?name=g"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			conns, warnings, err := parseSSH(row.config)
			require.NoError(t, err)
			assert.Empty(t, warnings)
			if strings.Contains(row.config, "[::1]") {
				require.Len(t, conns, 3)
				assert.Equal(t, []string{"ssh://v@[::1]:7", "[::2]:8", "v", "me"}, []string{conns[1].Name, conns[2].Addr(), conns[1].Auth.User, conns[2].Auth.User})
				assert.Equal(t, conns[1].Name, conns[2].Via)
				return
			}
			var got []string
			for _, c := range conns {
				assert.True(t, c.Auth.Agent)
				assert.NoError(t, c.Validate())
				got = append(got, short(c))
			}
			assert.Equal(t, row.want, got)
		})
	}
}

func TestParseSSHConfigProblems(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, config, want string }{
		{"an open quote", "Host a\n User \"x", "line 2: host a: User: a quote is not closed"},
		{"an open quote in a Host line", "Host ok\nHost \"a\n User x", "line 2: Host: a quote is not closed"},
		{"a Host without a name", "Host # a", "line 1: Host: has no value"},
		{"a Match", "Host ok\nMatch host b\n User x", "line 2: Match: only Match all is understood; the options below it are left out"},
		{"an Include", "Include /etc/ssh/x\nHost ok", "line 1: Include: is not followed, so what that file says is missing here; put it in this place"},
		{"a ProxyCommand", "Host ok\nHost a\n ProxyCommand nc %h %p", "line 3: host a: ProxyCommand: hawser runs no command to connect; use ProxyJump, or a proxy of the connection"},
		{"a ProxyCommand before a ProxyJump", "Host a\n ProxyCommand nc\n ProxyJump g", "line 2: host a: ProxyCommand: hawser runs no command to connect; use ProxyJump, or a proxy of the connection"},
		{"a ProxyCommand behind a ProxyJump of none", "Host a\n ProxyJump none\n ProxyCommand nc", "line 3: host a: ProxyCommand: hawser runs no command to connect; use ProxyJump, or a proxy of the connection"},
		{"two values", "Host a\n User x y", "line 2: host a: User: wants one value"},
		{"an empty value", "Host a\n HostName \"\"", "line 2: host a: HostName: wants one value"},
		{"a port that is none", "Host a\n Port 22x", "line 2: host a: Port: wants a port number, 1 to 65535"},
		{"a port of 0", "Host a\n Port 0", "line 2: host a: Port: wants a port number, 1 to 65535"},
		{"a time that is none", "Host a\n ConnectTimeout 5x", "line 2: host a: ConnectTimeout: wants a time such as 90, 1m30s or 2h"},
		{"a time that is too long", "Host a\n ServerAliveInterval 9999w", "line 2: host a: ServerAliveInterval: wants a time such as 90, 1m30s or 2h"},
		{"a negative time", "Host a\n ConnectTimeout -1", "line 2: host a: ConnectTimeout: wants a time such as 90, 1m30s or 2h"},
		{"a token of another option", "Host a\n HostName %p", "line 2: host a: HostName: token %p is not understood"},
		{"half a token", "Host a\n HostName x%", "line 2: host a: HostName: ends with %; write %% for a %"},
		{"a user with tokens", "Host a\n User %u", "line 2: host a: User: versions of OpenSSH disagree on what % and $ mean here"},
		{"a variable of the environment", "Host a\n IdentityFile ${HOME}/k", "line 2: host a: IdentityFile: variables of the environment are not expanded; write the path"},
		{"the home of another", "Host a\n IdentityFile ~joe/k", "line 2: host a: IdentityFile: the home of another user is not known; write the path"},
		{"a host that is none", "Host a\n HostName \"x y\"", `line 1: host a: host: "x y" is not a DNS name or an IP address`},
		{"names with commas", "Host a,b\nHost ok", "line 1: host a,b: commas do not separate names; OpenSSH wants blanks"},
		{"a canonical name", "Host a\n CanonicalizeHostname yes", "line 2: host a: CanonicalizeHostname: the host that it leads to is not known; write it as HostName"},
		{"neither agent nor key", "Host a\n IdentityAgent none", "line 1: host a: without the agent there is no login, for no IdentityFile is named; hawser tries no others"},
		{"no key and no other", "Host a\n IdentitiesOnly yes", "line 2: host a: IdentitiesOnly: without the agent there is no login, for no IdentityFile is named; hawser tries no others"},
		{"neither yes nor no", "Host a\n IdentitiesOnly maybe", "line 2: host a: IdentitiesOnly: wants yes or no"},
		{"a jump host without a host", "Host a\n ProxyJump x@", "line 2: host a: ProxyJump: wants jump hosts as [user@]host[:port], with commas between them"},
		{"an empty jump host", "Host a\n ProxyJump g,", "line 2: host a: ProxyJump: wants jump hosts as [user@]host[:port], with commas between them"},
		{"a jump host in quotes", "Host a\n ProxyJump \"g\"", "line 2: host a: ProxyJump: wants jump hosts as [user@]host[:port], with commas between them"},
		{"a jump host of a bare IPv6 address", "Host a\n ProxyJump ::1", "line 2: host a: ProxyJump: wants jump hosts as [user@]host[:port], with commas between them"},
		{"many jump hosts", "Host a\n ProxyJump g" + strings.Repeat(",g", 16), "line 2: host a: ProxyJump: has more than 16 jump hosts"},
		{"a jump host that has a problem", "Host a\n ProxyJump g\nHost g\n Port x", "line 2: host a: ProxyJump: jump host g: is left out itself\nline 4: host g: Port: wants a port number, 1 to 65535"},
		{"a circle", "Host a\n ProxyJump b\nHost b\n ProxyJump a", "line 2: host a: ProxyJump: jump host b: is left out itself\nline 4: host b: ProxyJump: jump host a: leads in a circle"},
		{"a jump host for itself", "Host *\n ProxyJump g\nHost g", "line 2: host g: ProxyJump: jump host g: leads in a circle"},
		{"a name for a hop that is taken", "Host a\n ProxyJump v@g\nHost g v@g\n HostName h\n User u", "line 2: host a: ProxyJump: jump host v@g: its name is taken by a Host of the file"},
		{"NUL", "Host a\n User x\x00", "line 2: host a: User: line holds NUL"},
		{"control characters in a name", "Host ok\nHost \"a\x1b\"\n HostName h", `line 2: host a\x1b: name: holds the control character '\x1b'`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			conns, _, err := parseSSH(row.config)
			require.EqualError(t, err, row.want)
			p := new(registry.SSHConfigProblem)
			require.ErrorAs(t, err, &p)
			for _, c := range conns {
				assert.NotEqual(t, "a", c.Name, "what has a problem is left out")
			}
			if strings.Contains(row.config, "Host ok") {
				require.Len(t, conns, 1)
				assert.Equal(t, "ssh://me@ok?name=ok", short(conns[0]), "without the options of others")
			}
		})
	}
}

func TestParseSSHConfigWarnings(t *testing.T) {
	t.Parallel()
	_, warnings, err := parseSSH(`Host a b
	IdentityFile k1
	IdentityFile k2
	CertificateFile c1
	CertificateFile c2
	IdentityAgent /run/agent
	ServerAliveCountMax 5
	StrictHostKeyChecking no
	Fantasy x
Host nobody*
	Compression yes`)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"line 3: host a: IdentityFile: a connection has one key; the first counts, that of line 2",
		"line 5: host a: CertificateFile: a connection has one; the first counts, that of line 4",
		"line 6: host a: IdentityAgent: hawser asks the agent of SSH_AUTH_SOCK alone",
		"line 7: host a: ServerAliveCountMax: hawser ends a connection after 3 misses",
		"line 8: host a: StrictHostKeyChecking: has no field in a connection, and is left out",
		"line 9: host a: Fantasy: has no field in a connection, and is left out",
	}, warnings)
}

func TestParseSSHConfigKeys(t *testing.T) {
	t.Parallel()
	conns, warnings, err := parseSSH("Host a\n IdentitiesOnly YES\nHost b\n IdentityAgent none\nHost c\n IdentityAgent SSH_AUTH_SOCK\nHost *\n IdentityFile k")
	require.NoError(t, err)
	assert.Empty(t, warnings)
	for i, agent := range []bool{false, false, true} {
		assert.Equal(t, agent, conns[i].Auth.Agent, conns[i].Name)
		assert.Equal(t, "k", conns[i].Auth.Key.File)
	}
}

func TestParseSSHConfigForFiles(t *testing.T) {
	t.Parallel()
	config := "Host a b\n ProxyJump b,c\nHost b\n ProxyJump none"
	conns, warnings, err := registry.ParseSSHConfig(strings.NewReader("Host b\n ProxyJump none\n"+config), registry.SSHConfigOptions{Protocol: hawser.SFTP, User: "me"})
	require.NoError(t, err)
	require.Len(t, conns, 3)
	assert.Equal(t, []hawser.Protocol{hawser.SSH, hawser.SFTP, hawser.SSH}, []hawser.Protocol{conns[0].Protocol, conns[1].Protocol, conns[2].Protocol})
	require.Len(t, warnings, 1)
	assert.EqualError(t, warnings[0], "line 1: host b: Host: is a jump host of others, so its protocol is ssh")
	_, _, err = registry.ParseSSHConfig(strings.NewReader(config), registry.SSHConfigOptions{Protocol: hawser.FTP})
	require.ErrorIs(t, err, hawser.ErrInvalid)
}

func TestParseSSHConfigIsBounded(t *testing.T) {
	t.Parallel()
	_, _, err := parseSSH(strings.Repeat("#", 1<<20+1))
	require.EqualError(t, err, "file is larger than 1 MiB")
	var many strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&many, "Host h%d *%d\n", i, i)
	}
	_, _, err = parseSSH(many.String())
	require.EqualError(t, err, "file has too many hosts and wildcards")
	_, _, err = parseSSH("Host " + strings.Repeat("a", 500_000) + "\nHost *" + strings.Repeat("a", 250_000) + "b\n")
	require.EqualError(t, err, "file has too many hosts and wildcards")
	_, _, err = parseSSH("Host *" + strings.Repeat("\nUser u", 60_000) + strings.Repeat("\nHost a b c d e f g h i j", 20))
	require.EqualError(t, err, "file has too many hosts and wildcards")
	_, _, err = parseSSH("Host *\n ProxyJump " + strings.Repeat("X", 500_000) + "\nHost a b c d" + strings.Repeat(" e f g h", 10_000))
	require.Error(t, err, "a jump host for itself")
	assert.Less(t, len(err.Error()), 10_000)
	many.Reset()
	for i := range 1_000 {
		fmt.Fprintf(&many, "Host h%d\n ProxyJump h%d\n", i, i+1)
	}
	conns, _, err := parseSSH(many.String())
	require.NoError(t, err)
	assert.Len(t, conns, 1_001)
	conns, _, err = parseSSH(many.String() + "Host h1000\n Port x\n")
	require.Error(t, err)
	assert.Empty(t, conns)
	assert.Less(t, len(err.Error()), 200_000, "each problem is told once")
	_, _, err = registry.ParseSSHConfig(iotest.ErrReader(errors.New("disk is gone")), registry.SSHConfigOptions{})
	require.EqualError(t, err, "disk is gone")
}

func FuzzParseSSHConfig(f *testing.F) {
	for _, seed := range []string{
		"Host a b*\n HostName %h.x\n ProxyJump v@g:7,i\nHost g\n Port=1\nMatch all\n User 'x y'\n",
		"Host *\n ProxyJump g\nHost g\n", "Include x\nMatch host y\n IdentityFile ~/%d%%\n", "Host a\n IdentityFile \"k\\\" \n CertificateFile c # d",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, config string) {
		conns, _, err := parseSSH(config)
		names := map[string]bool{}
		for _, c := range conns {
			require.False(t, names[c.Name], "%q twice", c.Name)
			names[c.Name] = true
			require.NoError(t, c.Validate())
		}
		for _, c := range conns {
			require.True(t, c.Via == "" || names[c.Via], "via %q is no connection", c.Via)
		}
		if err != nil {
			require.NotEmpty(t, err.Error())
		}
	})
}

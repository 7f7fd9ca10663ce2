package testserver

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// play starts a script whose complaints the test can read.
func play(t *testing.T, s FTPScript) (*ScriptedFTP, *complaints) {
	t.Helper()
	c := &complaints{TB: t}
	f := s.Start(c)
	return f, c
}

// complaints keeps what a script has against its client.
type complaints struct {
	testing.TB
	mu   sync.Mutex // guards list
	list []string
}

func (c *complaints) Errorf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, fmt.Sprintf(format, args...))
}

// of closes the script and returns its complaints.
func (c *complaints) of(t *testing.T, f *ScriptedFTP) string {
	t.Helper()
	require.NoError(t, f.Close())
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.list, "\n")
}

// speaks is a client configuration for a script.
func speaks(f *ScriptedFTP) *tls.Config {
	return &tls.Config{
		RootCAs: f.Identity().Pool(), ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}
}

// start is what most scripts here begin with.
func start(more ...Step) Steps {
	return append(Steps{
		{Reply: "220-hello\n220 there"},
		{Want: "USER hawser", Reply: "331 password"},
		{Want: "PASS *", Reply: "230 in"},
	}, more...)
}

func TestFTPScriptPlaysItsSteps(t *testing.T) {
	t.Parallel()
	f, c := play(t, FTPScript{Steps: start(
		Step{Want: "/^(PWD|XPWD)$/", Reply: `257 "/"`},
		Step{Want: "RETR *", Raw: "550 odd\n"},
		Step{Want: "NOOP", Reply: "421 enough", Close: true},
	)})
	conn := connect(t, f.Addr())
	_, err := io.WriteString(conn, "USER hawser\r\nPASS x\r\nXPWD\r\n\xff\xf4\xff\xf2RETR a.txt\r\nNOOP\r\n")
	require.NoError(t, err)
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	want := "220-hello\r\n220 there\r\n331 password\r\n230 in\r\n257 \"/\"\r\n550 odd\n421 enough\r\n"
	require.Equal(t, want, string(got))
	require.Equal(t, int64(len(want)), f.script.Steps.ReplyBytes())
	require.Equal(t, int64(len(want)), f.Passed(FTPReplies))
	require.Equal(t, []string{"USER hawser", "PASS x", "XPWD", "RETR a.txt", "NOOP"}, f.Commands())
	require.Empty(t, c.of(t, f))
}

func TestFTPScriptMatchesCommands(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		want, line string
		matches    bool
	}{
		{"PWD", "PWD", true},
		{"PWD", "PWD ", false},
		{"RETR *", "RETR a b", true},
		{"RETR *", "RETRY", false},
		{"/^X?PWD$/", "XPWD", true},
		{"/^X?PWD$/", "XPWDX", false},
		{"CWD /a*b/", "CWD /a*b/", true},
	} {
		require.Equal(t, row.matches, matches(row.want, row.line), "%q %q", row.want, row.line)
	}
}

func TestFTPScriptComplainsAboutClientsThatStray(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, says, want string }{
		{"and say something else", "USER root\r\n", `connection 1, step 2 ("USER hawser"): the client strayed: it said "USER root"`},
		{"and say more than the line", "USER hawser x\r\n", `step 2 ("USER hawser")`},
		{"and leave", "USER hawser\r\n", `step 3 ("PASS *"): the client strayed: it left: EOF`},
		{"and end a line without CR", "USER hawser\n", `not a line: "USER hawser\n"`},
		{"and say more after the end", "USER hawser\r\nPASS x\r\nNOOP\r\n", `after the last step: the client strayed: it said "NOOP"`},
		{"but not those who say QUIT", "USER hawser\r\nPASS x\r\nQUIT\r\n", ""},
		{"but not those who leave at the end", "USER hawser\r\nPASS x\r\n", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f, c := play(t, FTPScript{Steps: start()})
			conn := connect(t, f.Addr())
			_, err := io.WriteString(conn, row.says)
			require.NoError(t, err)
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			_, _ = io.ReadAll(conn)
			if got := c.of(t, f); row.want == "" {
				require.Empty(t, got)
			} else {
				require.Contains(t, got, row.want)
			}
		})
	}
	t.Run("and stay and say nothing", func(t *testing.T) {
		t.Parallel()
		f, c := play(t, FTPScript{Steps: start()})
		_, err := bufio.NewReader(connect(t, f.Addr())).ReadString('\n')
		require.NoError(t, err)
		require.Contains(t, c.of(t, f), "it never said that, and stayed")
	})
}

func TestFTPScriptPlaysLaterConnectionsWhatItIsTold(t *testing.T) {
	t.Parallel()
	f, c := play(t, FTPScript{
		Steps: Steps{{Reply: "421 one", Close: true}},
		Later: []Steps{{{Reply: "421 two", Close: true}}, {{Reply: "220 three", Close: true}}},
		Fault: FTPFault{Fault: Cut, After: 4},
	})
	for _, want := range []string{"421 ", "421 two\r\n", "220 three\r\n", "220 three\r\n"} {
		got, err := io.ReadAll(connect(t, f.Addr()))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	require.Empty(t, c.of(t, f))
}

// transfers is a script with a transfer each way, which a dialogue over move and active can play.
func transfers(prepare ...Step) Steps {
	return append(start(prepare...),
		Step{Want: "EPSV", Reply: "229 go (|||{port}|)"},
		Step{Want: "STOR a", Reply: "150 go", Data: &Transfer{Receive: true}, Then: "226 done"},
		Step{Want: "EPSV", Reply: "229 go (|||{port}|)"},
		Step{Want: "RETR a", Reply: "150 go", Data: &Transfer{Send: "hello"}, Then: "226 done"},
	)
}

func TestFTPScriptMovesData(t *testing.T) {
	t.Parallel()
	secure := []Step{{Want: "PBSZ 0", Reply: "200 ok"}, {Want: "PROT P", Reply: "200 ok"}}
	auth := append(Steps{{Reply: "220 hello"}, {Want: "AUTH TLS", Reply: "234 go", TLS: true}}, transfers(secure...)[1:]...)
	for name, script := range map[string]FTPScript{
		"without TLS":               {Steps: transfers()},
		"byte by byte":              {Steps: transfers(), Split: 1},
		"with explicit TLS 1.3":     {Steps: auth},
		"with explicit TLS 1.2":     {Steps: auth, MaxTLS: tls.VersionTLS12},
		"with TLS from the start":   {Steps: transfers(secure...), Implicit: true},
		"with TLS and byte by byte": {Steps: transfers(secure...), Implicit: true, Split: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, c := play(t, script)
			var config *tls.Config
			if f.Identity() != nil {
				config = speaks(f)
			}
			d := converse(t, f.Addr(), config, script.Implicit)
			if config != nil && !script.Implicit {
				d.auth()
			}
			d.login("hawser", "x")
			if config != nil {
				d.protect()
			}
			d.upload("STOR a", "content")
			require.Equal(t, "hello", d.download("RETR a"))
			require.Equal(t, []Upload{{Content: "content"}}, f.Uploads())
			require.NoError(t, d.text.Close())
			require.Empty(t, c.of(t, f))
			require.Equal(t, script.Steps.ReplyBytes(), f.Passed(FTPReplies))
			require.Equal(t, script.Steps.DownloadBytes(), f.Passed(FTPDownload))
			require.Equal(t, config == nil, f.Passed(FTPReplies) == f.Passed(FTPRepliesWire))
			const record = 22 // of TLS 1.3 around a byte
			if config != nil {
				require.Equal(t, script.Split == 1, f.Passed(FTPRepliesWire) > record*f.Passed(FTPReplies))
			}
		})
	}
}

package ftp

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

func TestParseEPSV(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"Entering Extended Passive Mode (|||6446|)": 6446,
		"(|||1|)":             1,
		"(|||65535|)":         65535,
		"go (!!!6446!) there": 6446,
		"(|||06446|)":         6446,
		// What cannot be used is 0, and an error.
		"":                        0,
		"Entering":                0,
		"(":                       0,
		"()":                      0,
		"(|||)":                   0,
		"(||||)":                  0,
		"(|||0|)":                 0,
		"(|||65536|)":             0,
		"(|||99999999999999999|)": 0,
		"(|||-1|)":                0,
		"(|||+1|)":                0,
		"(||| 1|)":                0,
		"(|||6446":                0,
		"(|||6446)":               0,
		"(||6446|)":               0,
		"(|1|127.0.0.2|6446|)":    0,
		"(|2|::1|6446|)":          0,
		"(11164461)":              0,
		"|||6446|":                0,
		"(127,0,0,1,25,46)":       0,
		"(|||٣|)":                 0,
		"(|||0x10|)":              0,
		"(|||1_0|)":               0,
	} {
		port, err := parseEPSV(text)
		if want == 0 {
			require.Error(t, err, "%q", text)
			assert.True(t, isOfWay(err), "%q: another way may do", text)
			assert.Zero(t, port, "%q", text)
			continue
		}
		require.NoError(t, err, "%q", text)
		assert.Equal(t, want, port, "%q", text)
	}
}

func TestParsePASV(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"Entering Passive Mode (127,0,0,1,25,46).": 25<<8 + 46,
		"Entering Passive Mode 127,0,0,1,25,46":    25<<8 + 46,
		"=127,0,0,1,25,46":                         25<<8 + 46,
		"(10,0,0,1,0,1)":                           1,
		"(255,255,255,255,255,255)":                65535,
		"in 3 (127,0,0,1,25,46)":                   25<<8 + 46,
		// What cannot be used is 0, and an error.
		"":                       0,
		"Entering Passive Mode":  0,
		"(127,0,0,1,0,0)":        0,
		"(127,0,0,1,25)":         0,
		"(127,0,0,1,25,46,7)":    0,
		"(127,0,0,1,256,46)":     0,
		"(256,0,0,1,25,46)":      0,
		"(127,0,0,1,25,-46)":     0,
		"(127, 0, 0, 1, 25, 46)": 0,
		"(127,0,0,1,,46)":        0,
		"(127.0.0.1.25.46)":      0,
		"(,,,,,)":                0,
		"(|||6446|)":             0,
	} {
		port, err := parsePASV(text)
		if want == 0 {
			require.Error(t, err, "%q", text)
			assert.True(t, isOfWay(err), "%q: another way may do", text)
			assert.Zero(t, port, "%q", text)
			continue
		}
		require.NoError(t, err, "%q", text)
		assert.Equal(t, want, port, "%q", text)
	}
}

func FuzzParseEPSV(f *testing.F) {
	for _, seed := range []string{"go (|||6446|)", "(!!!1!)", "(|1|127.0.0.2|6446|)", "((((", "(|||"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		port, err := parseEPSV(text)
		switch {
		case err != nil:
			assertPlain(t, err)
		case port < 1 || port > 65535:
			t.Errorf("%q: %d", text, port)
		case !strings.Contains(text, "("):
			t.Errorf("%q has no port", text)
		}
	})
}

func FuzzParsePASV(f *testing.F) {
	for _, seed := range []string{"go (127,0,0,1,25,46)", "127,0,0,1,25,46", "1,2,3,4,5", ",,,,,,", "256,256,256,256,256,256"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		port, err := parsePASV(text)
		switch {
		case err != nil:
			assertPlain(t, err)
		case port < 1 || port > 65535:
			t.Errorf("%q: %d", text, port)
		case strings.Count(text, ",") < 5:
			t.Errorf("%q has no port", text)
		}
	})
}

func FuzzUnquote(f *testing.F) {
	for _, seed := range []string{`"/a ""b"" c" is it`, `"`, `""""`, `"/`, ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name := unquote(text)
		if len(name) > len(text) {
			t.Errorf("%q: %q", text, name)
		}
		// What a server would make of the name leads back to it.
		quoted := `"` + strings.ReplaceAll(name, `"`, `""`) + `" is it`
		if again := unquote(quoted); again != name {
			t.Errorf("%q: %q and then %q", text, name, again)
		}
	})
}

func FuzzAnnounced(f *testing.F) {
	for _, seed := range []string{"here (5 bytes)", "x (-1 bytes)", "( bytes)", "5 bytes).", "(99999999999999999999 bytes)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n := announced(text); n < -1 {
			t.Errorf("%q: %d", text, n)
		}
	})
}

// assertPlain checks that what a server said moves no terminal.
func assertPlain(t *testing.T, err error) {
	t.Helper()
	for _, r := range err.Error() {
		if r < ' ' || r == 0x7f || r == 0x9b {
			t.Errorf("a control character in %q", err.Error())
		}
	}
}

func TestPortRange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]int{
		"": {0, 0}, "50000": {50000, 50000}, "50000-50100": {50000, 50100}, " 1 - 2 ": {1, 2}, "65535-65535": {65535, 65535},
	} {
		first, last, err := portRange(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, [2]int{first, last}, text)
	}
	for _, text := range []string{"0", "0-1", "2-1", "1-65536", "a", "1-", "-1", "1-2-3", "-"} {
		_, _, err := portRange(text)
		require.ErrorIs(t, err, hawser.ErrInvalid, text)
	}
}

// A chatty is a server that answers NOOPs during a transfer before or behind the
// transfer's own reply. It plays one transfer.
type chatty struct {
	first   string // the reply that begins the transfer
	last    string // the one that ends it; "": none
	noop    string // the one to a NOOP; "": none
	early   int    // how many NOOPs are answered before last
	waitFor int    // how many are waited for before the transfer ends
}

// A chat is a session with a chatty server.
type chat struct {
	*Session
	heard chan struct{} // closed when the NOOPs have come
}

// serve answers one client.
func (c chatty) serve(ctx context.Context, conn net.Conn, heard chan struct{}) {
	lines := bufio.NewScanner(conn)
	var data net.Listener
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(conn, format+"\r\n", args...) }
	say("220 hello")
	for lines.Scan() {
		switch verb, _, _ := strings.Cut(lines.Text(), " "); verb {
		case "USER":
			say("230 in")
		case "TYPE":
			say("200 ok")
		case "NOOP":
			say("200 alive")
		case "PWD":
			say(`257 "/home"`)
		case "SITE":
			say("211 the probe")
		case "EPSV":
			var err error
			if data, err = new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
				return
			}
			defer data.Close()
			say("229 go (|||%d|)", data.Addr().(*net.TCPAddr).Port)
		case "RETR", "STOR":
			say("%s", c.first)
			if !c.transfer(lines, say, data, verb, heard) {
				return
			}
		default:
			say("500 what")
		}
	}
}

// transfer holds the data connection open until the NOOPs have come.
func (c chatty) transfer(lines *bufio.Scanner, say func(string, ...any), l net.Listener, verb string, all chan struct{}) bool {
	conn, err := l.Accept()
	if err != nil {
		return false
	}
	defer conn.Close()
	heard := 0
	for ; heard < c.waitFor; heard++ {
		if !lines.Scan() {
			return false
		}
		if heard < c.early && c.noop != "" {
			say("%s", c.noop)
		}
	}
	close(all)
	if c.waitFor == 0 { // long enough for some that nobody waits for
		time.Sleep(30 * time.Millisecond)
	}
	if verb == "RETR" {
		_, _ = io.WriteString(conn, "content")
		_ = conn.Close()
	} else {
		_, _ = io.Copy(io.Discard, conn)
	}
	if c.last != "" {
		say("%s", c.last)
	}
	for i := c.early; i < heard && c.noop != ""; i++ {
		say("%s", c.noop)
	}
	return true
}

// open logs in to c with NOOPs every few milliseconds.
func (c chatty) open(t *testing.T, timeout time.Duration) chat {
	t.Helper()
	heard := make(chan struct{})
	server, err := testserver.StartTCP(func(ctx context.Context, conn net.Conn) { c.serve(ctx, conn, heard) })
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	host, port, err := net.SplitHostPort(server.Addr())
	require.NoError(t, err)
	number, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	conn := hawser.Connection{Name: "chatty", Protocol: hawser.FTP, Host: host, Port: uint16(number), Timeout: timeout}
	conn.Auth.User, conn.TLS.Mode = "hawser", hawser.TLSNone
	s, err := Dialer{}.Open(t.Context(), conn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	s.noopEvery = 5 * time.Millisecond
	return chat{s, heard}
}

// assertStep checks that s answers as it should.
func assertStep(t *testing.T, s chat) {
	t.Helper()
	require.NoError(t, s.Ping(t.Context()))
	code, lines, err := s.Quote(t.Context(), "SITE probe")
	require.NoError(t, err)
	assert.Equal(t, 211, code)
	assert.Equal(t, []string{"211 the probe"}, lines)
}

// NOOPs keep a control connection alive. Their replies come when the server likes,
// and must be taken neither for that of the transfer nor for a later one.
func TestNOOPsDuringADownload(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		chatty
		want string // of the error; "": all is well
	}{
		{"answered at once", chatty{"150 here", "226 done", "200 alive", 3, 3}, ""},
		{"answered afterwards", chatty{"150 here", "226 done", "200 alive", 0, 3}, ""},
		{"answered before and afterwards", chatty{"150 here", "226 done", "200 alive", 1, 3}, ""},
		{"answered at once, then 426", chatty{"150 here", "426 cut", "200 alive", 3, 3}, "426 cut"},
		{"answered after 426", chatty{"150 here", "426 cut", "200 alive", 0, 3}, "426 cut"},
		{"answered after 451 and before", chatty{"150 here", "451 cut", "200 alive", 2, 3}, "451 cut"},
		{"refused at once", chatty{"150 here", "226 done", "500 what", 3, 3}, ""},
		{"refused afterwards", chatty{"150 here", "226 done", "502 what", 0, 3}, ""},
		{"refused, then 426", chatty{"150 here", "426 cut", "500 what", 3, 3}, "426 cut"},
		{"refused after 426", chatty{"150 here", "426 cut", "500 what", 0, 3}, "426 cut"},
		{"answered by 250, then 426", chatty{"150 here", "426 cut", "250 alive", 3, 3}, "426 cut"},
		{"answered by 250 after 426", chatty{"150 here", "426 cut", "250 alive", 0, 3}, "426 cut"},
		{"answered by 250", chatty{"150 here", "226 done", "250 alive", 2, 3}, ""},
		{"not sent, for 226 came instead of 150", chatty{"226 here", "", "200 alive", 0, 0}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := row.open(t, 20*time.Second)
			r, err := s.Open(t.Context(), "file", 0)
			require.NoError(t, err)
			got, err := io.ReadAll(r)
			assert.Equal(t, "content", string(got))
			if row.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, row.want)
			}
			require.NoError(t, r.Close())
			assertStep(t, s)
		})
	}
}

func TestNOOPThatIsNeverAnswered(t *testing.T) {
	t.Parallel()
	t.Run("the file is complete, and the session is over", func(t *testing.T) {
		t.Parallel()
		s := chatty{"150 here", "226 done", "", 0, 1}.open(t, 500*time.Millisecond)
		r, err := s.Open(t.Context(), "file", 0)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Equal(t, "content", string(got))
		require.NoError(t, r.Close())
		assert.False(t, s.Reusable())
		require.ErrorIs(t, s.Ping(t.Context()), hawser.ErrLost)
	})
	t.Run("nor is the transfer", func(t *testing.T) {
		t.Parallel()
		s := chatty{"150 here", "", "", 0, 1}.open(t, 500*time.Millisecond)
		r, err := s.Open(t.Context(), "file", 0)
		require.NoError(t, err)
		_, err = io.ReadAll(r)
		require.ErrorIs(t, err, hawser.ErrLost)
		assert.False(t, s.Reusable())
	})
	t.Run("nor is the transfer, but the NOOP", func(t *testing.T) {
		t.Parallel()
		s := chatty{"150 here", "", "200 alive", 1, 1}.open(t, 500*time.Millisecond)
		r, err := s.Open(t.Context(), "file", 0)
		require.NoError(t, err)
		_, err = io.ReadAll(r)
		require.ErrorIs(t, err, hawser.ErrLost, "200 is not the end of a transfer")
		assert.False(t, s.Reusable())
	})
}

func TestNOOPsDuringAnUpload(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		chatty
		want string
	}{
		{"answered at once", chatty{"150 go", "226 done", "200 alive", 3, 3}, ""},
		{"answered afterwards", chatty{"150 go", "226 done", "200 alive", 0, 3}, ""},
		{"answered by 250, then 426", chatty{"150 go", "426 cut", "250 alive", 3, 3}, "426 cut"},
		{"answered by 250 after 552", chatty{"150 go", "552 full", "250 alive", 0, 3}, "552 full"},
		{"answered after 552", chatty{"150 go", "552 full", "200 alive", 0, 3}, "552 full"},
		{"answered before 552", chatty{"150 go", "552 full", "200 alive", 3, 3}, "552 full"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := row.open(t, 20*time.Second)
			w, err := s.Create(t.Context(), "file", 0)
			require.NoError(t, err)
			_, err = io.WriteString(w, "content")
			require.NoError(t, err)
			<-s.heard
			err = w.Close()
			if row.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, row.want)
			}
			assertStep(t, s)
		})
	}
}

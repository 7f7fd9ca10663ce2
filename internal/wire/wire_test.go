package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wire"
	"github.com/hawser/hawser/internal/wirelog"
)

// pair returns a Conn whose waits take timeout at most, and its server.
func pair(t testing.TB, timeout time.Duration) (*wire.Conn, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	return wire.New(near, timeout, wirelog.New(hawser.Connection{Name: "files", Protocol: hawser.FTP})), far
}

// says has the server write text.
func says(t testing.TB, far net.Conn, text string) {
	t.Helper()
	go func() {
		_, _ = io.WriteString(far, text)
		_ = far.Close()
	}()
}

func TestReceive(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, sent string
		code       int
		text       string
		body       []string
	}{
		{"one line", "220 ready\r\n", 220, "ready", nil},
		{"a line that ends with LF alone", "220 ready\n", 220, "ready", nil},
		{"the code alone", "220\r\n", 220, "", nil},
		{"a code and a space", "220 \r\n", 220, "", nil},
		{"several lines", "211-Features:\r\n MDTM\r\n SIZE\r\n211 End\r\n", 211, "Features: MDTM SIZE End", []string{" MDTM", " SIZE"}},
		{"the code on each line, as vsftpd has it", "230-Hello\r\n230-you\r\n230 there\r\n", 230, "Hello you there", []string{"you"}},
		{"lines that begin with another code", "230-Hello\r\n500 is no end\r\n230 there\r\n", 230, "Hello 500 is no end there", []string{"500 is no end"}},
		{"lines that begin with the code and no space", "230-Hello\r\n2300 files\r\n230 there\r\n", 230, "Hello 2300 files there", []string{"2300 files"}},
		{"empty lines", "214-\r\n\r\n214 end\r\n", 214, "end", []string{""}},
		{"an end with the code alone", "211-a\r\n211\r\n", 211, "a", nil},
		{"a first line with the code alone and a dash", "220-\r\n220 x\r\n", 220, "x", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, far := pair(t, time.Minute)
			says(t, far, row.sent)
			r, err := c.Receive()
			require.NoError(t, err)
			assert.Equal(t, row.code, r.Code)
			assert.Equal(t, row.text, r.Text())
			assert.Equal(t, row.body, r.Body())
			assert.Equal(t, row.code/100, r.Class())
		})
	}
}

func TestReceiveOfWhatIsNoReply(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]string{
		"text":                   "hello\r\n",
		"a number too small":     "099 x\r\n",
		"a number too large":     "600 x\r\n",
		"two digits":             "22\r\n",
		"a fourth digit":         "2200 x\r\n",
		"an empty line":          "\r\n",
		"nothing":                "",
		"half a line":            "220 rea",
		"half a reply":           "220-a\r\nb\r\n",
		"a line without an end":  strings.Repeat("2", 1<<20),
		"a reply without an end": "220-a\r\n" + strings.Repeat("x\r\n", 1<<20),
		"SSH":                    "SSH-2.0-x\r\n",
		"TLS":                    "\x16\x03\x01\x02\x00\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, far := pair(t, time.Minute)
			says(t, far, sent)
			_, err := c.Receive()
			require.ErrorIs(t, err, hawser.ErrLost)
			assert.Less(t, len(err.Error()), 1000)
			_ = c.Close()
		})
	}
}

func TestWaits(t *testing.T) {
	t.Parallel()
	t.Run("the timeout ends a wait", func(t *testing.T) {
		t.Parallel()
		c, _ := pair(t, 10*time.Millisecond)
		_, err := c.Receive()
		require.ErrorIs(t, err, hawser.ErrLost)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	})
	t.Run("the timeout ends a command that nobody reads", func(t *testing.T) {
		t.Parallel()
		c, _ := pair(t, 10*time.Millisecond)
		require.ErrorIs(t, c.Send("NOOP", "", ""), os.ErrDeadlineExceeded)
	})
	t.Run("the end of a context ends a wait, and all later ones", func(t *testing.T) {
		t.Parallel()
		c, _ := pair(t, time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		release := c.Bind(ctx)
		time.AfterFunc(10*time.Millisecond, cancel)
		_, err := c.Receive()
		require.ErrorIs(t, err, hawser.ErrLost)
		assert.True(t, release())
		_, err = c.Receive()
		require.ErrorIs(t, err, hawser.ErrLost)
		require.ErrorIs(t, c.Send("NOOP", "", ""), hawser.ErrLost)
	})
	t.Run("a context that ends later ends nothing", func(t *testing.T) {
		t.Parallel()
		c, far := pair(t, time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		release := c.Bind(ctx)
		assert.False(t, release())
		cancel()
		says(t, far, "200 ok\r\n")
		_, err := c.Receive()
		require.NoError(t, err)
	})
	t.Run("Close ends a wait, and may be called again", func(t *testing.T) {
		t.Parallel()
		c, _ := pair(t, time.Minute)
		time.AfterFunc(10*time.Millisecond, func() { _ = c.Close() })
		_, err := c.Receive()
		require.ErrorIs(t, err, hawser.ErrLost)
		require.NoError(t, c.Close())
	})
	t.Run("Ready waits for a reply and takes none of it", func(t *testing.T) {
		t.Parallel()
		c, far := pair(t, time.Minute)
		assert.False(t, c.Ready(10*time.Millisecond))
		go func() { _, _ = io.WriteString(far, "200 ok\r\n") }() // and stays, unlike says
		assert.True(t, c.Ready(time.Minute))
		r, err := c.Receive()
		require.NoError(t, err)
		assert.Equal(t, "200 ok", r.String())
	})
}

func TestChallengesAreNotShown(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer far.Close()
	log := wirelog.New(hawser.Connection{})
	var lines []string
	defer log.Listen(hawser.WithTrace(t.Context(), &hawser.Trace{Received: func(m hawser.Message) { lines = append(lines, m.Text) }}))()
	c := wire.New(near, time.Minute, log)
	defer c.Close()
	go func() { // ends with the pipe
		r := bufio.NewReader(far)
		for _, reply := range []string{"334 VXNlcm5hbWU6", "334 c2lnbmVk", "235 in"} {
			if _, err := r.ReadString('\n'); err != nil {
				return
			}
			_, _ = io.WriteString(far, reply+"\r\n")
		}
	}()
	for _, secret := range []string{"", "YWxpY2U=", "cGFzcw=="} {
		require.NoError(t, c.Send("AUTH "+secret, "AUTH ***", secret))
		_, err := c.Receive()
		require.NoError(t, err)
	}
	require.Equal(t, []string{"334 VXNlcm5hbWU6", "334 ***", "235 in"}, lines)
}

func TestStirred(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("cannot be told there")
	}
	connect := func(t *testing.T) (*wire.Conn, net.Conn) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		near, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		far, err := l.Accept()
		require.NoError(t, err)
		t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
		return wire.New(near, time.Minute, wirelog.New(hawser.Connection{})), far
	}
	stirs := func(c *wire.Conn) func() bool { return func() bool { return c.Stirred() } }
	t.Run("a server that waits has not", func(t *testing.T) {
		t.Parallel()
		c, far := connect(t)
		assert.False(t, c.Stirred())
		_, err := io.WriteString(far, "200 ok\r\n")
		require.NoError(t, err)
		_, err = c.Receive()
		require.NoError(t, err)
		assert.False(t, c.Stirred(), "what it said was read")
	})
	t.Run("a server that says something has, and loses nothing of it", func(t *testing.T) {
		t.Parallel()
		c, far := connect(t)
		_, err := io.WriteString(far, "421 bye\r\n")
		require.NoError(t, err)
		require.Eventually(t, stirs(c), time.Minute, time.Millisecond)
		r, err := c.Receive()
		require.NoError(t, err)
		assert.Equal(t, "421 bye", r.String())
	})
	t.Run("a server that hangs up has", func(t *testing.T) {
		t.Parallel()
		c, far := connect(t)
		require.NoError(t, far.Close())
		require.Eventually(t, stirs(c), time.Minute, time.Millisecond)
	})
	t.Run("a connection that was closed has", func(t *testing.T) {
		t.Parallel()
		c, _ := connect(t)
		require.NoError(t, c.Close())
		assert.True(t, c.Stirred())
	})
	t.Run("of what is no socket it is not known", func(t *testing.T) {
		t.Parallel()
		c, _ := pair(t, time.Minute)
		assert.False(t, c.Stirred())
	})
}

func TestQueue(t *testing.T) {
	t.Parallel()
	c, far := pair(t, time.Minute)
	got := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(far)
		got <- string(all)
	}()
	require.NoError(t, c.Queue("MAIL FROM:<>", "", ""))
	require.NoError(t, c.Queue("BDAT 70000", "", ""))
	content := bytes.Repeat([]byte("x"), 70000)
	c.QueueContent(content)
	require.ErrorIs(t, c.Queue("a\r\nb", "", ""), hawser.ErrInvalid)
	require.NoError(t, c.Flush())
	require.NoError(t, c.Flush(), "of nothing")
	require.NoError(t, c.Close())
	require.Equal(t, "MAIL FROM:<>\r\nBDAT 70000\r\n"+strings.Repeat("x", 70000), <-got)
	require.NoError(t, c.Queue("NOOP", "", ""))
	require.ErrorIs(t, c.Flush(), hawser.ErrLost)
}

func TestLastWords(t *testing.T) {
	t.Parallel()
	c, far := pair(t, 10*time.Millisecond)
	require.NoError(t, c.Queue("DATA", "", ""))
	require.ErrorIs(t, c.Flush(), hawser.ErrLost, "nobody reads")
	says(t, far, "452 full\r\n")
	r, said := c.LastWords()
	require.True(t, said)
	require.Equal(t, "452 full", r.String())
	_, said = c.LastWords()
	require.False(t, said)
}

func TestSend(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var lines []string
	note := func(m hawser.Message) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, m.Text)
	}
	near, far := net.Pipe()
	defer far.Close()
	log := wirelog.New(hawser.Connection{})
	defer log.Listen(hawser.WithTrace(t.Context(), &hawser.Trace{Sent: note, Received: note}))()
	c := wire.New(near, time.Minute, log)
	defer c.Close()
	go func() {
		r := bufio.NewReader(far)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(far, "500 what is "+line)
		}
	}()
	require.NoError(t, c.Send("PASS open sesame", "PASS ***", "open sesame"))
	r, err := c.Receive()
	require.NoError(t, err)
	assert.Equal(t, "500 what is PASS ***", r.String(), "an echo is masked")
	assert.Equal(t, []string{"PASS ***", "500 what is PASS ***"}, lines)
	for _, line := range []string{"A\r\nB", "A\nB", "A\rB", "A\x00B"} {
		require.ErrorIs(t, c.Send(line, "", ""), hawser.ErrInvalid)
	}
	assert.Len(t, lines, 2, "nothing was sent")
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	t.Run("what came ahead of TLS is refused", func(t *testing.T) {
		t.Parallel()
		c, far := pair(t, time.Minute)
		says(t, far, "234 go on\r\n230 logged in\r\n")
		_, err := c.Receive()
		require.NoError(t, err)
		require.ErrorIs(t, c.Upgrade(func(net.Conn) (net.Conn, error) {
			t.Error("called")
			return nil, nil
		}), hawser.ErrUntrusted)
	})
	t.Run("the connection is replaced", func(t *testing.T) {
		t.Parallel()
		c, _ := pair(t, time.Minute)
		near, far := net.Pipe()
		defer far.Close()
		require.NoError(t, c.Upgrade(func(net.Conn) (net.Conn, error) { return near, nil }))
		says(t, far, "220 ready\r\n")
		r, err := c.Receive()
		require.NoError(t, err)
		assert.Equal(t, 220, r.Code)
		_ = c.Close()
	})
	t.Run("a handshake that fails is told", func(t *testing.T) {
		t.Parallel()
		c, _ := pair(t, time.Minute)
		require.ErrorIs(t, c.Upgrade(func(net.Conn) (net.Conn, error) { return nil, assert.AnError }), assert.AnError)
	})
}

func FuzzReceive(f *testing.F) {
	for _, seed := range []string{"220 ready\r\n", "211-a\r\n b\r\n211 c\r\n", "230-a\r\n230-b\r\n230 c\r\n", "1", "\xff\xfb\x01220 x\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		near, far := net.Pipe()
		c := wire.New(near, time.Minute, wirelog.New(hawser.Connection{}))
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = far.Write(sent)
			_ = far.Close()
		}()
		for {
			r, err := c.Receive()
			if err != nil {
				if !errors.Is(err, hawser.ErrLost) {
					t.Errorf("%v is not ErrLost", err)
				}
				break
			}
			if r.Code < 100 || r.Code > 599 || len(r.Lines) == 0 || strings.ContainsAny(r.String(), "\r\n") {
				t.Errorf("%q: %v", sent, r)
			}
		}
		_ = c.Close()
		<-done
	})
}

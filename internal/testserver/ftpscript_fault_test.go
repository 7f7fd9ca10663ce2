package testserver

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// outcome is what a client has read, and the trouble it met.
type outcome struct {
	replies, download string
	err               error
	*ScriptedFTP
}

// struck plays transfers to a client that stops at the first trouble.
func struck(t *testing.T, script FTPScript) outcome {
	t.Helper()
	f, c := play(t, script)
	conn, err := net.Dial("tcp", f.Addr())
	if err != nil {
		require.Equal(t, Reset, script.Fault.Fault, err)
		return outcome{err: err, ScriptedFTP: f}
	}
	defer func() { _ = conn.Close() }()
	within := 20 * time.Second
	if script.Fault.Fault == Garble && script.Implicit {
		within = time.Second // a length that is wrong makes both sides wait for more
	}
	require.NoError(t, conn.SetDeadline(time.Now().Add(within)))
	client := &reader{conn: conn, within: within}
	if script.Implicit {
		client.tls = speaks(f)
		client.conn = tls.Client(conn, client.tls)
	}
	client.r = bufio.NewReader(io.TeeReader(client.conn, &client.replies))
	err = client.play()
	require.Empty(t, c.of(t, f))
	return outcome{client.replies.String(), client.download, err, f}
}

// reader is the client of struck.
type reader struct {
	conn     net.Conn
	within   time.Duration
	tls      *tls.Config
	r        *bufio.Reader
	replies  strings.Builder
	download string
}

func (c *reader) play() error {
	if err := c.reply(""); err != nil {
		return err
	}
	commands := []string{"USER hawser", "PASS x"}
	if c.tls != nil {
		commands = append(commands, "PBSZ 0", "PROT P")
	}
	for _, line := range commands {
		if err := c.reply(line); err != nil {
			return err
		}
	}
	return errors.Join(c.transfer("STOR a"), c.transfer("RETR a"))
}

// reply says line and reads up to the last line of the answer.
func (c *reader) reply(line string) error {
	_, err := c.last(line)
	return err
}

func (c *reader) last(line string) (string, error) {
	if line != "" {
		if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
			return "", err
		}
	}
	for {
		text, err := c.r.ReadString('\n')
		if err != nil {
			return "", err
		}
		if len(text) > 3 && text[3] == ' ' {
			return text, nil
		}
	}
}

func (c *reader) transfer(line string) error {
	text, err := c.last("EPSV")
	if err != nil {
		return err
	}
	var port int
	if _, err := fmt.Sscanf(text, "229 go (|||%d|)", &port); err != nil {
		return err
	}
	raw, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }()
	if err := raw.SetDeadline(time.Now().Add(c.within)); err != nil {
		return err
	}
	if err := c.reply(line); err != nil {
		return err
	}
	spy := &eofSpy{Conn: raw}
	data := net.Conn(spy)
	if c.tls != nil {
		data = tls.Client(spy, c.tls)
	}
	err = c.move(line, data, raw)
	if c.tls != nil && spy.eof {
		err = errors.Join(err, io.ErrUnexpectedEOF)
	}
	return errors.Join(err, c.reply(""))
}

func (c *reader) move(line string, data, raw net.Conn) error {
	if line != "STOR a" {
		got, err := io.ReadAll(data)
		c.download = string(got)
		return err
	}
	_, err := io.WriteString(data, "content")
	if secure, ok := data.(*tls.Conn); ok {
		err = errors.Join(err, secure.CloseWrite())
	}
	_ = raw.(*net.TCPConn).CloseWrite()
	_, end := io.Copy(io.Discard, data)
	return errors.Join(err, end)
}

func TestFTPScriptFaultsStrikeAtEveryByte(t *testing.T) {
	t.Parallel()
	steps := transfers()
	whole := struck(t, FTPScript{Steps: steps})
	require.NoError(t, whole.err)
	require.Equal(t, "hello", whole.download)
	require.Len(t, whole.replies, int(steps.ReplyBytes()))
	for after := range steps.ReplyBytes() {
		got := struck(t, FTPScript{Steps: steps, Fault: FTPFault{Fault: Cut, After: after}})
		require.Error(t, got.err, after)
		require.Equal(t, whole.replies[:min(after, 40)], got.replies[:min(after, 40)])
		require.Len(t, got.replies, int(after))
		require.True(t, got.Struck())

		got = struck(t, FTPScript{Steps: steps, Fault: FTPFault{Fault: Reset, After: after}})
		require.Error(t, got.err, after)
		require.True(t, got.Struck())
	}
	for after := range steps.DownloadBytes() {
		fault := FTPFault{Fault: Cut, On: FTPDownload, After: after}
		got := struck(t, FTPScript{Steps: steps, Fault: fault})
		require.NoError(t, got.err)
		require.Equal(t, "hello"[:after], got.download)
		require.Len(t, got.replies, len(whole.replies), "the script goes on")
	}
	for after := range 7 {
		fault := FTPFault{Fault: Reset, On: FTPUpload, After: int64(after)}
		got := struck(t, FTPScript{Steps: steps, Fault: fault})
		require.Equal(t, "content"[:after], got.Uploads()[0].Content)
		require.ErrorIs(t, got.Uploads()[0].Err, errStruck)
	}
}

func TestFTPScriptCutsAndResets(t *testing.T) {
	t.Parallel()
	for fault, want := range map[Fault]error{Cut: nil, Reset: syscall.ECONNRESET} {
		f, c := play(t, FTPScript{Steps: start(), Fault: FTPFault{Fault: fault, After: 30}})
		conn := connect(t, f.Addr())
		_, err := io.WriteString(conn, "USER hawser\r\n")
		require.NoError(t, err)
		got, err := io.ReadAll(conn)
		require.ErrorIs(t, err, want)
		require.Equal(t, "220-hello\r\n220 there\r\n331 pass", string(got))
		require.Empty(t, c.of(t, f))
	}
}

func TestFTPScriptStallsUntilClosed(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]FTPFault{
		"before the greeting": {Fault: Stall},
		"in a reply":          {Fault: Stall, After: 30},
		"in a download":       {Fault: Stall, On: FTPDownload, After: 2},
		"in an upload":        {Fault: Stall, On: FTPUpload, After: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, c := play(t, FTPScript{Steps: transfers(), Fault: fault})
			conn := connect(t, f.Addr())
			ended := make(chan error, 1)
			go func() {
				client := &reader{conn: conn, within: 20 * time.Second, r: bufio.NewReader(conn)}
				ended <- client.play()
			}()
			require.Eventually(t, f.Struck, patience, poll)
			select {
			case err := <-ended:
				t.Fatalf("it went on: %v", err)
			case <-time.After(50 * time.Millisecond):
			}
			begin := time.Now()
			require.Empty(t, c.of(t, f))
			require.Less(t, time.Since(begin), settleWithin, "Close need not wait for anything")
			require.Error(t, <-ended)
		})
	}
}

func TestFTPScriptGarblesOneByte(t *testing.T) {
	t.Parallel()
	steps := transfers()
	whole := struck(t, FTPScript{Steps: steps}).replies
	for after := range steps.ReplyBytes() {
		if whole[after] == '\n' || strings.ContainsRune("0123456789 ", rune(whole[after])) {
			continue // The client of this test waits for what it does not get any more.
		}
		got := struck(t, FTPScript{Steps: steps, Fault: FTPFault{Fault: Garble, After: after}}).replies
		require.Greater(t, int64(len(got)), after)
		require.Equal(t, whole[after]^garble, got[after])
	}
	got := struck(t, FTPScript{Steps: steps, Fault: FTPFault{Fault: Garble, On: FTPDownload, After: 1}})
	require.Equal(t, "h\x9allo", got.download)
	got = struck(t, FTPScript{Steps: steps, Fault: FTPFault{Fault: Garble, On: FTPUpload, After: 1}})
	require.Equal(t, "c\x90ntent", got.Uploads()[0].Content)
}

func TestFTPScriptFaultsStrikeBelowTLS(t *testing.T) {
	t.Parallel()
	id, err := NewIdentity()
	require.NoError(t, err)
	script := FTPScript{
		Implicit: true, Identity: id,
		Steps: transfers(Step{Want: "PBSZ 0", Reply: "200 ok"}, Step{Want: "PROT P", Reply: "200 ok"}),
	}
	whole := struck(t, script)
	require.NoError(t, whole.err)
	require.Equal(t, "hello", whole.download)
	for on, most := range map[FTPStream]int64{
		FTPRepliesWire: whole.Passed(FTPRepliesWire), FTPDownloadWire: whole.Passed(FTPDownloadWire),
	} {
		most -= 8 // Signatures differ by some bytes in length.
		for fault, step := range map[Fault]int64{Cut: 7, Reset: 7, Garble: 97} {
			t.Run(fmt.Sprint(on, fault), func(t *testing.T) {
				t.Parallel()
				for after := int64(0); after < most; after += step {
					script := script
					script.Fault = FTPFault{Fault: fault, On: on, After: after}
					got := struck(t, script)
					assert.True(t, got.Struck())
					assert.Error(t, got.err, "after %d of %d", after, most)
				}
			})
		}
	}
}

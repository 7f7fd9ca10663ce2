package testserver

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFTPScriptConnectsActively(t *testing.T) {
	t.Parallel()
	f, c := play(t, FTPScript{Steps: start(
		Step{Want: "PORT *", Reply: "200 ok"},
		Step{Want: "RETR a", Reply: "150 go", Data: &Transfer{Send: "hello"}, Then: "226 done"},
		Step{Want: "EPRT *", Reply: "200 ok"},
		Step{Want: "STOR a", Reply: "150 go", Data: &Transfer{Receive: true, Limit: 3}, Then: "226 done"},
	)})
	d := converse(t, f.Addr(), nil, false)
	d.login("hawser", "x")
	l := listenActive(t)
	port := l.Addr().(*net.TCPAddr).Port
	d.say(fmt.Sprintf("PORT 127,0,0,1,%d,%d", port>>8, port&0xff), 200)
	d.say("RETR a", 150)
	conn, err := l.Accept()
	require.NoError(t, err)
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	d.answer(226)
	d.say(fmt.Sprintf("EPRT |1|127.0.0.1|%d|", port), 200)
	d.say("STOR a", 150)
	conn, err = l.Accept()
	require.NoError(t, err)
	_, err = io.WriteString(conn, "content")
	require.NoError(t, err)
	d.answer(226)
	require.Equal(t, []Upload{{Content: "con"}}, f.Uploads())
	require.NoError(t, d.text.Close())
	require.Empty(t, c.of(t, f))
}

func listenActive(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestFTPScriptSendsAStrangerFirst(t *testing.T) {
	t.Parallel()
	f, c := play(t, FTPScript{Steps: Steps{
		{Reply: "220 hello"},
		{Want: "EPRT *", Reply: "200 ok"},
		{Want: "RETR a", Reply: "150 go", Data: &Transfer{Send: "hello", Stranger: "127.0.0.2"}, Then: "226 done"},
	}})
	probe, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skipf("127.0.0.2 is not of this machine: %v", err)
	}
	require.NoError(t, probe.Close())
	d := converse(t, f.Addr(), nil, false)
	l := listenActive(t)
	d.say(fmt.Sprintf("EPRT |1|127.0.0.1|%d|", l.Addr().(*net.TCPAddr).Port), 200)
	d.say("RETR a", 150)
	for _, want := range [][2]string{{"127.0.0.2", "stranger"}, {"127.0.0.1", "hello"}} {
		conn, err := l.Accept()
		require.NoError(t, err)
		require.Equal(t, want[0], conn.RemoteAddr().(*net.TCPAddr).IP.String())
		got, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Equal(t, want[1], string(got))
	}
	d.answer(226)
	require.NoError(t, d.text.Close())
	require.Empty(t, c.of(t, f))
}

func TestFTPScriptEndsDataInOddWays(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]Transfer{
		"in order":             {Send: "hello"},
		"without close_notify": {Send: "hello", NoNotify: true},
		"with a reset":         {Send: "hello", Reset: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, c := play(t, FTPScript{Implicit: true, Steps: private(
				Step{Want: "RETR a", Reply: "150 go", Data: &how, Then: "226 done"},
			)})
			d := converse(t, f.Addr(), speaks(f), true)
			d.say("PROT P", 200)
			raw := &eofSpy{Conn: d.passive()}
			d.say("RETR a", 150)
			got, err := io.ReadAll(tls.Client(raw, d.tls))
			require.Equal(t, how.Reset, err != nil, "a reset may overtake the content: %v", err)
			if !how.Reset {
				require.Equal(t, "hello", string(got))
			}
			require.Equal(t, how.NoNotify, raw.eof)
			d.answer(226)
			require.NoError(t, d.text.Close())
			require.Empty(t, c.of(t, f))
		})
	}
}

// private is a script that agrees on PROT P and EPSV, for implicit TLS.
func private(more ...Step) Steps {
	return append(Steps{
		{Reply: "220 hello"},
		{Want: "PROT P", Reply: "200 ok"},
		{Want: "EPSV", Reply: "229 go (|||{port}|)"},
	}, more...)
}

// eofSpy notes that the other side has ended the connection.
type eofSpy struct {
	net.Conn
	eof bool
}

func (s *eofSpy) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	s.eof = s.eof || err == io.EOF
	return n, err
}

func TestFTPScriptTellsHowAnUploadEnded(t *testing.T) {
	t.Parallel()
	f, _ := play(t, FTPScript{Implicit: true, Steps: private(
		Step{Want: "STOR a", Reply: "150 go", Data: &Transfer{Receive: true}, Then: "226 done"},
	)})
	d := converse(t, f.Addr(), speaks(f), true)
	d.say("PROT P", 200)
	raw := d.passive()
	d.say("STOR a", 150)
	_, err := tls.Client(raw, d.tls).Write([]byte("hello"))
	require.NoError(t, err)
	require.NoError(t, raw.(*net.TCPConn).CloseWrite())
	d.answer(226)
	require.Len(t, f.Uploads(), 1)
	require.Equal(t, "hello", f.Uploads()[0].Content)
	require.ErrorIs(t, f.Uploads()[0].Err, io.ErrUnexpectedEOF)
}

func TestFTPScriptKeepsDataOpenUntilTold(t *testing.T) {
	t.Parallel()
	f, c := play(t, FTPScript{Steps: Steps{
		{Reply: "220 hello"},
		{Want: "EPSV", Reply: "229 go (|||{port}|)"},
		{Want: "RETR a", Reply: "150 go", Data: &Transfer{Send: "hello", Open: true, Early: true}},
		{Want: "ABOR", EndData: true, Reply: "426 cut\n226 aborted"},
	}})
	d := converse(t, f.Addr(), nil, false)
	data := d.passive()
	require.NoError(t, d.text.PrintfLine("RETR a"))
	d.answer(150)
	_, err := io.ReadFull(data, make([]byte, 5))
	require.NoError(t, err)
	requireSilence(t, data)
	d.say("ABOR", 426)
	d.answer(226)
	_, err = io.ReadAll(data)
	require.NoError(t, err)
	require.NoError(t, d.text.Close())
	require.Empty(t, c.of(t, f))
}

package testserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFTPKnowsWhatItIsTold(t *testing.T) {
	t.Parallel()
	s := startFTP(t, FTPConfig{Unknown: []string{"MLSD", "MLST", "EPSV"}, Idle: 200 * time.Millisecond})
	d := meet(t, s)
	d.say("MLSD", 500)
	features := d.say("FEAT", 211)
	require.NotContains(t, features, "MLST")
	require.NotContains(t, features, "EPSV")
	require.Contains(t, features, "REST STREAM")
	d.say("PASV", 227)
	d.say("BOGUS", 500)
	d.say("SIZE", 501)
	d.say("SIZE a\x00b", 501)
	d.answer(421)
	_, err := d.text.ReadLine()
	require.Error(t, err)

	_, err = StartFTP(FTPConfig{Unknown: []string{"MSLD"}})
	require.ErrorContains(t, err, `"MSLD"`)
	_, err = StartFTP(FTPConfig{TLS: "explicitly"})
	require.ErrorContains(t, err, `"explicitly"`)
}

func TestFTPBoundsLines(t *testing.T) {
	t.Parallel()
	c := connect(t, startFTP(t, FTPConfig{}).Addr())
	r := bufio.NewReader(c)
	_, err := r.ReadString('\n')
	require.NoError(t, err)
	_, err = io.WriteString(c, strings.Repeat("x", maxLine))
	require.NoError(t, err)
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "500 ")
	_, err = r.ReadString('\n')
	require.Error(t, err)
}

func TestFTPLetsHooksBreakThings(t *testing.T) {
	t.Parallel()
	t.Run("replies", func(t *testing.T) {
		t.Parallel()
		s := startFTP(t, FTPConfig{Reply: func(command, reply string) string {
			switch {
			case command == "STOR lost" && strings.HasPrefix(reply, "226"):
				return ""
			case command == "STOR cut" && strings.HasPrefix(reply, "226"):
				return "426 broken"
			case command == "":
				return "220-two\n220 lines"
			}
			return reply
		}})
		d := meet(t, s)
		c := d.passive()
		d.say("STOR cut", 150)
		require.NoError(t, c.Close())
		d.answer(426)
		c = d.passive()
		d.say("STOR lost", 150)
		require.NoError(t, c.Close())
		d.say("NOOP", 200)
	})
	t.Run("data", func(t *testing.T) {
		t.Parallel()
		s := startFTP(t, FTPConfig{TLS: FTPExplicit, Data: func(command string, c net.Conn) net.Conn {
			if command == "RETR a" {
				return shortConn{c}
			}
			return c
		}})
		putIn(t, s, "a", "hello")
		putIn(t, s, "b", "hello")
		d := meet(t, s)
		require.Equal(t, "hel", d.download("RETR a"))
		require.Equal(t, "hello", d.download("RETR b"))
	})
}

// shortConn writes three bytes of all that it is given.
type shortConn struct{ net.Conn }

func (c shortConn) Write(b []byte) (int, error) {
	_, err := c.Conn.Write(b[:3])
	return len(b), err
}

func TestFTPServesManyAtOnce(t *testing.T) {
	t.Parallel()
	s := startFTP(t, FTPConfig{TLS: FTPExplicit, RequireReuse: true})
	t.Run("sessions", func(t *testing.T) {
		for i := range 8 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				d := meet(t, s)
				for j := range 10 {
					content := fmt.Sprint(i, j)
					d.upload(fmt.Sprint("STOR ", i), content)
					require.Equal(t, content, d.download(fmt.Sprint("RETR ", i)))
				}
			})
		}
	})
	require.Equal(t, 8, s.Accepted())
	full, resumed := s.DataHandshakes()
	require.Equal(t, []int{0, 160}, []int{full, resumed})
	require.Eventually(t, func() bool { return s.Sessions() == 0 }, patience, poll)
}

func TestFTPFreezesDropsAndCloses(t *testing.T) {
	t.Parallel()
	s, err := StartFTP(FTPConfig{})
	require.NoError(t, err)
	putIn(t, s, "big", strings.Repeat("x", 32<<20))
	d := meet(t, s)
	data := d.passive()
	d.say("RETR big", 150)
	s.Freeze()
	require.NoError(t, d.text.PrintfLine("NOOP"))
	requireSilence(t, d.conn)
	s.Thaw()
	got, err := io.ReadAll(data)
	require.NoError(t, err)
	require.Len(t, got, 32<<20)
	d.answer(226)
	d.answer(200)
	s.Freeze()
	s.Drop()
	_, err = d.text.ReadLine()
	require.Error(t, err)
	s.Thaw()

	d = meet(t, s)
	d.passive()
	d.say("RETR big", 150)
	s.Freeze()
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.NoDirExists(t, s.Root())
	_, err = net.Dial("tcp", s.Addr())
	require.Error(t, err)
}

func FuzzFTPCommands(f *testing.F) {
	// One that may connect to any port of this machine is not to talk there.
	var addrs []string
	for _, unknown := range [][]string{{"PORT", "EPRT"}, {"RETR", "STOR", "APPE", "LIST", "NLST", "MLSD"}} {
		s, err := StartFTP(FTPConfig{Unknown: unknown})
		require.NoError(f, err)
		f.Cleanup(func() { _ = s.Close() })
		addrs = append(addrs, s.Addr())
	}
	f.Add("PASV\r\nLIST\r\nMLSD /\r\nABOR\r\n")
	f.Add("MKD a\r\nRNFR a\r\nRNTO b\r\nMFMT 20010203040506 b\r\nSITE CHMOD 700 b\r\nMLST b\r\n")
	f.Add("EPRT |1|::1|40000|\r\nPORT 127,0,0,1,4,0\r\nREST 5\r\nOPTS MLST a;b\r\nXCRC \"a\" 1 2\r\nEPSV ALL\r\n")
	f.Fuzz(func(t *testing.T, said string) {
		for _, addr := range addrs {
			c := connect(t, addr)
			require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
			// A server that has said goodbye may be gone.
			_, _ = io.WriteString(c, "USER a\r\nPASS b\r\n"+said)
			_ = c.(*net.TCPConn).CloseWrite()
			_, err := io.Copy(io.Discard, c)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it hangs")
			require.NoError(t, c.Close())
		}
	})
}

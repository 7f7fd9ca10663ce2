package ftp_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// A server that leaves in the middle of a file has not sent all of it, however
// orderly it closed the data connection.
func TestServerThatLeavesHasNotSentAll(t *testing.T) {
	t.Parallel()
	var data net.Listener
	s, err := testserver.StartTCP(func(_ context.Context, c net.Conn) {
		say := func(text string) { _, _ = io.WriteString(c, text+"\r\n") }
		say("220 hello")
		lines := make([]byte, 4096)
		for {
			n, err := c.Read(lines)
			if err != nil {
				return
			}
			switch line := string(lines[:n]); {
			case strings.HasPrefix(line, "USER"):
				say("230 in")
			case strings.HasPrefix(line, "PWD"):
				say(`257 "/"`)
			case strings.HasPrefix(line, "EPSV"):
				data, _ = net.Listen("tcp", "127.0.0.1:0")
				_, port, _ := net.SplitHostPort(data.Addr().String())
				say("229 (|||" + port + "|)")
			case strings.HasPrefix(line, "RETR"):
				say("150 here")
				d, _ := data.Accept()
				_, _ = io.WriteString(d, "half")
				_ = d.Close()
				_ = data.Close()
				return
			case strings.HasPrefix(line, "TYPE"):
				say("200 ok")
			default:
				say("500 no")
			}
		}
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	c := hawser.Connection{Name: "x", Protocol: hawser.FTP, Host: s.Host(), Port: s.Port(), Auth: hawser.Auth{Anonymous: true}}
	c.TLS.Mode = hawser.TLSNone
	session, err := ftp.Dialer{}.Open(t.Context(), c)
	require.NoError(t, err)
	defer session.Close()
	r, err := session.Open(t.Context(), "file", 0)
	require.NoError(t, err)
	var got bytes.Buffer
	_, err = io.Copy(&got, r) // by WriteTo
	require.ErrorIs(t, err, hawser.ErrLost, "%q was called the whole file", got.String())
}

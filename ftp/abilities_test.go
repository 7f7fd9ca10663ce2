package ftp_test

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

func TestHash(t *testing.T) {
	t.Parallel()
	data := content(100_000)
	t.Run("of ProFTPD", func(t *testing.T) {
		t.Parallel()
		s := open(t, to(testserver.ProFTPDFTP(t, testserver.FTPServerConfig{})))
		upload(t, s, "some file", data)
		sum256, sum1, sum5 := sha256.Sum256(data), sha1.Sum(data), md5.Sum(data)
		crc := crc32.ChecksumIEEE(data)
		for algorithm, want := range map[string][]byte{
			"sha256": sum256[:], "sha1": sum1[:], "md5": sum5[:],
			"crc32": {byte(crc >> 24), byte(crc >> 16), byte(crc >> 8), byte(crc)},
		} {
			got, err := s.Hash(t.Context(), algorithm, "some file")
			require.NoError(t, err, algorithm)
			assert.Equal(t, want, got, algorithm)
		}
		_, err := s.Hash(t.Context(), "sha256", "missing")
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = s.Hash(t.Context(), "sha3", "some file")
		require.ErrorIs(t, err, errors.ErrUnsupported)
	})
	t.Run("of a server without", func(t *testing.T) {
		t.Parallel()
		s := open(t, to(testserver.VSFTPD(t, testserver.FTPServerConfig{})))
		upload(t, s, "file", data)
		_, err := s.Hash(t.Context(), "sha256", "file")
		require.ErrorIs(t, err, errors.ErrUnsupported)
	})
}

func TestQuote(t *testing.T) {
	t.Parallel()
	s := open(t, to(testserver.VSFTPD(t, testserver.FTPServerConfig{})))
	code, lines, err := s.Quote(t.Context(), "SYST")
	require.NoError(t, err)
	assert.Equal(t, 215, code)
	assert.Equal(t, []string{"215 UNIX Type: L8"}, lines)
	code, _, err = s.Quote(t.Context(), "XYZZY")
	require.NoError(t, err, "a refusal is a reply")
	assert.Equal(t, 500, code)
	for _, line := range []string{"RETR x", "retr x", "CWD /", "USER x", "TYPE A"} {
		_, _, err = s.Quote(t.Context(), line)
		require.ErrorIs(t, err, errors.ErrUnsupported, line)
	}
	for _, line := range []string{"", "NOOP\r\nDELE x", "NOOP\x00"} {
		_, _, err = s.Quote(t.Context(), line)
		require.ErrorIs(t, err, fs.ErrInvalid, "%q", line)
	}
	require.NoError(t, s.Ping(t.Context()))
}

func TestOneTransferAtATime(t *testing.T) {
	t.Parallel()
	s := open(t, to(testserver.VSFTPD(t, testserver.FTPServerConfig{})))
	w, err := s.Create(t.Context(), "file", 0)
	require.NoError(t, err)
	for name, err := range map[string]error{
		"Ping":   s.Ping(t.Context()),
		"Mkdir":  s.Mkdir(t.Context(), "dir"),
		"Remove": s.Remove(t.Context(), "file"),
	} {
		require.ErrorIs(t, err, hawser.ErrBusy, name)
		require.ErrorContains(t, err, "one thing at a time", name)
	}
	_, err = s.Open(t.Context(), "file", 0)
	require.ErrorIs(t, err, hawser.ErrBusy)
	assert.False(t, s.Reusable())
	require.NoError(t, w.Close())
	assert.True(t, s.Reusable())
	require.NoError(t, s.Remove(t.Context(), "file"))
}

func TestWritingOnAtTheEnd(t *testing.T) {
	t.Parallel()
	for name, serve := range realServers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, to(serve(t, testserver.FTPServerConfig{})))
			upload(t, s, "file", []byte("one "))
			w, err := s.Create(t.Context(), "file", 4)
			require.NoError(t, err)
			_, err = io.WriteString(w, "two")
			require.NoError(t, err)
			require.NoError(t, w.Close())
			assert.Equal(t, "one two", string(download(t, s, "file")))
			_, err = s.Create(t.Context(), "file", 3)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorContains(t, err, "7 bytes")
			_, err = s.Create(t.Context(), "missing", 3)
			require.ErrorIs(t, err, fs.ErrNotExist)
			assert.Equal(t, "one two", string(download(t, s, "file")), "nothing was changed")
		})
	}
}

func TestEncodingOfNames(t *testing.T) {
	t.Parallel()
	server := testserver.VSFTPD(t, testserver.FTPServerConfig{})
	c := to(server)
	c.FTP.Encoding = "windows-1252"
	s := open(t, c)
	upload(t, s, "Grüße", []byte("x"))
	assert.FileExists(t, server.Dir+"/Gr\xfc\xdfe")
	assert.Equal(t, []string{"Grüße"}, list(t, s, "."))
	info, err := s.Stat(t.Context(), "Grüße")
	require.NoError(t, err)
	assert.Equal(t, "Grüße", info.Name())
	_, err = s.Stat(t.Context(), "日本")
	require.ErrorIs(t, err, fs.ErrInvalid, "what the encoding does not have")

	c.FTP.Encoding = "klingon"
	_, err = ftp.Dialer{}.Open(t.Context(), c)
	require.ErrorIs(t, err, hawser.ErrInvalid)
	require.ErrorContains(t, err, "ftp.encoding")
}

func TestNamesWithLineBreaksAreRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	s := open(t, to(testserver.VSFTPD(t, testserver.FTPServerConfig{})))
	var sent []string
	ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Sent: func(m hawser.Message) { sent = append(sent, m.Text) }})
	for _, name := range []string{"", "a\r\nDELE b", "a\nb", "a\rb", "a\x00b"} {
		_, err := s.Stat(ctx, name)
		require.ErrorIs(t, err, fs.ErrInvalid, "%q", name)
		_, err = s.Open(ctx, name, 0)
		require.ErrorIs(t, err, fs.ErrInvalid, "%q", name)
		_, err = s.Create(ctx, name, 0)
		require.ErrorIs(t, err, fs.ErrInvalid, "%q", name)
		require.ErrorIs(t, s.Mkdir(ctx, name), fs.ErrInvalid, "%q", name)
		require.ErrorIs(t, s.Rename(ctx, "a", name), fs.ErrInvalid, "%q", name)
		require.ErrorIs(t, s.Rename(ctx, name, "a"), fs.ErrInvalid, "%q", name)
		for _, err := range s.ReadDir(ctx, name) {
			require.ErrorIs(t, err, fs.ErrInvalid, "%q", name)
		}
	}
	assert.Empty(t, sent)
}

func TestAutoFindsTheWayThatWorks(t *testing.T) {
	t.Parallel()
	server := testserver.VSFTPD(t, testserver.FTPServerConfig{Deny: []string{"EPSV", "PASV"}})
	c := to(server)
	c.FTP.Mode = hawser.Auto
	s := open(t, c)
	var sent []string
	ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Sent: func(m hawser.Message) { sent = append(sent, verb(m.Text)) }})
	for range 2 {
		for _, err := range s.ReadDir(ctx, ".") {
			require.NoError(t, err)
		}
	}
	text := strings.Join(sent, " ")
	assert.Equal(t, 1, strings.Count(text, "PASV"), "once: %s", text)
	assert.Equal(t, 2, strings.Count(text, "LIST"), "%s", text)
	assert.GreaterOrEqual(t, strings.Count(text, "EPRT"), 2, "%s", text)

	c.FTP.Mode = hawser.Passive
	for _, err := range open(t, c).ReadDir(t.Context(), ".") {
		require.ErrorContains(t, err, "set ftp.mode to active or auto")
	}
}

func verb(line string) string {
	verb, _, _ := strings.Cut(line, " ")
	return verb
}

// The address that a server names behind NAT, or to send us elsewhere, is not
// gone to.
func TestAddressOfPASVIsIgnored(t *testing.T) {
	t.Parallel()
	for name, serve := range realServers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, to(serve(t, testserver.FTPServerConfig{Deny: []string{"EPSV"}, PASVAddress: "127.0.0.77"})))
			upload(t, s, "file", []byte("content"))
			assert.Equal(t, "content", string(download(t, s, "file")))
		})
	}
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	for name, serve := range realServers() {
		for _, mode := range []hawser.DataMode{hawser.Passive, hawser.Active} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				t.Parallel()
				c := to(serve(t, testserver.FTPServerConfig{IPv6: true, TLS: testserver.FTPExplicit}))
				c.FTP.Mode = mode
				s := open(t, c)
				upload(t, s, "file", []byte("content"))
				assert.Equal(t, "content", string(download(t, s, "file")))
			})
		}
	}
}

func TestAnonymous(t *testing.T) {
	t.Parallel()
	for name, serve := range realServers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, testserver.FTPServerConfig{Anonymous: true})
			server.Put(t, "file", "content")
			c := to(server)
			c.Auth = hawser.Auth{Anonymous: true}
			assert.Equal(t, "content", string(download(t, open(t, c), "file")))
		})
	}
}

// A server that wants sessions resumed and gives no tickets for that, as old ones,
// knows them by their identifiers.
func TestSessionsWithoutTicketsAreResumed(t *testing.T) {
	t.Parallel()
	c := to(testserver.ProFTPDFTP(t, testserver.FTPServerConfig{TLS: testserver.FTPExplicit, MinTLS: tls.VersionTLS12, MaxTLS: tls.VersionTLS12, Lines: []string{"TLSSessionTickets off"}}))
	s := open(t, c)
	for range 3 {
		upload(t, s, "file", []byte("content"))
		assert.Equal(t, "content", string(download(t, s, "file")))
	}
}

package testserver

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startFTP starts a server for the length of the test.
func startFTP(t *testing.T, cfg FTPConfig) *FTP {
	t.Helper()
	s, err := StartFTP(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// meet logs in to a server, over TLS if it has that.
func meet(t *testing.T, s *FTP) *dialogue {
	t.Helper()
	if s.cfg.TLS == "" {
		d := converse(t, s.Addr(), nil, false)
		d.login("ann", "secret")
		d.say("TYPE I", 200)
		return d
	}
	d := converse(t, s.Addr(), trusting(t, s.CA()), s.cfg.TLS == FTPImplicit)
	if s.cfg.TLS == FTPExplicit {
		d.auth()
	}
	d.login("ann", "secret")
	d.protect()
	d.say("TYPE I", 200)
	return d
}

func putIn(t *testing.T, s *FTP, name, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(s.Root(), name)), 0o755))
	put(t, s.Root(), name, content, 0o644)
}

func requireFile(t *testing.T, s *FTP, name, want string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(s.Root(), name))
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

func TestFTPLogsIn(t *testing.T) {
	t.Parallel()
	s := startFTP(t, FTPConfig{Users: map[string]string{"ann": "secret"}})
	d := converse(t, s.Addr(), nil, false)
	d.say("PASS secret", 503)
	d.say("USER ann", 331)
	d.say("PASS guess", 530)
	d.say("PWD", 530)
	d.say("USER bob", 331)
	d.say("PASS ", 530)
	d.login("ann", "secret")
	d.say("PWD", 257)
	require.Equal(t, []string{"PASS ***", "USER ann", "PASS ***", "PWD", "USER bob", "PASS ***", "USER ann", "PASS ***", "PWD"}, s.Commands())

	d = converse(t, startFTP(t, FTPConfig{Account: "sales"}).Addr(), nil, false)
	d.say("USER anonymous", 331)
	d.say("PASS anything", 332)
	d.say("PWD", 530)
	d.say("ACCT sales", 230)
	d.say("PWD", 257)
}

func TestFTPMovesData(t *testing.T) {
	t.Parallel()
	s := startFTP(t, FTPConfig{})
	d := meet(t, s)
	d.upload("STOR a", "hello world")
	d.say("REST 6", 350)
	require.Equal(t, "world", d.download("RETR a"))
	require.Equal(t, "hello world", d.download("RETR a"), "REST is for one transfer")
	d.say("REST 6", 350)
	d.upload("STOR a", "gophers")
	requireFile(t, s, "a", "hello gophers")
	d.upload("APPE a", "!")
	requireFile(t, s, "a", "hello gophers!")
	d.upload("STOR a", "")
	requireFile(t, s, "a", "")
	d.upload("APPE new", "x")
	requireFile(t, s, "new", "x")
	d.say("REST 2", 350)
	d.say("RETR new", 550)
	d.say("REST x", 501)
	d.say("RETR missing", 550)
	d.say("RETR /", 550)
	d.say("STOR missing/a", 550)
	require.NoError(t, d.text.PrintfLine("RETR new"))
	d.answer(425)
	d.say("TYPE A", 200)
	d.upload("STOR a", "one\r\ntwo\r\n")
	requireFile(t, s, "a", "one\ntwo\n")
	require.Equal(t, "one\r\ntwo\r\n", d.download("RETR a"))
	d.say("SIZE a", 550)
}

func TestFTPMovesDataActively(t *testing.T) {
	t.Parallel()
	s := startFTP(t, FTPConfig{TLS: FTPExplicit, RequireReuse: true})
	putIn(t, s, "a", "hello")
	d := meet(t, s)
	l := listenActive(t)
	port := l.Addr().(*net.TCPAddr).Port
	for _, line := range []string{fmt.Sprintf("PORT 127,0,0,1,%d,%d", port>>8, port&0xff), fmt.Sprintf("EPRT |1|127.0.0.1|%d|", port)} {
		d.say(line, 200)
		accepted := make(chan net.Conn, 1)
		go func() { // ends with the listener
			c, err := l.Accept()
			if err == nil {
				accepted <- c
			}
		}()
		require.NoError(t, d.text.PrintfLine("RETR a"))
		d.answer(150)
		got, err := io.ReadAll(tls.Client(<-accepted, d.tls))
		require.NoError(t, err)
		require.Equal(t, "hello", string(got))
		d.answer(226)
	}
	for _, line := range []string{
		"PORT 127,0,0,2,200,1", "PORT 127,0,0,1,0,80", "PORT 1,2,3", "PORT a,b,c,d,e,f", "PORT 127,0,0,1,300,1",
		"EPRT |1|127.0.0.2|40000|", "EPRT |1|x|40000|", "EPRT |1|127.0.0.1|", "EPRT |",
	} {
		d.say(line, 501)
	}
	d.say("EPRT |2|::1|40000|", 522)
	d.say("EPSV 2", 522)
	d.say("EPSV ALL", 200)
	d.say("PASV", 501)
	d.say(fmt.Sprintf("EPRT |1|127.0.0.1|%d|", port), 501)
	require.Equal(t, "hello", d.download("RETR a"))
}

func TestFTPChangesFiles(t *testing.T) {
	t.Parallel()
	s := startFTP(t, FTPConfig{})
	putIn(t, s, "a", "hello")
	putIn(t, s, "b", "old")
	d := meet(t, s)
	require.Equal(t, "5", d.say("SIZE a", 213))
	d.say("MFMT 20010203040506 a", 213)
	require.Equal(t, "20010203040506", d.say("MDTM /a", 213))
	d.say("MFMT yesterday a", 501)
	d.say("MKD sub", 257)
	require.Equal(t, `"/q ""q"" q" is there now`, d.say(`MKD q "q" q`, 257))
	d.say("MKD sub", 550)
	d.say("CWD sub", 250)
	require.Equal(t, `"/sub" is where you are`, d.say("PWD", 257))
	d.say("RNFR ../a", 350)
	d.say("RNTO ../b", 250)
	requireFile(t, s, "b", "hello")
	d.say("RNTO c", 503)
	d.say("RNFR a", 550)
	d.say("CDUP", 250)
	d.say("DELE sub", 550)
	d.say("RMD b", 550)
	putIn(t, s, "sub/x", "")
	d.say("RMD sub", 550)
	d.say("DELE sub/x", 250)
	d.say("RMD sub", 250)
	d.say("CWD sub", 550)
	d.say("CWD b", 550)
	d.say("DELE ../../b", 250)
	require.NoFileExists(t, filepath.Join(s.Root(), "b"))
	d.say("SITE CHMOD 9 a", 501)
	d.say("SITE IDLE 1", 504)
}

func TestFTPLocksSessionsIn(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	put(t, outside, "secret", "x", 0o644)
	s := startFTP(t, FTPConfig{})
	require.NoError(t, os.Symlink(outside, filepath.Join(s.Root(), "out")))
	d := meet(t, s)
	d.say("RETR out/secret", 550)
	d.say("STOR out/new", 550)
	d.say("RETR /../../../../../../.."+outside+"/secret", 550)
	require.NoFileExists(t, filepath.Join(outside, "new"))
}

func TestFTPLists(t *testing.T) {
	t.Parallel()
	s := startFTP(t, FTPConfig{})
	putIn(t, s, "old", "hello")
	putIn(t, s, "sub/new", "")
	require.NoError(t, os.Symlink("old", filepath.Join(s.Root(), "link")))
	require.NoError(t, os.Chtimes(filepath.Join(s.Root(), "old"), time.Time{}, time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)))
	d := meet(t, s)
	list := d.download("LIST -la")
	require.Contains(t, list, "-rw-r--r--   1 hawser   hawser              5 Feb  3  2001 old\r\n")
	require.Contains(t, list, " link -> old\r\n")
	require.Regexp(t, `(?m)^drwxr-xr-x .* \w{3} [ \d]\d \d\d:\d\d sub\r$`, list)
	require.Contains(t, d.download("LIST sub/new"), " new\r\n")
	require.Equal(t, "link\r\nold\r\nsub\r\n", d.download("NLST"))
	d.say("LIST missing", 550)

	list = d.download("MLSD")
	require.Contains(t, list, "type=file;size=5;modify=20010203040506;perm=adfrw;UNIX.mode=0644; old\r\n")
	require.Contains(t, list, "type=OS.unix=symlink;")
	require.Contains(t, list, "type=cdir;")
	require.Contains(t, list, "type=pdir;")
	require.Regexp(t, `(?m)^type=dir;modify=\d{14};perm=cdeflmp;UNIX.mode=0755; sub\r$`, list)
	require.Contains(t, d.say("MLST old", 250), "\n type=file;size=5;modify=20010203040506;perm=adfrw;UNIX.mode=0644; /old\n")
	d.say("MLST missing", 550)
	d.say("MLSD old", 501)
	require.Equal(t, "MLST OPTS type;size;", d.say("OPTS MLST Size;type;nonsense;", 200))
	require.Contains(t, d.download("MLSD"), "type=file;size=5; old\r\n")
}

func TestFTPHashes(t *testing.T) {
	t.Parallel()
	s := startFTP(t, FTPConfig{})
	putIn(t, s, "a b", "hello")
	d := meet(t, s)
	require.Equal(t, "3610A686", d.say("XCRC a b", 250))
	require.Equal(t, "3610A686", d.say(`XCRC "a b"`, 250))
	require.Equal(t, "5D41402ABC4B2A76B9719D911017C592", d.say("XMD5 a b 0 5", 250))
	require.Equal(t, d.say(`XSHA1 "a b" 1 3`, 250), d.say("XSHA1 a b 1 3", 250))
	d.say(`XSHA1 "a b" 3 1`, 501)
	d.say("XSHA512 missing", 550)
	const sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	require.Equal(t, strings.ToUpper(sum), d.say("XSHA256 a b", 250))
	require.Equal(t, "SHA-256 0-5 "+sum+" a b", d.say("HASH a b", 213))
	d.say("OPTS HASH crc32", 200)
	require.Equal(t, "CRC32 0-5 3610a686 a b", d.say("HASH a b", 213))
	require.Contains(t, d.say("FEAT", 211), "HASH CRC32*;MD5;SHA-1;SHA-256;SHA-512;")
	d.say("OPTS HASH md4", 501)
}

func TestFTPAborts(t *testing.T) {
	t.Parallel()
	s := startFTP(t, FTPConfig{})
	putIn(t, s, "big", strings.Repeat("x", 32<<20))
	d := meet(t, s)
	d.say("ABOR", 226)
	for _, passive := range []bool{true, false} {
		if passive {
			d.passive()
		} else {
			l := listenActive(t)
			d.say(fmt.Sprintf("EPRT |1|127.0.0.1|%d|", l.Addr().(*net.TCPAddr).Port), 200)
		}
		d.say("RETR big", 150)
		_, err := io.WriteString(d.conn, "NOOP\r\n\xff\xf4\xff\xf2ABOR\r\n")
		require.NoError(t, err)
		d.answer(426)
		d.answer(200)
		d.answer(226)
	}
	d.say("EPSV", 229)
	require.NoError(t, d.text.PrintfLine("RETR big\r\nABOR"))
	d.answer(426) // though nobody has connected
	d.answer(226)
	require.NoError(t, d.text.PrintfLine("RETR big"))
	d.answer(425)
	d.say("NOOP", 200)
}

func TestFTPEndsTransfersOfClientsThatLeft(t *testing.T) {
	t.Parallel()
	s := startFTP(t, FTPConfig{})
	putIn(t, s, "big", strings.Repeat("x", 32<<20))
	d := meet(t, s)
	d.passive()
	d.say("RETR big", 150)
	require.NoError(t, d.text.Close())
	require.Eventually(t, func() bool { return s.Sessions() == 0 }, patience, poll)
}

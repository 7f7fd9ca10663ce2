//go:build linux

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

// An ftpField is an FTP server with a login for all contenders.
type ftpField struct {
	server *testserver.FTPServer
	url    string
	tls    string
	local  string // scratch directory of the clients
}

func newFTPField(b *testing.B, start func(testing.TB, testserver.FTPServerConfig) *testserver.FTPServer, tls string) *ftpField {
	b.Helper()
	f := &ftpField{server: start(b, testserver.FTPServerConfig{TLS: tls}), tls: tls, local: b.TempDir()}
	c := hawser.Connection{Name: "bench", Protocol: hawser.FTP, Host: f.server.Host, Port: f.server.Port}
	c.Auth.User = f.server.User
	c.TLS.Mode = hawser.TLSNone
	if tls != "" {
		c.TLS = hawser.TLSOptions{Mode: hawser.TLSMode(tls), Roots: f.server.CA}
	}
	f.url = c.URL()
	return f
}

func (f *ftpField) hawser(b *testing.B, j job) contender {
	j.URL, j.Password = f.url, f.server.Password
	return hawserDoes(b, j)
}

// curl makes a contender of curl; arguments follow the URL of name.
func (f *ftpField) curl(b *testing.B, name string, arguments ...string) contender {
	b.Helper()
	program, err := exec.LookPath("curl")
	require.NoError(b, err)
	url := fmt.Sprintf("ftp://%s:%d/%s", f.server.Host, f.server.Port, name)
	all := append([]string{"--silent", "--show-error", "--user", f.server.User + ":" + f.server.Password, url}, arguments...)
	if f.tls != "" {
		all = append(all, "--ssl-reqd", "--cacert", f.server.CA)
	}
	return contender{name: "curl", command: func() *exec.Cmd { return exec.Command(program, all...) }}
}

// lftp makes a contender of lftp, which runs a script.
func (f *ftpField) lftp(b *testing.B, script string) contender {
	b.Helper()
	program, err := exec.LookPath("lftp")
	require.NoError(b, err)
	settings := "set cmd:fail-exit yes; "
	if f.tls == "" {
		settings += "set ftp:ssl-allow no; "
	} else {
		settings += "set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ssl:ca-file " + f.server.CA + "; "
	}
	settings += fmt.Sprintf("open -u %s,%s ftp://%s:%d; ", f.server.User, f.server.Password, f.server.Host, f.server.Port)
	return contender{name: "lftp", command: func() *exec.Cmd {
		cmd := exec.Command(program, "--norc", "-c", settings+script)
		cmd.Env = append(os.Environ(), "HOME="+f.local)
		return cmd
	}}
}

func benchmarkFTPDown(b *testing.B, what string, f *ftpField) {
	remote, local := filepath.Join(f.server.Dir, "big"), filepath.Join(f.local, "got")
	put(b, remote, bigSize)
	ours := f.hawser(b, job{Op: "get", Remote: "big", Local: local})
	for b.Loop() {
		compare(b, what+" "+megabytes(bigSize)+" down", ours, f.curl(b, "big", "--output", local), func() { _ = os.Remove(local) })
		compare(b, what+" "+megabytes(bigSize)+" down", ours, f.lftp(b, "get big -o "+local), func() { _ = os.Remove(local) })
	}
	requireSame(b, remote, local)
}

func benchmarkFTPUp(b *testing.B, what string, f *ftpField) {
	remote, local := filepath.Join(f.server.Dir, "got"), filepath.Join(f.local, "big")
	put(b, local, bigSize)
	ours := f.hawser(b, job{Op: "put", Local: local, Remote: "got"})
	for b.Loop() {
		compare(b, what+" "+megabytes(bigSize)+" up", ours, f.curl(b, "got", "--upload-file", local), func() { _ = os.Remove(remote) })
		compare(b, what+" "+megabytes(bigSize)+" up", ours, f.lftp(b, "put "+local+" -o got"), func() { _ = os.Remove(remote) })
	}
	requireSame(b, local, remote)
}

func BenchmarkFTPDownload(b *testing.B) {
	benchmarkFTPDown(b, "FTP", newFTPField(b, testserver.VSFTPD, ""))
}

func BenchmarkFTPUpload(b *testing.B) {
	benchmarkFTPUp(b, "FTP", newFTPField(b, testserver.VSFTPD, ""))
}

func BenchmarkFTPSDownload(b *testing.B) {
	benchmarkFTPDown(b, "FTPS", newFTPField(b, testserver.ProFTPDFTP, testserver.FTPExplicit))
}

func BenchmarkFTPSUpload(b *testing.B) {
	benchmarkFTPUp(b, "FTPS", newFTPField(b, testserver.ProFTPDFTP, testserver.FTPExplicit))
}

// delayed moves the control connection behind a relay that adds 10 ms to each
// round trip; data connections go straight, for all contenders alike.
func (f *ftpField) delayed(b *testing.B) {
	b.Helper()
	relay, err := testserver.StartRelay(f.server.Addr(), testserver.RelayConfig{Delay: 5 * time.Millisecond})
	require.NoError(b, err)
	b.Cleanup(func() { _ = relay.Close() })
	f.server.Host, f.server.Port = relay.Host(), relay.Port()
	c, err := hawser.ParseURL(f.url)
	require.NoError(b, err)
	c.Host, c.Port = f.server.Host, f.server.Port
	f.url = c.URL()
}

// ftpSessions is how many hawser and lftp use at once for many files.
const ftpSessions = 8

func BenchmarkFTPSmallDown(b *testing.B) {
	f := newFTPField(b, testserver.VSFTPD, "")
	f.delayed(b)
	remote, local := filepath.Join(f.server.Dir, "small"), filepath.Join(f.local, "small")
	require.NoError(b, os.Mkdir(remote, 0o755))
	fill(b, remote)
	for b.Loop() {
		compare(b, fmt.Sprintf("FTP %d files of 1 KiB down, 10 ms", smallFiles),
			f.hawser(b, job{Op: "getmany", Remote: "small", Local: local, Sessions: ftpSessions}),
			f.lftp(b, fmt.Sprintf("mirror -P%d small %s", ftpSessions, local)),
			func() { empty(b, local) })
	}
}

func BenchmarkFTPSmallUp(b *testing.B) {
	f := newFTPField(b, testserver.VSFTPD, "")
	f.delayed(b)
	remote, local := filepath.Join(f.server.Dir, "small"), filepath.Join(f.local, "small")
	require.NoError(b, os.Mkdir(local, 0o755))
	fill(b, local)
	for b.Loop() {
		compare(b, fmt.Sprintf("FTP %d files of 1 KiB up, 10 ms", smallFiles),
			f.hawser(b, job{Op: "putmany", Remote: "small", Local: local, Sessions: ftpSessions}),
			f.lftp(b, fmt.Sprintf("mirror -R -P%d %s small", ftpSessions, local)),
			func() {
				empty(b, remote)
				require.NoError(b, os.Chmod(remote, 0o777))
			})
	}
}

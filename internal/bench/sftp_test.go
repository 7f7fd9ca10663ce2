//go:build linux

package bench

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

const (
	bigSize    = 1 << 30
	smallFiles = 2000
	smallSize  = 1 << 10
)

// A field is an OpenSSH server with a login for both contenders.
type field struct {
	server *testserver.Server
	url    string
	key    string // private key file
	known  string // known_hosts file
	local  string // scratch directory of the clients
}

func newField(b *testing.B) *field {
	b.Helper()
	f := &field{local: b.TempDir()}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(b, err)
	block, err := xssh.MarshalPrivateKey(private, "")
	require.NoError(b, err)
	f.key = filepath.Join(f.local, "key")
	require.NoError(b, os.WriteFile(f.key, pem.EncodeToMemory(block), 0o600))
	login, err := xssh.NewPublicKey(public)
	require.NoError(b, err)
	f.server = testserver.OpenSSH(b, testserver.OpenSSHConfig{AuthorizedKeys: []xssh.PublicKey{login}, Lines: []string{"LogLevel ERROR"}})
	hostKey := f.server.HostKeys[0]
	f.known = filepath.Join(f.local, "known_hosts")
	line := fmt.Sprintf("[%s]:%d %s", f.server.Host, f.server.Port, xssh.MarshalAuthorizedKey(hostKey))
	require.NoError(b, os.WriteFile(f.known, []byte(line), 0o600))
	f.url = hawser.Connection{
		Name: "bench", Protocol: hawser.SFTP, Host: f.server.Host, Port: f.server.Port,
		Auth: hawser.Auth{User: f.server.User, Key: hawser.Key{File: f.key}},
		SSH:  hawser.SSHOptions{HostKeys: []string{xssh.FingerprintSHA256(hostKey)}},
	}.URL()
	return f
}

// openssh makes a contender of OpenSSH's sftp, which runs the batch.
func (f *field) openssh(b *testing.B, batch string) contender {
	b.Helper()
	program, err := exec.LookPath("sftp")
	require.NoError(b, err)
	return contender{name: "sftp", command: func() *exec.Cmd {
		cmd := exec.Command(program, "-q", "-b", "-", "-c", "aes128-gcm@openssh.com", "-i", f.key, "-F", "none",
			"-o", "UserKnownHostsFile="+f.known, "-o", "IdentitiesOnly=yes", "-P", fmt.Sprint(f.server.Port),
			f.server.User+"@"+f.server.Host)
		cmd.Stdin = bytes.NewBufferString(batch)
		return cmd
	}}
}

// put writes size random bytes to path, readable for the server's user.
func put(b *testing.B, path string, size int64) {
	b.Helper()
	f, err := os.Create(path)
	require.NoError(b, err)
	_, err = io.CopyN(f, rand.Reader, size)
	require.NoError(b, err)
	require.NoError(b, f.Chmod(0o644))
	require.NoError(b, f.Close())
}

func BenchmarkSFTPDownload(b *testing.B) {
	f := newField(b)
	remote, local := filepath.Join(f.server.Dir, "big"), filepath.Join(f.local, "got")
	put(b, remote, bigSize)
	for b.Loop() {
		compare(b, "SFTP "+megabytes(bigSize)+" down",
			hawserDoes(b, job{Op: "get", URL: f.url, Remote: remote, Local: local}),
			f.openssh(b, fmt.Sprintf("get %s %s\n", remote, local)),
			func() { _ = os.Remove(local) })
	}
	requireSame(b, remote, local)
}

func BenchmarkSFTPUpload(b *testing.B) {
	f := newField(b)
	remote, local := filepath.Join(f.server.Dir, "got"), filepath.Join(f.local, "big")
	put(b, local, bigSize)
	for b.Loop() {
		compare(b, "SFTP "+megabytes(bigSize)+" up",
			hawserDoes(b, job{Op: "put", URL: f.url, Remote: remote, Local: local}),
			f.openssh(b, fmt.Sprintf("put %s %s\n", local, remote)),
			func() { _ = os.Remove(remote) })
	}
	requireSame(b, local, remote)
}

func BenchmarkSFTPSmallDown(b *testing.B) {
	f := newField(b)
	remote, local := filepath.Join(f.server.Dir, "small"), filepath.Join(f.local, "small")
	require.NoError(b, os.Mkdir(remote, 0o755))
	fill(b, remote)
	for b.Loop() {
		compare(b, fmt.Sprintf("SFTP %d files of 1 KiB down", smallFiles),
			hawserDoes(b, job{Op: "getmany", URL: f.url, Remote: remote, Local: local}),
			f.openssh(b, fmt.Sprintf("get -r %s %s\n", remote, f.local)),
			func() { empty(b, local) })
	}
}

func BenchmarkSFTPSmallUp(b *testing.B) {
	f := newField(b)
	remote, local := filepath.Join(f.server.Dir, "small"), filepath.Join(f.local, "small")
	require.NoError(b, os.Mkdir(local, 0o755))
	fill(b, local)
	for b.Loop() {
		compare(b, fmt.Sprintf("SFTP %d files of 1 KiB up", smallFiles),
			hawserDoes(b, job{Op: "putmany", URL: f.url, Remote: remote, Local: local}),
			f.openssh(b, fmt.Sprintf("put -r %s %s\n", local, f.server.Dir)),
			func() {
				empty(b, remote)
				require.NoError(b, os.Chmod(remote, 0o777))
			})
	}
}

func fill(b *testing.B, dir string) {
	b.Helper()
	for i := range smallFiles {
		put(b, filepath.Join(dir, fmt.Sprintf("f%04d", i)), smallSize)
	}
}

func empty(b *testing.B, dir string) {
	b.Helper()
	require.NoError(b, os.RemoveAll(dir))
	require.NoError(b, os.Mkdir(dir, 0o755))
}

func requireSame(b *testing.B, want, got string) {
	b.Helper()
	require.NoError(b, exec.Command("cmp", want, got).Run(), "%s and %s differ", want, got)
}

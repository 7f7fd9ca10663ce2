package ftp_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/testserver"
)

// Clients that close without reading the server's tickets lose the end of nearly
// every such upload to vsftpd, some without a word.
func TestNoUploadIsCutShort(t *testing.T) {
	t.Parallel()
	server := testserver.VSFTPD(t, testserver.FTPServerConfig{TLS: testserver.FTPExplicit})
	c := to(server)
	c.TLS.MinVersion = "1.3"
	s := open(t, c)
	short := 0
	for i := range 60 {
		size := []int{256 << 10, 1 << 20, 2<<20 + 1, 8 << 20}[i%4]
		data := content(size)
		upload(t, s, "file", data)
		got, err := os.ReadFile(filepath.Join(server.Dir, "file"))
		require.NoError(t, err)
		if !bytes.Equal(data, got) {
			short++
			t.Errorf("%d bytes of %d", len(got), size)
		}
	}
	t.Logf("60 uploads with TLS 1.3 to vsftpd, %d short", short)
}

// Sessions that shared their TLS sessions would be refused by ProFTPD.
func TestUploadsOfManySessionsAllArrive(t *testing.T) {
	t.Parallel()
	server := testserver.ProFTPDFTP(t, testserver.FTPServerConfig{TLS: testserver.FTPExplicit})
	const sessions, uploads = 8, 20
	data := content(100_000)
	var all sync.WaitGroup
	for i := range sessions {
		s := open(t, to(server))
		all.Go(func() {
			for j := range uploads {
				upload(t, s, fmt.Sprintf("file %d %d", i, j), data)
			}
		})
	}
	all.Wait()
	arrived := 0
	entries, err := os.ReadDir(server.Dir)
	require.NoError(t, err)
	for _, e := range entries {
		got, err := os.ReadFile(filepath.Join(server.Dir, e.Name()))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(data, got), "%s has %d bytes", e.Name(), len(got))
		arrived++
	}
	assert.Equal(t, sessions*uploads, arrived)
	t.Logf("%d uploads over %d sessions to ProFTPD, %d arrived", sessions*uploads, sessions, arrived)
}

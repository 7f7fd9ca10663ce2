package sftp_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/sftp"
)

func TestReusable(t *testing.T) {
	t.Parallel()
	s, root := hooked(t, testserver.Ignore(testserver.FxpClose))
	put(t, root, "file", content(100_000))
	t.Run("not while a file is open, and at once when a reader is closed", func(t *testing.T) {
		t.Parallel()
		f := login(t, to(s))
		require.True(t, f.Reusable())
		r, err := f.Open(t.Context(), "file", 0)
		require.NoError(t, err)
		assert.False(t, f.Reusable())
		_, err = io.CopyN(io.Discard, r, 10)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		assert.True(t, f.Reusable(), "though the server has not answered CLOSE yet")
		assert.Error(t, r.Close())
		assert.True(t, f.Reusable())
	})
	t.Run("not after Close", func(t *testing.T) {
		t.Parallel()
		f := login(t, to(s))
		require.NoError(t, f.Close())
		assert.False(t, f.Reusable())
		_, err := f.Stat(t.Context(), "file")
		assert.ErrorIs(t, err, net.ErrClosed)
		assert.ErrorIs(t, f.Lease(t.Context(), to(s)), net.ErrClosed)
	})
	t.Run("not once the connection was cut", func(t *testing.T) {
		t.Parallel()
		r := relayed(t, s.Addr(), testserver.RelayConfig{})
		f := login(t, through(r, s))
		r.Drop()
		_, err := f.Stat(t.Context(), "file")
		assert.ErrorIs(t, err, hawser.ErrLost)
		assert.False(t, f.Reusable())
	})
	t.Run("not once the server ended SFTP alone", func(t *testing.T) {
		t.Parallel()
		s, _ := hooked(t, func(p testserver.Packet) (forward, reply *testserver.Packet) {
			if p.Type == testserver.FxpStat {
				p.Type = testserver.FxpInit // pkg/sftp's server gives up at a second one
			}
			return &p, nil
		})
		f := login(t, to(s))
		_, err := f.Stat(t.Context(), "file")
		t.Log(err)
		require.Error(t, err)
	})
}

func TestSessionShowsNothingInside(t *testing.T) {
	t.Parallel()
	f := login(t, to(start(t, testserver.SSHConfig{})))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%q"} {
		assert.Regexp(t, `^sftp session with 127\.0\.0\.1:\d+$`, fmt.Sprintf(verb, f), verb)
	}
}

func TestLeaseNamesTheUser(t *testing.T) {
	t.Parallel()
	s := start(t, testserver.SSHConfig{})
	f := login(t, to(s))
	next := to(s)
	next.Name, next.Log = "payroll", hawser.Log{Incoming: true}
	require.NoError(t, f.Lease(t.Context(), next))
	r := &recorder{}
	_, err := f.Stat(hawser.WithTrace(t.Context(), r.trace()), "none")
	require.Error(t, err)
	require.Len(t, r.all(), 2)
	for _, m := range r.all() {
		assert.Equal(t, "payroll", m.Connection)
		assert.Equal(t, next.Log, m.Log)
	}
	s.Drop()
	assert.ErrorContains(t, f.Ping(t.Context()), "ping payroll: sftp "+to(s).Addr())
}

func TestManyGoroutines(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, c hawser.Connection, _ string) {
		f := login(t, c)
		require.Equal(t, 64, f.Parallelism())
		var all sync.WaitGroup
		for i := range f.Parallelism() {
			all.Go(func() {
				for j := range 3 {
					name, data := fmt.Sprintf("file-%d-%d", i, j), content(1000*j+i)
					if !assert.NoError(t, upload(t.Context(), f, name, data)) {
						return
					}
					got, err := download(t.Context(), f, name)
					assert.NoError(t, err)
					assert.True(t, bytes.Equal(data, got), "%s has %d bytes, want %d", name, len(got), len(data))
				}
			})
		}
		all.Wait()
		names, err := list(t.Context(), f, ".")
		require.NoError(t, err)
		assert.Len(t, names, 3*64)
		assert.True(t, f.Reusable())
	})
}

func TestReadAheadOpensSlowly(t *testing.T) {
	t.Parallel()
	y := &tally{}
	s, root := hooked(t, y.hook)
	put(t, root, "file", content(8*mib))
	f := login(t, to(s))
	r, err := f.Open(t.Context(), "file", 0)
	require.NoError(t, err)
	read := func(n int) {
		t.Helper()
		_, err := io.ReadFull(r, make([]byte, n))
		require.NoError(t, err)
	}
	read(100)
	assert.Equal(t, 1, y.count(testserver.FxpRead), "READs for the first bytes")
	read(32*kib - 100)
	assert.Equal(t, 1, y.count(testserver.FxpRead), "READs for the first packet")
	read(1)
	assert.LessOrEqual(t, y.count(testserver.FxpRead), 5, "READs for the first bytes of the second packet")
	read(mib)
	assert.Eventually(t, func() bool { return y.count(testserver.FxpRead) > 64 }, soon, 10*time.Millisecond, "READs for a mebibyte more")
	require.NoError(t, r.Close())
	_, err = f.Stat(t.Context(), "file") // by then the server has seen all that was sent before
	require.NoError(t, err)
	assert.LessOrEqual(t, y.count(testserver.FxpRead), 34+64+1)
}

func TestWireLog(t *testing.T) {
	t.Parallel()
	const marker = "MARKER-OF-THE-CONTENT"
	root := t.TempDir()
	s := start(t, testserver.SSHConfig{Root: root, Limits: true, Passwords: map[string]string{"hawser": password}})
	c := to(s)
	c.Auth.Password = hawser.NewSecret(password)
	r := &recorder{}
	ctx := hawser.WithTrace(t.Context(), r.trace())
	d, err := sftp.Dialer{}.Open(ctx, c)
	require.NoError(t, err)
	data := []byte(strings.Repeat(marker, 10_000))
	require.NoError(t, upload(ctx, d, "in file.csv", data))
	got, err := download(ctx, d, "in file.csv")
	require.NoError(t, err)
	sameContent(t, data, got)
	require.NoError(t, d.Rename(ctx, "in file.csv", "done.csv"))
	require.NoError(t, upload(ctx, d, "short", []byte(marker)))
	_, err = download(ctx, d, "short")
	require.NoError(t, err)
	_, err = d.Stat(ctx, "red\x1b[31m\u202etxt")
	require.Error(t, err)
	_, err = d.Stat(ctx, strings.Repeat("long", 1000))
	require.Error(t, err)
	require.NoError(t, d.Close())
	text := r.text()
	for _, want := range []string{
		"> INIT version 3", "< VERSION 3", "> OPEN in file.csv #", "< HANDLE ", "> WRITE ", " offset 0 length 32768 #", "< STATUS OK #",
		"> READ ", "< DATA length 32768 #", "< STATUS EOF #", "> CLOSE ", "> EXTENDED posix-rename@openssh.com in file.csv done.csv #",
		`> STAT red\x1b[31m\u202etxt #`, "< STATUS NO_SUCH_FILE", "longlon... #",
	} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "MARKER")
	assert.NotContains(t, text, password)
	assert.NotContains(t, text, "\x1b")
}

package ftp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// A wrapping transport wraps the data connections, which come after the first.
type wrapping struct {
	count atomic.Int64
	wrap  func(c *net.TCPConn, isData bool) net.Conn
}

func (w *wrapping) DialNet(ctx context.Context, c hawser.Connection, network, addr string) (net.Conn, error) {
	conn, err := hawser.Direct{}.DialNet(ctx, c, network, addr)
	if err != nil {
		return nil, err
	}
	return w.wrap(conn.(*net.TCPConn), w.count.Add(1) > 1), nil
}

// openBy is open through a transport.
func openBy(t *testing.T, c hawser.Connection, wrap func(c *net.TCPConn, isData bool) net.Conn) *ftp.Session {
	t.Helper()
	s, err := ftp.Dialer{Transport: &wrapping{wrap: wrap}}.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A trickle is a link on which a part of what is written moves in the time of a
// deadline, and nothing after it.
type trickle struct {
	*net.TCPConn
	parts int // that move before it stands still; below zero: without end
	late  bool
}

const trickles = 100_000 // bytes of a part; no handshake is longer

func (c *trickle) Write(p []byte) (int, error) {
	if c.late || c.parts == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	if len(p) <= trickles {
		return c.TCPConn.Write(p)
	}
	c.parts--
	c.late = true
	n, err := c.TCPConn.Write(p[:trickles])
	return n, errors.Join(err, os.ErrDeadlineExceeded)
}

func (c *trickle) SetDeadline(t time.Time) error {
	c.late = false
	return c.TCPConn.SetDeadline(t)
}

func (c *trickle) SetWriteDeadline(t time.Time) error {
	c.late = false
	return c.TCPConn.SetWriteDeadline(t)
}

func TestSlowUploadIsNoneThatStandsStill(t *testing.T) {
	t.Parallel()
	for _, secure := range []string{"", testserver.FTPExplicit} {
		for _, moves := range []bool{true, false} {
			t.Run(fmt.Sprintf("TLS %q, it moves: %v", secure, moves), func(t *testing.T) {
				t.Parallel()
				c, f := startInProcess(t, testserver.FTPConfig{TLS: secure})
				s := openBy(t, c, func(c *net.TCPConn, isData bool) net.Conn {
					switch {
					case !isData:
						return c
					case moves:
						return &trickle{TCPConn: c, parts: -1}
					}
					return &trickle{TCPConn: c, parts: 3}
				})
				data := content(3_000_000)
				err := store(t.Context(), s, "file", string(data))
				if !moves {
					require.ErrorIs(t, err, os.ErrDeadlineExceeded)
					var partial *hawser.PartialError
					require.ErrorAs(t, err, &partial)
					return
				}
				require.NoError(t, err)
				got, err := os.ReadFile(filepath.Join(f.Root(), "file"))
				require.NoError(t, err)
				assert.True(t, slices.Equal(data, got), "%d bytes", len(got))
				require.NoError(t, s.Ping(t.Context()))
			})
		}
	}
}

// A server that opens a data connection and does not begin TLS on it, nor hang up,
// holds nobody up for longer than the timeout.
func TestHandshakeOfDataIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, steps := range map[string]testserver.Steps{
		"RETR": retr("150 here", &testserver.Transfer{Open: true, Clear: true}, ""),
		"STOR": stor(&testserver.Transfer{Open: true, Clear: true}, ""),
		"LIST": {dataStep(hawser.Passive), {Want: "LIST -a", Reply: "150 here", Data: &testserver.Transfer{Open: true, Clear: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := testserver.FTPScript{Identity: b.id, Steps: slices.Concat(secureSteps(hawser.TLSExplicit), steps, testserver.Steps{{Want: "NEVER"}})}.Start(lenient{t})
			c := scripted(t, f.Addr(), b.ca)
			c.Timeout = 500 * time.Millisecond
			s := open(t, c)
			// Far longer than the timeout, and the end of a session that has none.
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			var err error
			switch name {
			case "RETR":
				_, err = s.Open(ctx, "file", 0)
			case "STOR":
				_, err = s.Create(ctx, "file", 0)
			case "LIST":
				_, err = names(ctx, s, ".")
			}
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.ErrorContains(t, err, "no TLS within")
			require.NoError(t, ctx.Err(), "it ended by itself")
			assertTyped(t, name, err)
		})
	}
}

// counted counts what is read.
type counted struct {
	net.Conn
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// What a slow source brings is not held back for more.
func TestSmallWritesLeaveAtOnce(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 1000, 5000, 16 << 10, 40_000} {
		t.Run(fmt.Sprintf("of %d bytes", size), func(t *testing.T) {
			t.Parallel()
			var arrived atomic.Int64
			c, _ := startInProcess(t, testserver.FTPConfig{TLS: testserver.FTPExplicit, Data: func(_ string, c net.Conn) net.Conn { return counted{c, &arrived} }})
			s := open(t, c)
			w, err := s.Create(t.Context(), "file", 0)
			require.NoError(t, err)
			for i := range 3 {
				_, err = w.Write(content(size))
				require.NoError(t, err)
				require.Eventually(t, func() bool { return arrived.Load() == int64((i+1)*size) }, soon, time.Millisecond, "write %d", i+1)
			}
			require.NoError(t, w.Close())
		})
	}
}

// A tunnelled connection cannot be reset, and notes its end.
type tunnelled struct {
	net.Conn
	close func()
}

func (c tunnelled) Close() error {
	c.close()
	return c.Conn.Close()
}

// Where a data connection cannot be reset, its end is that of a file, unless the
// control connection has ended before.
func TestAbandonedUploadThroughATunnelIsNotCompleted(t *testing.T) {
	t.Parallel()
	for _, secure := range []string{"", testserver.FTPExplicit} {
		for name, giveUp := range map[string]func(*testing.T, context.CancelFunc, io.WriteCloser){
			"its source fails": func(t *testing.T, _ context.CancelFunc, w io.WriteCloser) {
				_, err := w.(io.ReaderFrom).ReadFrom(broken{})
				require.ErrorIs(t, err, errBroken)
				require.ErrorIs(t, w.Close(), errBroken)
			},
			"its context ends": func(t *testing.T, cancel context.CancelFunc, w io.WriteCloser) {
				cancel()
				require.ErrorIs(t, w.Close(), context.Canceled)
			},
		} {
			t.Run(fmt.Sprintf("TLS %q: %s", secure, name), func(t *testing.T) {
				t.Parallel()
				c, f := startInProcess(t, testserver.FTPConfig{TLS: secure})
				var mu sync.Mutex
				var ends []string
				s := openBy(t, c, func(c *net.TCPConn, isData bool) net.Conn {
					return tunnelled{c, func() {
						mu.Lock()
						defer mu.Unlock()
						if what := map[bool]string{false: "control", true: "data"}[isData]; !slices.Contains(ends, what) {
							ends = append(ends, what)
						}
					}}
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w, err := s.Create(ctx, "file", 0)
				require.NoError(t, err)
				_, err = w.Write([]byte("half of"))
				require.NoError(t, err)
				giveUp(t, cancel, w)
				mu.Lock()
				assert.Equal(t, []string{"control", "data"}, ends)
				mu.Unlock()
				assertEnded(t, name, s)
				_ = f.Close()
			})
		}
	}
}

var errBroken = errors.New("the disk is on fire")

// broken is a source that fails.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

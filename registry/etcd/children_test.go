package etcd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

const (
	childLimit  = 5
	childRounds = 10
	childTTL    = 3 * time.Second
)

// counter is a server that counts its sessions. A session is over before the client
// learns that it is.
type counter struct {
	*testserver.TCP
	now, most, all atomic.Int32
}

func startCounter(t testing.TB) *counter {
	t.Helper()
	c := &counter{}
	server, err := testserver.StartTCP(func(_ context.Context, conn net.Conn) {
		n := c.now.Add(1)
		c.all.Add(1)
		for m := c.most.Load(); n > m && !c.most.CompareAndSwap(m, n); m = c.most.Load() {
		}
		_, _ = io.Copy(conn, conn)
		c.now.Add(-1)
	})
	require.NoError(t, err)
	c.TCP = server
	t.Cleanup(func() { _ = server.Close() })
	return c
}

// child is this test program as another process, which runs runChild.
func child(t testing.TB, etcd *testserver.EtcdServer, server *counter, what string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childVariable+"="+strings.Join([]string{what, etcd.Endpoints[0], server.Addr()}, " "))
	cmd.Stderr = os.Stderr
	return cmd
}

func TestLimiterOfProcesses(t *testing.T) {
	t.Parallel()
	etcd := testserver.Etcd(t, testserver.EtcdConfig{})
	t.Run("twenty never open more sessions than the server allows", func(t *testing.T) {
		const processes = 20
		server := startCounter(t)
		var all sync.WaitGroup
		for range processes {
			cmd := child(t, etcd, server, "work")
			all.Go(func() { assert.NoError(t, cmd.Run()) })
		}
		all.Wait()
		require.EqualValues(t, childLimit, server.most.Load(), "sessions at once, of which that many had a place")
		require.GreaterOrEqual(t, server.all.Load(), int32(processes), "each had one")
	})
	t.Run("one that is killed gives its places back", func(t *testing.T) {
		server := startCounter(t)
		cmd := child(t, etcd, server, "hold")
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "held\n", line)
		l := limiterAt(t, dial(t, etcd), LimiterOptions{})
		waiting := acquireLater(t.Context(), l, childConnection(server.Addr()))
		eventuallyWaiting(t, l, 1)
		require.NoError(t, cmd.Process.Kill())
		killed := time.Now()
		require.NoError(t, receiveFrom(t, "a place of who was killed", waiting).err)
		const slack = 20 * time.Second // of a busy machine
		require.Less(t, time.Since(killed), childTTL+slack)
		_ = cmd.Wait()
	})
}

func childConnection(addr string) hawser.Connection {
	c := limited(childLimit)
	c.Host = strings.ReplaceAll(addr, ":", "-") // a server of its own
	c.Auth.Password = hawser.NewSecret("x")
	return c
}

// runChild is the program of a child process.
func runChild() error {
	words := strings.Fields(os.Getenv(childVariable))
	what, endpoint, addr := words[0], words[1], words[2]
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	client, err := Dial(ctx, Config{Endpoints: []string{endpoint}})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	o := LimiterOptions{TTL: 60 * time.Second}
	if what == "hold" {
		o.TTL = childTTL
	}
	l, err := NewLimiter(client, o)
	if err != nil {
		return err
	}
	if what == "hold" {
		return holdPlaces(ctx, l, addr)
	}
	return errors.Join(work(ctx, l, addr), l.Close())
}

// work is jobs side by side, each of which uses the server again and again, by a
// Manager that keeps sessions for the next.
func work(ctx context.Context, l *Limiter, addr string) error {
	m := &hawser.Manager{Registry: hawser.NewMemory(childConnection(addr)), Dialer: echoDialer{addr}, Limiter: l}
	var jobs sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		jobs.Go(func() {
			for range childRounds {
				err := hawser.Use(ctx, m, "bank", func(ctx context.Context, s *echoSession) error { return s.chat(ctx) })
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	jobs.Wait()
	return errors.Join(errors.Join(errs...), m.Close())
}

// holdPlaces takes all places, and waits for its end. It heeds no recall.
func holdPlaces(ctx context.Context, l *Limiter, addr string) error {
	for range childLimit {
		if _, err := l.Acquire(ctx, childConnection(addr)); err != nil {
			return err
		}
	}
	fmt.Println("held")
	<-ctx.Done()
	return ctx.Err()
}

package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

// await ranges over a watch until name, or any, was told.
func await(t *testing.T, watch func(func(hawser.Change, error) bool), name string) {
	t.Helper()
	for change, err := range watch {
		require.NoError(t, err)
		if change.Name == name || change.Name == "" {
			return
		}
	}
	t.Fatalf("the watch ended before %q was told", name)
}

func putHost(t *testing.T, r *Registry, name, host string) hawser.Connection {
	t.Helper()
	c := sample(name)
	c.Host, c.Revision = host, hawser.AnyRevision
	return put(t, r, c)
}

func TestChangesAreToldAtOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dsn := s.schema(t)
	r, other := open(t, dsn, Options{Poll: never}), open(t, dsn, Options{Poll: never})
	watch, err := r.Watch(bounded(t))
	require.NoError(t, err)
	for i := range 20 {
		version := r.Version()
		c := putHost(t, other, "bank", fmt.Sprintf("h%d.example", i))
		await(t, watch, "bank")
		assert.Greater(t, r.Version(), version)
		got, err := r.Lookup(t.Context(), "bank")
		require.NoError(t, err)
		require.Equal(t, c.Host, got.Host)
	}
	require.NoError(t, other.Delete(t.Context(), "bank", hawser.AnyRevision))
	await(t, watch, "bank")
	_, err = other.Rollback(t.Context(), "bank", "1", "")
	require.NoError(t, err)
	await(t, watch, "bank")
}

// The connection that listens can be lost alone, and a change fall into the gap.
func TestTheListenerIsCutOff(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dsn := s.schema(t)
	gap := listening{pause: 500 * time.Millisecond}
	r, other := open(t, dsn, Options{Poll: never, listening: gap}), open(t, dsn, Options{Poll: never})
	watch, err := r.Watch(bounded(t))
	require.NoError(t, err)
	for i := range 3 {
		exec(t, dsn, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
		putHost(t, other, "bank", fmt.Sprintf("h%d.example", i))
		await(t, watch, "bank")
	}
}

// follow does as a Manager does: it watches, looks everything up when a watch ended, and watches again.
func follow(ctx context.Context, r *Registry, sees func() bool) error {
	for ctx.Err() == nil {
		watch, err := r.Watch(ctx)
		if err != nil {
			continue // Watch waits by itself until it gives up
		}
		if sees() {
			return nil
		}
		for _, err := range watch {
			if err != nil {
				break
			}
			if sees() {
				return nil
			}
		}
	}
	return ctx.Err()
}

func TestTheServerIsStartedAnew(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dsn := s.schema(t)
	r, other := open(t, dsn, Options{Poll: never}), open(t, dsn, Options{Poll: never})
	first := putHost(t, r, "bank", "one.example")
	ctx := bounded(t)
	seen := make(chan error, 1)
	go func() {
		seen <- follow(ctx, r, func() bool {
			c, err := r.Lookup(ctx, "bank")
			return err == nil && c.Host == "two.example"
		})
	}()
	s.Stop()
	_, err := r.Lookup(ctx, "bank")
	require.Error(t, err)
	assert.NotErrorIs(t, err, hawser.ErrNotFound)
	_, err = r.Watch(ctx)
	require.Error(t, err)
	s.Start(t)
	got, err := r.Lookup(ctx, "bank")
	require.NoError(t, err, "the first lookup after the server is back")
	assert.Equal(t, first.Revision, got.Revision)
	first.Host = "two.example"
	put(t, other, first)
	require.NoError(t, <-seen)
}

// A connection that dies silently looks like one on which nothing is told.
func TestTheListenerNoticesASilentEnd(t *testing.T) {
	t.Parallel()
	s := testserver.PostgreSQL(t, testserver.PostgreSQLConfig{})
	relay, err := testserver.StartRelay(s.Addr(), testserver.RelayConfig{})
	require.NoError(t, err)
	defer func() { require.NoError(t, relay.Close()) }()
	config, err := pgx.ParseConfig(s.DSN())
	require.NoError(t, err)
	config.Port = relay.Port()
	nudges := make(chan struct{}, 1)
	l := &listener{config: func() *pgx.ConnConfig { return config }, channel: "changes", nudge: func() {
		select {
		case nudges <- struct{}{}:
		default:
		}
	}}
	l.listening = listening{
		connect: time.Second, quiet: 20 * time.Millisecond, answer: time.Second, pause: time.Millisecond, longest: 10 * time.Millisecond,
	}
	l.start()
	defer l.stop()
	nudged := func(what string) {
		t.Helper()
		select {
		case <-nudges:
		case <-time.After(patience):
			t.Fatal("no nudge, though it " + what)
		}
	}
	nudged("listens")
	first := listeners(t, s.DSN())
	require.Len(t, first, 1)
	exec(t, s.DSN(), "NOTIFY changes")
	nudged("was told")
	relay.Freeze()
	nudged("should have noticed that nobody is there")
	relay.Thaw()
	again := func() bool {
		now := listeners(t, s.DSN())
		return len(now) == 1 && now[0] != first[0]
	}
	assert.Eventually(t, again, patience, 20*time.Millisecond)
}

// listeners are the processes of the server that serve connections which wait to be told.
func listeners(t *testing.T, dsn string) []int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	const query = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND (query LIKE 'LISTEN%' OR query = 'SELECT 1')"
	rows, err := conn.Query(t.Context(), query)
	require.NoError(t, err)
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(t, err)
	return pids
}

// A network that swallows everything must not leave a watch that says nothing.
func TestAWatchEndsWhenNobodyAnswers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	relay, err := testserver.StartRelay(s.Addr(), testserver.RelayConfig{})
	require.NoError(t, err)
	defer func() { require.NoError(t, relay.Close()) }()
	dsn := s.schema(t)
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	config.Port = relay.Port()
	r, err := OpenConfig(t.Context(), config, Options{Poll: never, listening: listening{quiet: 50 * time.Millisecond, answer: 50 * time.Millisecond}})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	watch, err := r.Watch(bounded(t))
	require.NoError(t, err)
	relay.Freeze()
	var last error
	for _, last = range watch {
	}
	require.ErrorContains(t, last, "look for changes")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = r.Lookup(ctx, "bank")
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	relay.Thaw()
	watch, err = r.Watch(bounded(t))
	require.NoError(t, err)
	putHost(t, open(t, dsn, Options{}), "bank", "new.example")
	await(t, watch, "bank")
}

func TestEightRegistriesLoseNoUpdate(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dsn := s.schema(t)
	const registries, updates = 8, 20
	first := open(t, dsn, Options{})
	c := sample("bank")
	c.Port = 1
	put(t, first, c)
	var working sync.WaitGroup
	for range registries {
		r := open(t, dsn, Options{})
		working.Go(func() {
			for range updates {
				if !assert.NoError(t, increase(t.Context(), r)) {
					return
				}
			}
		})
	}
	working.Wait()
	c, err := first.Lookup(t.Context(), "bank")
	require.NoError(t, err)
	assert.EqualValues(t, 1+registries*updates, c.Port)
	assert.Equal(t, fmt.Sprint(1+registries*updates), c.Revision, "a refused change counts for nothing")
}

// increase changes the port by compare-and-swap.
func increase(ctx context.Context, r *Registry) error {
	for {
		c, err := r.Lookup(ctx, "bank")
		if err != nil {
			return err
		}
		c.Port++
		if _, err = r.Put(ctx, c); !errors.Is(err, hawser.ErrConflict) {
			return err
		}
	}
}

// A firewall that forgot every connection there is lets new ones pass.
func TestAWatchStandsThoughConnectionsWereForgotten(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	old, err := testserver.StartRelay(s.Addr(), testserver.RelayConfig{})
	require.NoError(t, err)
	defer func() { require.NoError(t, old.Close()) }()
	config, err := pgx.ParseConfig(s.schema(t))
	require.NoError(t, err)
	var forgotten atomic.Bool
	address := net.JoinHostPort("127.0.0.1", fmt.Sprint(old.Port()))
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if forgotten.Load() {
			return new(net.Dialer).DialContext(ctx, "tcp", s.Addr())
		}
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	r, err := OpenConfig(t.Context(), config, Options{Poll: never, listening: listening{quiet: never}})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	forgotten.Store(true)
	old.Freeze()
	ctx, cancel := context.WithCancel(t.Context()) // without a deadline, as that of a Manager
	defer cancel()
	_, err = r.Watch(ctx)
	require.NoError(t, err)
}

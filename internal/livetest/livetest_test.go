package livetest

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/standard"
)

func TestFollowMemory(t *testing.T) {
	Follow(t, &hawser.Memory{})
}

func TestFollowWithoutVersion(t *testing.T) {
	m := &hawser.Memory{}
	Follow(t, struct {
		hawser.Registry
		hawser.Writer
		hawser.Watcher
	}{m, m, m})
}

func TestFollowWithoutWatch(t *testing.T) {
	m := &hawser.Memory{}
	Follow(t, struct {
		hawser.Registry
		hawser.Writer
	}{m, m})
}

func TestOutage(t *testing.T) {
	f := &fragile{}
	f.start()
	Outage(t, f, f.stop, f.start)
}

func TestOutageWithoutVersion(t *testing.T) {
	f := &fragile{}
	f.start()
	Outage(t, struct {
		hawser.Registry
		hawser.Writer
		hawser.Watcher
	}{f, f, f}, f.stop, f.start)
}

func TestOutageWithoutWatch(t *testing.T) {
	f := &fragile{}
	f.start()
	Outage(t, struct {
		hawser.Registry
		hawser.Writer
	}{f, f}, f.stop, f.start)
}

// fragile is a Memory that can be stopped, which ends its watches.
type fragile struct {
	hawser.Memory
	mu   sync.Mutex // guards up and down
	up   context.Context
	down context.CancelFunc
}

var errDown = errors.New("the backend is down")

func (f *fragile) start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.up, f.down = context.WithCancel(context.Background())
}

func (f *fragile) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down()
}

func (f *fragile) running() (context.Context, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.up.Err() != nil {
		return nil, errDown
	}
	return f.up, nil
}

func (f *fragile) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	if _, err := f.running(); err != nil {
		return hawser.Connection{}, err
	}
	return f.Memory.Lookup(ctx, name)
}

func (f *fragile) Put(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
	if _, err := f.running(); err != nil {
		return hawser.Connection{}, err
	}
	return f.Memory.Put(ctx, c)
}

func (f *fragile) Watch(ctx context.Context) (iter.Seq2[hawser.Change, error], error) {
	up, err := f.running()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	context.AfterFunc(up, func() { cancel(errDown) })
	return f.Memory.Watch(ctx)
}

// What a crew finds wrong is what makes it a test.
func TestTransferTells(t *testing.T) {
	for _, protocol := range []hawser.Protocol{hawser.SFTP, hawser.FTP} {
		t.Run(string(protocol), func(t *testing.T) {
			a := newSite(t, protocol)
			c := newCrew(t, &hawser.Memory{}, "live", a)
			require.NoError(t, c.transfer(t.Context()))
			first := c.last()
			a.root = t.TempDir()
			require.ErrorContains(t, c.transfer(t.Context()), "the server has 0 of 40000 bytes")
			c.enforce(c.next(a)) // which nobody puts
			require.ErrorContains(t, c.transfer(t.Context()), "an open used edition 0 when edition 1 had been in force")
			require.Equal(t, 1, c.marks.opened(first.password))
			require.Equal(t, 1, a.sessions())
			a.allow(first.password, false)
			other := standard.New(c.reg, standard.Options{})
			_, err := other.Open(t.Context(), "live")
			require.ErrorIs(t, err, hawser.ErrAuth)
			require.NoError(t, other.Close())
		})
	}
}

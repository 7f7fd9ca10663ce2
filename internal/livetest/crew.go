package livetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/standard"
)

const (
	// patience bounds all that is waited for, on a busy machine.
	patience = time.Minute
	// glance lies between two looks at what is waited for.
	glance = 5 * time.Millisecond
	// sessions is the limit of the name, which its workers share.
	sessions = 10
)

// A crew is workers that transfer files through one name, again and again, while
// a test edits its definition. A transfer that fails ends its worker, and the test.
type crew struct {
	history
	marks   marker
	reg     hawser.Registry
	manager *hawser.Manager
	conn    hawser.Connection // as it was put last
	workers []*worker
	over    atomic.Bool
	done    sync.WaitGroup

	mu    sync.Mutex // guards what follows
	errs  []error
	notes map[string]int // details of lookups, see [hawser.Step]
}

// A worker counts its transfers.
type worker struct{ begun, ended atomic.Int64 }

// newCrew makes a crew for name, which is stored with its first edition, at a site.
func newCrew(t *testing.T, reg hawser.Registry, name string, at *site) *crew {
	t.Helper()
	c := &crew{reg: reg, manager: standard.New(reg, standard.Options{}), notes: map[string]int{}}
	c.marks.Dialer = c.manager.Dialer
	c.manager.Dialer = &c.marks
	t.Cleanup(func() { assert.NoError(t, c.manager.Close()) })
	c.conn = hawser.Connection{Name: name, Revision: hawser.AnyRevision, Limits: hawser.Limits{Sessions: sessions, Wait: patience}}
	c.edit(t, at)
	return c
}

// start lets n workers work until end.
func (c *crew) start(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	t.Cleanup(func() { // before that of the Manager
		c.over.Store(true)
		if t.Failed() {
			cancel() // for a transfer may hang
		}
		c.done.Wait()
		cancel()
	})
	ctx = hawser.WithTrace(ctx, &hawser.Trace{Step: c.note})
	for range n {
		w := &worker{}
		c.workers = append(c.workers, w)
		c.done.Go(func() { c.work(ctx, w) })
	}
	c.settle(t)
}

func (c *crew) note(_ string, s hawser.Step) {
	if s.Phase != hawser.PhaseLookup {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes[s.Detail]++
}

func (c *crew) work(ctx context.Context, w *worker) {
	for !c.over.Load() {
		w.begun.Add(1)
		if err := c.transfer(ctx); err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.errs = append(c.errs, fmt.Errorf("a transfer failed: %w", err))
			return
		}
		w.ended.Add(1)
	}
}

// end lets every worker end its transfer, and checks that none failed.
func (c *crew) end(t *testing.T) {
	t.Helper()
	c.over.Store(true)
	c.done.Wait()
	require.NoError(t, c.failure())
}

func (c *crew) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.errs[:min(3, len(c.errs))]...)
}

// transfer uploads a file and downloads it again.
func (c *crew) transfer(ctx context.Context) error {
	least := c.least()
	return hawser.Use(ctx, c.manager, c.conn.Name, func(ctx context.Context, s *marked) error {
		e, err := c.find(s.password)
		if err != nil {
			return err
		}
		if e.number < least {
			return fmt.Errorf("an open used edition %d when edition %d had been in force", e.number, least)
		}
		files, ok := hawser.As[hawser.FileSystem](s)
		if !ok {
			return errors.New("the session has no files")
		}
		return there(ctx, files, e.at.root)
	})
}

// there uploads a file to the server whose files are in root, and looks whether it
// is whole, there and by a download.
func there(ctx context.Context, files hawser.FileSystem, root string) error {
	name, content := "upload-"+rand.Text(), make([]byte, 40_000)
	_, _ = rand.Read(content)
	w, err := files.Create(ctx, name, 0)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	stored, err := os.ReadFile(filepath.Join(root, name))
	if err != nil || !bytes.Equal(content, stored) {
		return fmt.Errorf("the server has %d of %d bytes: %w", len(stored), len(content), err)
	}
	r, err := files.Open(ctx, name, 0)
	if err != nil {
		return err
	}
	back, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	if !bytes.Equal(content, back) {
		return fmt.Errorf("the download of %d bytes is not what was uploaded", len(back))
	}
	return files.Remove(ctx, name)
}

// settle waits until every worker has ended a transfer that it began after now.
func (c *crew) settle(t *testing.T) {
	t.Helper()
	wanted := make([]int64, len(c.workers))
	for i, w := range c.workers {
		wanted[i] = w.begun.Load() + 1
	}
	c.eventually(t, "every worker transfers a file", func() bool {
		for i, w := range c.workers {
			if w.ended.Load() < wanted[i] {
				return false
			}
		}
		return true
	})
}

// eventually waits until condition holds, while no transfer fails.
func (c *crew) eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	looks := time.NewTicker(glance)
	defer looks.Stop()
	for deadline := time.Now().Add(patience); !condition(); <-looks.C {
		require.NoError(t, c.failure(), "while waiting until %s", what)
		require.True(t, time.Now().Before(deadline), "not after %v: %s", patience, what)
	}
}

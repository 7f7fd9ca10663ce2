package file_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/atomicfile"
	"github.com/hawser/hawser/registry/file"
)

const (
	childDo   = "HAWSER_TEST_CHILD" // what the process is to do
	childPath = "HAWSER_TEST_PATH"
)

// child is what the processes do that the tests start.
func child(do string) int {
	r, err := file.Open(os.Getenv(childPath), file.Options{})
	if err == nil {
		defer r.Close()
		switch do {
		case "write":
			err = writeForever(r)
		case "count":
			err = count(r)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// writeForever puts and deletes until it is killed. It says each generation after it
// was stored.
func writeForever(r *file.Registry) error {
	for {
		c, err := r.Lookup(context.Background(), "steady")
		if err != nil {
			return err
		}
		c.Port++
		c.Description = generation(c.Port)
		if c, err = r.Put(context.Background(), c); err != nil {
			return err
		}
		fmt.Println(c.Port)
		if c.Port%2 == 0 {
			_, err = r.Put(context.Background(), mail("fleeting", "h"))
		} else {
			err = r.Delete(context.Background(), "fleeting", hawser.AnyRevision)
		}
		if err != nil && !errors.Is(err, hawser.ErrNotFound) && !errors.Is(err, hawser.ErrConflict) {
			return err
		}
	}
}

// generation is a text that is torn easily.
func generation(n uint16) string {
	var text []byte
	for range 1200 {
		text = append(strconv.AppendInt(text, int64(n), 10), '\n')
	}
	return string(text)
}

const increments = 12

// count adds to a number by compare and swap.
func count(r *file.Registry) error {
	for done := 0; done < increments; {
		c, err := r.Lookup(context.Background(), "counter")
		if err != nil {
			return err
		}
		c.Port++
		switch _, err := r.Put(context.Background(), c); {
		case err == nil:
			done++
		case !errors.Is(err, hawser.ErrConflict):
			return err
		}
	}
	return nil
}

func start(t *testing.T, do, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childDo+"="+do, childPath+"="+path)
	return cmd
}

func lock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), prompt)
	defer cancel()
	unlock, err := atomicfile.Lock(ctx, path)
	require.NoError(t, err, "the lock is not free")
	return unlock
}

func TestProcessesDoNotLoseEachOthersChanges(t *testing.T) {
	t.Parallel()
	const processes = 8
	path := quickPath(t, "r.yaml")
	r := open(t, path, file.Options{})
	c := mail("counter", "h")
	c.Port = 1
	put(t, r, c)
	var wg sync.WaitGroup
	for range processes {
		cmd := start(t, "count", path)
		wg.Go(func() {
			out, err := cmd.CombinedOutput()
			assert.NoError(t, err, string(out))
		})
	}
	wg.Wait()
	assert.EqualValues(t, 1+processes*increments, lookup(t, r, "counter").Port)
}

func TestAKilledWriterLeavesTheOldOrTheNew(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"r.yaml", "r.json"} {
		for part := range 2 {
			t.Run(fmt.Sprint(name, " ", part), func(t *testing.T) {
				t.Parallel()
				path := quickPath(t, name)
				r := open(t, path, file.Options{})
				c := mail("steady", "h")
				c.Port, c.Description = 1, generation(1)
				put(t, r, c)
				put(t, r, mail("untouched", "h"))
				require.NoError(t, r.Close())
				for range rounds() {
					killWriter(t, path)
				}
				t.Logf("%d generations", lookup(t, open(t, path, file.Options{}), "steady").Port)
			})
		}
	}
}

func rounds() int {
	if testing.Short() {
		return 3
	}
	return 12
}

// killWriter kills a writer at some moment of its work, and looks at what it left.
func killWriter(t *testing.T, path string) {
	t.Helper()
	cmd := start(t, "write", path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var stored uint16
	for range 11 + rand.IntN(14) { // each is two writes, so that all rounds are a thousand at least
		_, err = fmt.Fscanln(out, &stored)
		require.NoError(t, err, "the writer did not write")
	}
	pause(t, time.Duration(rand.IntN(3_000))*time.Microsecond)
	require.NoError(t, cmd.Process.Kill())
	for { // what it said before it died
		var n uint16
		if _, err := fmt.Fscanln(out, &n); err != nil {
			break
		}
		stored = n
	}
	require.Error(t, cmd.Wait(), "the writer ended by itself")

	lock(t, path)()
	r := open(t, path, file.Options{})
	c := lookup(t, r, "steady")
	assert.Contains(t, []uint16{stored, stored + 1}, c.Port, "a change that was reported is lost")
	require.Equal(t, generation(c.Port), c.Description, "a torn connection")
	assert.Equal(t, "h", lookup(t, r, "untouched").Host)
	require.NoError(t, r.Close())
	if _, err := os.Stat(path + ".bak"); err == nil {
		require.NoError(t, os.WriteFile(path+".bak"+path[len(path)-5:], []byte(content(t, path+".bak")), 0o600))
		backup, err := file.Open(path+".bak"+path[len(path)-5:], file.Options{})
		require.NoError(t, err, "a torn backup")
		require.NoError(t, backup.Close())
	}
}

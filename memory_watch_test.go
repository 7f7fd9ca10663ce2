package hawser_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func watch(ctx context.Context, t *testing.T, m *hawser.Memory) iter.Seq2[hawser.Change, error] {
	t.Helper()
	changes, err := m.Watch(ctx)
	require.NoError(t, err)
	return changes
}

func TestMemoryWatch(t *testing.T) {
	t.Parallel()
	t.Run("tells every change after Watch returned, also before the loop begins", func(t *testing.T) {
		t.Parallel()
		m := hawser.NewMemory(named("old", ftp, ""))
		changes := watch(t.Context(), t, m)
		put(t, m, "a", "")
		put(t, m, "b", "")
		require.NoError(t, m.Delete(t.Context(), "old", hawser.AnyRevision))
		var names []string
		for change, err := range changes {
			require.NoError(t, err)
			if names = append(names, change.Name); len(names) == 3 {
				break
			}
		}
		require.ElementsMatch(t, []string{"a", "b", "old"}, names)
	})
	t.Run("tells many changes of one name once", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var m hawser.Memory
			changes := watch(ctx, t, &m)
			for range 10 {
				put(t, &m, "a", hawser.AnyRevision)
			}
			told := 0
			for _, err := range changes {
				if err == nil {
					told++
				}
			}
			require.Equal(t, 1, told)
		})
	})
	t.Run("tells nothing of what is refused", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			m := hawser.NewMemory(named("a", ftp, ""))
			changes := watch(ctx, t, m)
			_, err := m.Put(t.Context(), named("a", ftp, ""))
			require.ErrorIs(t, err, hawser.ErrConflict)
			require.Error(t, m.Delete(t.Context(), "a", "0"))
			for change, err := range changes {
				require.ErrorIs(t, err, context.DeadlineExceeded, "%v", change)
			}
		})
	})
	t.Run("goes on where a loop was left", func(t *testing.T) {
		t.Parallel()
		var m hawser.Memory
		changes := watch(t.Context(), t, &m)
		want := map[string]bool{"a": true, "b": true, "c": true}
		for name := range want {
			put(t, &m, name, "")
		}
		for len(want) > 0 {
			for change, err := range changes {
				require.NoError(t, err)
				delete(want, change.Name)
				break
			}
		}
	})
	t.Run("ends with its context, whose error comes last", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var m hawser.Memory
			changes := watch(ctx, t, &m)
			time.AfterFunc(time.Minute, cancel)
			var errs []error
			for _, err := range changes {
				errs = append(errs, err)
			}
			require.Equal(t, []error{context.Canceled}, errs)
		})
	})
	t.Run("one that nobody ranges over leaves nothing running", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
			ctx, cancel := context.WithCancel(t.Context())
			var m hawser.Memory
			watch(ctx, t, &m)
			put(t, &m, "a", "")
			cancel()
			synctest.Wait()
			put(t, &m, "b", "")
		})
	})
	t.Run("many watch at once, and each is told", func(t *testing.T) {
		t.Parallel()
		var m hawser.Memory
		var all sync.WaitGroup
		for range 5 {
			changes := watch(t.Context(), t, &m)
			all.Go(func() {
				seen := map[string]bool{}
				for change, err := range changes {
					if !assert.NoError(t, err) {
						return
					}
					if seen[change.Name] = true; len(seen) == 40 {
						return
					}
				}
			})
		}
		for i := range 40 {
			all.Go(func() {
				_, err := m.Put(t.Context(), named(fmt.Sprint("c", i), ftp, ""))
				assert.NoError(t, err)
			})
		}
		all.Wait()
	})
	t.Run("the Registry may be used inside the loop", func(t *testing.T) {
		t.Parallel()
		var m hawser.Memory
		changes := watch(t.Context(), t, &m)
		put(t, &m, "a", "")
		for change, err := range changes {
			require.NoError(t, err)
			if change.Name == "b" {
				break
			}
			_, err = m.Lookup(t.Context(), change.Name)
			require.NoError(t, err)
			put(t, &m, "b", "")
		}
	})
}

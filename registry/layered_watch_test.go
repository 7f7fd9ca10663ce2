package registry_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLayeredWatch(t *testing.T) {
	t.Parallel()
	t.Run("tells of the changes of every layer", func(t *testing.T) {
		t.Parallel()
		file, etcd := &hawser.Memory{}, &hawser.Memory{}
		watch, err := layers(&registry.Environ{}, file, etcd).Watch(t.Context())
		require.NoError(t, err)
		missing := map[string]bool{"a": true, "b": true}
		for reg, name := range map[*hawser.Memory]string{file: "a", etcd: "b"} {
			_, err := reg.Put(t.Context(), conn(name, "x"))
			require.NoError(t, err)
		}
		for change, err := range watch {
			require.NoError(t, err)
			if delete(missing, change.Name); len(missing) == 0 {
				break
			}
		}
		for _, err := range watch {
			require.EqualError(t, err, "watch has ended: its loop was left")
		}
	})
	t.Run("is unsupported if one layer cannot be watched", func(t *testing.T) {
		t.Parallel()
		_, err := layers(&hawser.Memory{}, registry.ReadOnly(bare()), &hawser.Memory{}).Watch(t.Context())
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, "layer file: ")
	})
	t.Run("ends with the error of a layer", func(t *testing.T) {
		t.Parallel()
		watch, err := layers(&hawser.Memory{}, down(), &hawser.Memory{}).Watch(t.Context())
		require.NoError(t, err)
		count := 0
		for change, err := range watch {
			count++
			assert.Empty(t, change)
			assert.EqualError(t, err, "layer file: server is down")
		}
		assert.Equal(t, 1, count)
	})
	t.Run("leaves no goroutine when its loop is left or its context ends", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { // which fails if one is left
			ctx, cancel := context.WithCancel(t.Context())
			file := &hawser.Memory{}
			l := layers(&registry.Environ{}, file, &hawser.Memory{})
			for range 3 {
				watch, err := l.Watch(ctx)
				require.NoError(t, err)
				_, err = file.Put(ctx, hawser.Connection{Name: "a", Protocol: hawser.FTP, Host: "h", Auth: hawser.Auth{User: "u"}, Revision: hawser.AnyRevision})
				require.NoError(t, err)
				for range watch {
					break
				}
			}
			_, err := l.Watch(ctx) // nobody ranges over it
			require.NoError(t, err)
			watch, err := l.Watch(ctx)
			require.NoError(t, err)
			context.AfterFunc(t.Context(), cancel)
			go func() {
				synctest.Wait()
				cancel()
			}()
			var last error
			for _, err := range watch {
				last = err
			}
			assert.Equal(t, context.Canceled, last)
		})
	})
	t.Run("waits for the layers when its loop is left", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			slow := &slowToEnd{}
			watch, err := layers(resyncing{&hawser.Memory{}}, slow, &registry.Environ{}).Watch(t.Context())
			require.NoError(t, err)
			for range watch {
				break
			}
			assert.True(t, slow.ended, "its watch is over")
		})
	})
}

// slowToEnd takes an hour to end a watch.
type slowToEnd struct {
	hawser.Memory
	ended bool
}

func (s *slowToEnd) Watch(ctx context.Context) (iter.Seq2[hawser.Change, error], error) {
	return func(func(hawser.Change, error) bool) {
		<-ctx.Done()
		time.Sleep(time.Hour)
		s.ended = true
	}, nil
}

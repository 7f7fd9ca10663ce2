package changes_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hawser/hawser/internal/changes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errEnd = errors.New("the end")

// all ranges over q, which was ended.
func all(t *testing.T, ctx context.Context, q *changes.Queue) (names []string, last error) {
	t.Helper()
	for change, err := range q.All(ctx) {
		if last = err; err == nil {
			names = append(names, change.Name)
		}
	}
	return names, last
}

func TestQueue(t *testing.T) {
	t.Parallel()
	t.Run("tells each name once, and then the first error, again and again", func(t *testing.T) {
		t.Parallel()
		q := changes.New()
		q.Add("a", "b")
		q.Add("a")
		q.End(errEnd)
		q.End(errors.New("another"))
		names, err := all(t, t.Context(), q)
		assert.ElementsMatch(t, []string{"a", "b"}, names)
		assert.Equal(t, errEnd, err)
		names, err = all(t, t.Context(), q)
		assert.Empty(t, names)
		assert.Equal(t, errEnd, err)
	})
	t.Run("any name takes the place of all, and so do too many", func(t *testing.T) {
		t.Parallel()
		q := changes.New()
		q.Add("a", "")
		q.Add("b")
		many := changes.New()
		for i := range 10_001 {
			many.Add(fmt.Sprint(i))
		}
		for _, q := range []*changes.Queue{q, many} {
			q.End(errEnd)
			names, err := all(t, t.Context(), q)
			assert.Equal(t, []string{""}, names)
			assert.Equal(t, errEnd, err)
		}
	})
	t.Run("keeps what is left when its loop is left", func(t *testing.T) {
		t.Parallel()
		q := changes.New()
		q.Add("a", "b", "c")
		for range q.All(t.Context()) {
			break
		}
		q.End(errEnd)
		names, _ := all(t, t.Context(), q)
		assert.Len(t, names, 2)
	})
	t.Run("ends with its context, whose error it gives", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		q := changes.New()
		q.End(errEnd)
		for range 20 { // whichever of the two it sees first
			names, err := all(t, ctx, q)
			require.Empty(t, names)
			require.Equal(t, context.Canceled, err)
		}
	})
	t.Run("waits for what comes", func(t *testing.T) {
		t.Parallel()
		q := changes.New()
		go q.Add("a")
		for change, err := range q.All(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, "a", change.Name)
			break
		}
	})
}

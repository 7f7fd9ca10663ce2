package hawser_test

import (
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

func TestAs(t *testing.T) {
	t.Parallel()
	inner := &fakeSession{}
	t.Run("finds a type through wrappers", func(t *testing.T) {
		t.Parallel()
		got, ok := hawser.As[*fakeSession](wrapped{wrapped{inner}})
		require.True(t, ok)
		require.Same(t, inner, got)
	})
	t.Run("finds the outermost that fits", func(t *testing.T) {
		t.Parallel()
		got, ok := hawser.As[hawser.Session](wrapped{inner})
		require.True(t, ok)
		require.Equal(t, wrapped{inner}, got)
	})
	t.Run("finds nothing in what has nothing", func(t *testing.T) {
		t.Parallel()
		for _, s := range []hawser.Session{nil, inner, wrapped{inner}, wrapped{nil}} {
			_, ok := hawser.As[hawser.Runner](s)
			require.False(t, ok)
		}
	})
}

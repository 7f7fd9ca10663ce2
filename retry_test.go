package hawser_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func temporary(cause error) error {
	return &hawser.Error{Op: "open", Phase: hawser.PhaseConnect, Temporary: true, Err: cause}
}

// failing fails the first n dials with err and notes the time of each.
func failing(n int, err error) (*fakeDialer, *[]time.Time) {
	at := &[]time.Time{}
	return &fakeDialer{dial: func(context.Context, hawser.Connection) (hawser.Session, error) {
		*at = append(*at, time.Now())
		if len(*at) <= n {
			return nil, err
		}
		return &fakeSession{}, nil
	}}, at
}

func TestRetry(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		attempts int
		fails    int
		want     int
		ok       bool
	}{
		{"needs one attempt where nothing fails", 0, 0, 1, true},
		{"tries again what failed", 0, 2, 3, true},
		{"makes three attempts by default", 0, 99, 3, false},
		{"makes as many attempts as told", 5, 99, 5, false},
		{"makes one attempt when told one", 1, 99, 1, false},
		{"makes one attempt when told a negative number", -1, 99, 1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, at := failing(row.fails, temporary(errFake))
				s, err := (&hawser.Retry{Dialer: d, Attempts: row.attempts}).Dial(t.Context(), valid(ftp))
				require.Len(t, *at, row.want)
				if row.ok {
					require.NoError(t, err)
					require.NotNil(t, s)
				} else {
					require.ErrorIs(t, err, errFake)
					require.Nil(t, s)
				}
			})
		})
	}
	t.Run("doubles its pause, spread by a quarter", func(t *testing.T) {
		t.Parallel()
		for pause, first := range map[time.Duration]time.Duration{0: time.Second, time.Minute: time.Minute, -time.Hour: time.Second} {
			synctest.Test(t, func(t *testing.T) {
				d, at := failing(99, temporary(errFake))
				_, err := (&hawser.Retry{Dialer: d, Attempts: 6, Pause: pause}).Dial(t.Context(), valid(ftp))
				require.Error(t, err)
				want := float64(first)
				for i := range 5 {
					assert.InDelta(t, want, float64((*at)[i+1].Sub((*at)[i])), want/4+1)
					want *= 2
				}
			})
		}
	})
	t.Run("has no pause so long that it overflows", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			d, at := failing(99, temporary(errFake))
			_, err := (&hawser.Retry{Dialer: d, Pause: math.MaxInt64}).Dial(ctx, valid(ftp))
			require.ErrorIs(t, err, errFake)
			require.Len(t, *at, 1)
		})
	})
	for name, err := range map[string]error{
		"a refused login":              temporary(hawser.ErrAuth),
		"a refused identity":           temporary(hawser.ErrUntrusted),
		"an invalid connection":        temporary(hawser.ErrInvalid),
		"an error that nobody marked":  &hawser.Error{Err: errFake},
		"an error that is no *Error":   errFake,
		"an ended context":             temporary(context.Canceled),
		"a deadline that has passed":   temporary(context.DeadlineExceeded),
		"a protocol without a driver":  temporary(hawser.ErrNoDriver),
		"a connection that is unknown": temporary(hawser.ErrNotFound),
	} {
		t.Run("does not try again after "+name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, at := failing(99, err)
				_, got := (&hawser.Retry{Dialer: d}).Dial(t.Context(), valid(ftp))
				require.Equal(t, err, got)
				require.Len(t, *at, 1)
			})
		})
	}
	t.Run("a context that ends in a pause ends it", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			d, at := failing(99, temporary(errFake))
			start := time.Now()
			_, err := (&hawser.Retry{Dialer: d}).Dial(ctx, valid(ftp))
			require.ErrorIs(t, err, errFake, "the error of the last attempt")
			require.Len(t, *at, 1)
			require.Equal(t, 100*time.Millisecond, time.Since(start))
		})
	})
	t.Run("says in words that it has no Dialer", func(t *testing.T) {
		t.Parallel()
		_, err := (&hawser.Retry{}).Dial(t.Context(), valid(ftp))
		require.EqualError(t, err, "open bank: lookup: retry has no Dialer")
		require.NoError(t, (&hawser.Retry{}).Close())
	})
	t.Run("closes its Dialer", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{}
		require.NoError(t, (&hawser.Retry{Dialer: d}).Close())
		require.NoError(t, (&hawser.Retry{Dialer: onlyDials{}}).Close())
		require.Equal(t, 1, d.closed)
	})
}

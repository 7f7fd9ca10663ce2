package hawser_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		err  *hawser.Error
		want string
	}{
		{"of all there is", &hawser.Error{Op: "open", Phase: hawser.PhaseLogin, Name: "bank", Protocol: sftp, Addr: "h:22", Err: errFake}, "open bank: sftp h:22: login: fake failure"},
		{"without an address", &hawser.Error{Op: "open", Phase: hawser.PhaseLookup, Name: "bank", Protocol: sftp, Err: errFake}, "open bank: lookup: fake failure"},
		{"without a name", &hawser.Error{Op: "open", Protocol: sftp, Addr: "h:22", Err: errFake}, "open: sftp h:22: fake failure"},
		{"without a phase", &hawser.Error{Op: "run", Name: "bank", Err: errFake}, "run bank: fake failure"},
		{"without a protocol", &hawser.Error{Op: "open", Name: "bank", Addr: "h:22", Err: errFake}, "open bank: h:22: fake failure"},
		{"without a cause", &hawser.Error{Op: "open", Name: "bank"}, "open bank"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			require.EqualError(t, row.err, row.want)
		})
	}
	t.Run("matches its cause", func(t *testing.T) {
		t.Parallel()
		err := error(&hawser.Error{Err: fmt.Errorf("%w: %w", hawser.ErrAuth, io.EOF)})
		require.ErrorIs(t, err, hawser.ErrAuth)
		require.ErrorIs(t, err, io.EOF)
	})
}

func TestFieldError(t *testing.T) {
	t.Parallel()
	require.EqualError(t, &hawser.FieldError{Field: "tls.mode", Problem: "is odd"}, "tls.mode: is odd")
	require.EqualError(t, &hawser.FieldError{Problem: "want an object"}, "want an object")
	require.ErrorIs(t, &hawser.FieldError{}, hawser.ErrInvalid)
}

func TestPartialError(t *testing.T) {
	t.Parallel()
	err := &hawser.PartialError{Name: "in/a\x1b.csv", Good: 4096, Err: hawser.ErrLost}
	require.EqualError(t, err, `in/a\x1b.csv: complete up to byte 4096 only: connection lost`)
	require.ErrorIs(t, err, hawser.ErrLost)
}

func TestRetryable(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		err  error
		want bool
	}{
		{"nothing", nil, false},
		{"any error", errFake, false},
		{"an Error that nobody marked", &hawser.Error{Err: errFake}, false},
		{"an Error that is marked", temporary(errFake), true},
		{"a marked Error that is wrapped", fmt.Errorf("job: %w", temporary(errFake)), true},
		{"a marked Error around a lost connection", temporary(hawser.ErrLost), true},
		{"a marked Error around a busy server", temporary(hawser.ErrBusy), true},
		{"a marked Error around a failed proxy", temporary(hawser.ErrProxy), true},
		{"a marked Error around a refused login", temporary(hawser.ErrAuth), false},
		{"a marked Error around a refused identity", temporary(hawser.ErrUntrusted), false},
		{"a marked Error around an ended context", temporary(context.Canceled), false},
		{"a marked Error around a passed deadline", temporary(context.DeadlineExceeded), false},
		{"a marked Error around a message that may have been sent", temporary(hawser.ErrMaybeSent), false},
		{"a marked Error around what is not supported", temporary(errors.ErrUnsupported), false},
		{"a marked Error joined to a refusal", errors.Join(temporary(errFake), hawser.ErrAuth), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.want, hawser.Retryable(row.err))
		})
	}
}

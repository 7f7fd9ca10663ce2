package hawser_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
)

// A prober tries two ports.
type prober struct{ hawser.Dialer }

func (prober) Probe(_ context.Context, c hawser.Connection) iter.Seq2[hawser.Connection, hawser.Report] {
	return func(yield func(hawser.Connection, hawser.Report) bool) {
		c.Port = 1
		if !yield(c, hawser.Report{Name: c.Name, Err: errors.New(c.Auth.Password.Reveal())}) {
			return
		}
		c.Port = 2
		yield(c, hawser.Report{Name: c.Name})
	}
}

func TestProbe(t *testing.T) {
	t.Setenv("HAWSER_TEST_PROBE", "resolved")
	c := hawser.Connection{Name: "files", Protocol: hawser.FTP, Host: "localhost"}
	c.Auth.User, c.Auth.Password = "me", hawser.SecretRef("env:HAWSER_TEST_PROBE")
	manager := func(d hawser.Dialer) *hawser.Manager {
		return &hawser.Manager{Dialer: &hawser.Retry{Dialer: hawser.Mux{hawser.FTP: d}}}
	}
	t.Run("the driver gets the secrets, who asks gets them as they were stored", func(t *testing.T) {
		var ports []uint16
		for found, report := range manager(prober{}).Probe(t.Context(), c) {
			ports = append(ports, found.Port)
			assert.Equal(t, "env:HAWSER_TEST_PROBE", found.Auth.Password.Ref())
			if found.Port == 1 {
				assert.EqualError(t, report.Err, "resolved")
			}
		}
		assert.Equal(t, []uint16{1, 2}, ports)
	})
	t.Run("breaking out ends the search", func(t *testing.T) {
		for range manager(prober{}).Probe(t.Context(), c) {
			break
		}
	})
	t.Run("a driver that is no Prober is told apart", func(t *testing.T) {
		n := 0
		for _, report := range manager(struct{ hawser.Dialer }{}).Probe(t.Context(), c) {
			n++
			require.ErrorIs(t, report.Err, errors.ErrUnsupported)
		}
		assert.Equal(t, 1, n)
	})
	t.Run("an invalid connection is not tried", func(t *testing.T) {
		for _, report := range manager(prober{}).Probe(t.Context(), hawser.Connection{Protocol: hawser.FTP}) {
			require.ErrorIs(t, report.Err, hawser.ErrInvalid)
		}
	})
}

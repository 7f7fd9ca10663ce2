package hawser_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

func TestReportString(t *testing.T) {
	t.Parallel()
	lines := func(text ...string) string { return strings.Join(text, "\n") + "\n" }
	failed := func(phase hawser.Phase, err error) error {
		return &hawser.Error{Op: "open", Phase: phase, Name: "bank", Protocol: ftp, Addr: "192.0.2.1:21", Err: err}
	}
	t.Run("a step each, aligned", func(t *testing.T) {
		t.Parallel()
		r := hawser.Report{Name: "bank", Took: 12345 * time.Microsecond, Steps: []hawser.Step{
			{Phase: hawser.PhaseLookup},
			{Phase: hawser.PhaseLogin, Hop: "jump", Took: 1234567 * time.Nanosecond, Detail: "SSH-2.0-x"},
			{Phase: hawser.PhaseData, Took: 61812 * time.Nanosecond, Detail: "passive 192.0.2.1:40123, TLS 1.3 resumed"},
			{Phase: hawser.PhaseProbe, Took: 2*time.Minute + 1234*time.Millisecond, Detail: "2 entries in the login directory"},
		}}
		require.Equal(t, lines(
			"bank: ok after 12.3ms",
			"  lookup            0s",
			"  jump: login    1.2ms  SSH-2.0-x",
			"  data          61.8µs  passive 192.0.2.1:40123, TLS 1.3 resumed",
			"  probe         2m1.2s  2 entries in the login directory",
		), r.String())
		require.Equal(t, r.String(), fmt.Sprint(r))
	})
	t.Run("a failure with its hint, each error once", func(t *testing.T) {
		t.Parallel()
		refused := errors.New("port 40123 refused")
		r := hawser.Report{Steps: []hawser.Step{
			{Phase: hawser.PhaseData, Took: time.Second, Detail: "passive", Err: failed("data", refused), Hint: "open it"},
			{Phase: hawser.PhaseProbe, Took: time.Second, Err: failed("probe", fmt.Errorf("readdir: %w", refused)), Hint: "open it"},
		}}
		r.Err = r.Steps[1].Err
		require.Equal(t, lines(
			"connection: failed",
			"  data        1s  failed  passive",
			"  probe       1s  failed",
			"                  readdir: port 40123 refused",
			"                  hint: open it",
		), r.String())
	})
	t.Run("a failure that another way made good is told too", func(t *testing.T) {
		t.Parallel()
		r := hawser.Report{Name: "bank", Steps: []hawser.Step{
			{Phase: hawser.PhaseData, Detail: "passive", Err: failed("data", errFake), Hint: "open it"},
			{Phase: hawser.PhaseData, Detail: "active 192.0.2.1:20, in the clear"},
		}}
		require.Equal(t, lines(
			"bank: ok",
			"  data       0s  failed  passive",
			"                 fake failure",
			"                 hint: open it",
			"  data       0s  active 192.0.2.1:20, in the clear",
		), r.String())
	})
	t.Run("an error of no step, in several lines", func(t *testing.T) {
		t.Parallel()
		r := hawser.Report{Name: "bank", Err: errors.Join(
			&hawser.FieldError{Field: "host", Problem: "is empty"}, &hawser.FieldError{Field: "port", Problem: "is odd"},
		)}
		require.Equal(t, lines("bank: failed", "  host: is empty", "  port: is odd", "  hint: correct host, port"), r.String())
	})
	t.Run("what comes from elsewhere moves no cursor", func(t *testing.T) {
		t.Parallel()
		const evil = "\x1b[2J\r\nforged"
		r := hawser.Report{Name: evil, Steps: []hawser.Step{{Phase: evil, Hop: evil, Detail: evil, Err: errors.New(evil), Hint: evil}}}
		r.Err = r.Steps[0].Err
		text := r.String()
		require.NotContains(t, text, "\x1b")
		require.NotContains(t, text, "\r")
		require.Len(t, strings.Split(text, "\n"), 6)
	})
}

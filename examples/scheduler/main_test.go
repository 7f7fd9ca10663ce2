package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hawser/hawser"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// story is what the program prints, with OLD, NEW and HOST for the addresses of
// the servers and TIME and DETAIL for what differs from run to run.
const story = `
tick 1  collect  partner  at OLD  found from-the-old-server.csv
tick 2  collect  partner  at OLD  found from-the-old-server.csv
tick 2  deliver  partner  at OLD  delivered report.txt
tick 3  collect  partner  at OLD  found from-the-old-server.csv
tick 3  check    host     at HOST  is up 3 weeks, 2 days

"partner" moves. The definition is edited: port OLD becomes NEW.
  Tested before it is saved:
    lookup TIME
    secrets TIME
    resolve TIME NEW
    connect TIME NEW
    trust TIME DETAIL
    login TIME DETAIL
    probe TIME 1 entries in the login directory
  Saved: revision FIRST becomes SECOND.
  The watch tells: "partner" is now at NEW, revision SECOND.
  An edit of the old revision is refused: connection was changed by someone else: "partner" is at revision SECOND, not FIRST.

tick 4  collect  partner  at NEW  found from-the-new-server.csv
tick 4  deliver  partner  at NEW  delivered report.txt
tick 5  collect  partner  at NEW  found from-the-new-server.csv
tick 6  collect  partner  at NEW  found from-the-new-server.csv
tick 6  deliver  partner  at NEW  delivered report.txt
tick 6  check    host     at HOST  is up 3 weeks, 2 days

11 runs so far took
  COUNT sessions to sftp NEW as jobs, which were used again COUNT times
  COUNT sessions to ssh HOST as jobs, which were used again COUNT times

Shutdown, while the job "backup" is at work:
tick 7  backup   partner  at NEW  wrote all of 32 MiB
A run after it is refused: open partner: manager is closed: use of closed network connection
`

func TestJobsFollowAnEdit(t *testing.T) {
	t.Parallel()
	for _, every := range []string{"0s", "10ms"} {
		t.Run("with a tick every "+every, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			require.NoError(t, run(t.Context(), []string{"-every", every}, &out))
			assert.Equal(t, strings.TrimSpace(story), strings.TrimSpace(timeless(t, out.String())))
		})
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"-every", "1h"}} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if args == nil {
			cancel()
		}
		var out bytes.Buffer
		assert.ErrorIs(t, run(ctx, args, &out), ctx.Err())
		assert.Empty(t, out.String())
	}
}

func TestJobThatFails(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	broken := errors.New("out of paper")
	s := newScheduler(
		&hawser.Manager{}, 0, &out,
		job{name: "print", connection: "printer", every: 1, do: func(context.Context, *hawser.Manager, string) (string, error) { return "", broken }},
		job{name: "count", connection: "none", every: 1, do: func(context.Context, *hawser.Manager, string) (string, error) { return "counted", nil }},
	)
	require.NoError(t, s.ticks(t.Context(), 2), "does not stop the scheduler")
	assert.Equal(t, 2, strings.Count(out.String(), "FAILED: out of paper"))
	assert.Equal(t, 2, strings.Count(out.String(), "counted"))
	assert.EqualError(t, s.failures(), "of 4 runs 2 failed")
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"-every -1s: want 0 or more": {"-every", "-1s"},
		`unexpected argument "1s"`:   {"1s"},
		"not defined: -x":            {"-x"},
		"invalid value":              {"-every", "often"},
	} {
		assert.ErrorContains(t, run(t.Context(), args, io.Discard), want)
	}
	var out bytes.Buffer
	assert.ErrorIs(t, run(t.Context(), []string{"-h"}, &out), flag.ErrHelp)
	assert.Contains(t, out.String(), "-every time")
}

// timeless puts names in the place of what differs from run to run.
func timeless(t *testing.T, text string) string {
	t.Helper()
	move := regexp.MustCompile(`port (\d+) becomes (\d+)`).FindStringSubmatch(text)
	host := regexp.MustCompile(`host +at \S+:(\d+)`).FindStringSubmatch(text)
	require.NotNil(t, move, text)
	require.NotNil(t, host, text)
	revisions := regexp.MustCompile(`revision (\S+) becomes (\S+)\.`).FindStringSubmatch(text)
	require.NotNil(t, revisions, text)
	text = strings.ReplaceAll(text, "127.0.0.1:", "")
	text = strings.NewReplacer(move[1], "OLD", move[2], "NEW", host[1], "HOST", revisions[1], "FIRST", revisions[2], "SECOND").Replace(text)
	// Two jobs that run side by side may need two sessions or one.
	text = regexp.MustCompile(`\d+( sessions to .* again )\d+`).ReplaceAllString(text, "COUNT${1}COUNT")
	text = regexp.MustCompile(`(?m)^(    [a-z]+) +\d\S*s`).ReplaceAllString(text, "$1 TIME")
	text = regexp.MustCompile(`(?m)^(    (?:trust|login) TIME) .*$`).ReplaceAllString(text, "$1 DETAIL")
	text = regexp.MustCompile(`TIME +`).ReplaceAllString(text, "TIME ")
	return regexp.MustCompile(`(?m) +$`).ReplaceAllString(text, "")
}

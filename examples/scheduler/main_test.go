package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestJobsFollowAnEdit(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	before, rest, moved := strings.Cut(out.String(), "The partner moves")
	require.True(t, moved)
	assert.Equal(t, 2, strings.Count(before, "found from-the-old-server.csv"))
	assert.Equal(t, 2, strings.Count(rest, "found from-the-new-server.csv"))
	assert.NotContains(t, rest, "old-server")
	assert.Contains(t, rest, "the registry tells of a change: partner")
	assert.Contains(t, rest, "a stale edit is refused")
	assert.Equal(t, 4, strings.Count(out.String(), "wrote report.txt, 12 bytes"))
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, run(ctx, nil, &bytes.Buffer{}), context.Canceled)
}

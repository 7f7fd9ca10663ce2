package sql

import (
	"testing"

	"github.com/hawser/hawser/internal/livetest"
)

func TestJobsFollowEdits(t *testing.T) {
	livetest.Follow(t, newPlace(t, wal).open(t, Options{Key: newKey(t)}))
}

package postgres

import (
	"testing"

	"github.com/hawser/hawser/internal/livetest"
)

func TestJobsFollowEdits(t *testing.T) {
	livetest.Follow(t, open(t, newServer(t).schema(t), Options{Key: newKey(t)}))
}

func TestJobsOutliveARestart(t *testing.T) {
	s := newServer(t)
	livetest.Outage(t, open(t, s.schema(t), Options{Key: newKey(t)}), s.Stop, func() { s.Start(t) })
}

package etcd

import (
	"testing"

	"github.com/hawser/hawser/internal/livetest"
	"github.com/hawser/hawser/internal/testserver"
)

func TestJobsFollowEdits(t *testing.T) {
	livetest.Follow(t, openAt(t, dial(t, testserver.Etcd(t, testserver.EtcdConfig{})), Options{Key: newKey(t)}))
}

func TestJobsOutliveARestart(t *testing.T) {
	s := testserver.Etcd(t, testserver.EtcdConfig{})
	livetest.Outage(t, openAt(t, dial(t, s), Options{Key: newKey(t)}), s.Stop, func() { s.Start(t) })
}

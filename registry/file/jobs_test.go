package file_test

import (
	"testing"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/internal/livetest"
	"github.com/hawser/hawser/registry/file"
)

func TestRegistriesOfOneFile(t *testing.T) {
	hawsertest.TestRegistryHandles(t, func(t *testing.T, n int) []hawser.Registry {
		path, key := quickPath(t, "r.yaml"), newKey(t)
		regs := make([]hawser.Registry, n)
		for i := range regs {
			regs[i] = open(t, path, file.Options{Key: key})
		}
		return regs
	})
}

func TestJobsFollowEdits(t *testing.T) {
	livetest.Follow(t, open(t, quickPath(t, "r.yaml"), file.Options{Key: newKey(t)}))
}

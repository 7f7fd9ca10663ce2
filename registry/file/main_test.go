package file_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the entry of the processes that tests start.
func TestMain(m *testing.M) {
	if do := os.Getenv(childDo); do != "" {
		os.Exit(child(do))
	}
	goleak.VerifyTestMain(m)
}

package certs_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// writerEnv makes the test binary a process that writes to a store; see
// TestProcessesThatWriteAtOnceLoseNoEntry.
const writerEnv = "HAWSER_CERTS_TEST_WRITER"

func TestMain(m *testing.M) {
	if job := os.Getenv(writerEnv); job != "" {
		if err := writePins(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

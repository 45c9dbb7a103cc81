package partitions_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is the main function of the processes too.
func TestMain(m *testing.M) {
	if text := os.Getenv(taskVariable); text != "" {
		os.Exit(play(text))
	}
	goleak.VerifyTestMain(m)
}

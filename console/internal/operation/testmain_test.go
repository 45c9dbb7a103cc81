package operation_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is the main function of the processes that are killed too.
func TestMain(m *testing.M) {
	if text := os.Getenv(mortalVar); text != "" {
		os.Exit(mortal(text))
	}
	goleak.VerifyTestMain(m)
}

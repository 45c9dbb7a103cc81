// Package secrets holds a test: a worker that meets with every trouble there is tells nobody its password.
package secrets_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the test's binary the worker, when a test has started it as one.
func TestMain(m *testing.M) {
	if os.Getenv("BUNNICULA_SECRETS_WORKER") != "" {
		os.Exit(work(os.Stdin))
	}
	goleak.VerifyTestMain(m)
}

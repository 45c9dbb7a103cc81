// Package secrets has a test: a worker that meets every kind of trouble tells nobody its password.
package secrets_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the worker if a test has started this process as one.
func TestMain(m *testing.M) {
	if os.Getenv("BUNNICULA_SECRETS_WORKER") != "" {
		os.Exit(work(os.Stdin))
	}
	goleak.VerifyTestMain(m)
}

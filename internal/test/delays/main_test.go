package delays

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is a worker's main too.
func TestMain(m *testing.M) {
	if queue := os.Getenv(workerVariable); queue != "" {
		work(queue)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

package redis_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(workerVar) != "" {
		os.Exit(runAs(workerVar, order.work))
	}
	if os.Getenv(mortalVar) != "" {
		os.Exit(runAs(mortalVar, life.live))
	}
	goleak.VerifyTestMain(m)
}

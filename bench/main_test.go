package main

import (
	"os"
	"testing"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// TestMain runs a side's process if the environment asks for one.
func TestMain(m *testing.M) {
	if code, yes := turn.Take(findSide); yes {
		os.Exit(code)
	}
	if raceDetector {
		// Otherwise each side sleeps for a second at its end.
		os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	}
	os.Exit(m.Run())
}

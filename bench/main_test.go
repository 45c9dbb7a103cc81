package main

import (
	"os"
	"testing"
)

// TestMain runs a side's process if the environment asks for one.
func TestMain(m *testing.M) {
	if code, yes := isSide(); yes {
		os.Exit(code)
	}
	if raceDetector {
		// Otherwise each side sleeps for a second at its end.
		os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	}
	os.Exit(m.Run())
}

package main

import (
	"os"
	"testing"
)

// TestMain is a side's process, if one was asked for.
func TestMain(m *testing.M) {
	if code, yes := isSide(); yes {
		os.Exit(code)
	}
	if raceDetector {
		os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")) // else each side sleeps a second when it is done
	}
	os.Exit(m.Run())
}

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
	os.Exit(m.Run())
}

//go:build race

package main

// raceDetector is true if the race detector is on, which allocates and takes CPU by itself.
const raceDetector = true

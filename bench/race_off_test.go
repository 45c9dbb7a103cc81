//go:build !race

package main

// raceDetector allocates, and takes CPU, by itself.
const raceDetector = false

//go:build !race

package amqptest

// raceOverhead is by how much the race detector multiplies what a process needs.
const raceOverhead = 1

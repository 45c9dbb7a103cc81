//go:build !race

package amqptest

// raceOverhead is the factor by which the race detector increases the memory of a process.
const raceOverhead = 1

//go:build race

package redis_test

// slowed says that the race detector makes processes several times slower.
const slowed = true

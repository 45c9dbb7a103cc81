//go:build !race

package redis_test

const slowed = false

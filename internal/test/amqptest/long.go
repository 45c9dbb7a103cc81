package amqptest

import "testing"

// Long skips a test that takes long, because it waits or because it repeats, unless all tests run:
// make test-all.
func Long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes long, and runs with make test-all (go test without -short)")
	}
}

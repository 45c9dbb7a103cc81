package turn

import (
	"slices"
	"testing"
)

func TestSeveralQueuesHaveNamesOfTheirOwn(t *testing.T) {
	if got := (Order{Queue: "bench-x"}).QueueNames(); !slices.Equal(got, []string{"bench-x"}) {
		t.Errorf("got %v", got)
	}
	if got := (Order{Queue: "bench-x", Queues: 2}).QueueNames(); !slices.Equal(got, []string{"bench-x-0", "bench-x-1"}) {
		t.Errorf("got %v", got)
	}
}

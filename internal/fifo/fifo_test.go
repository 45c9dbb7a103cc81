package fifo

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestAQueueHasWhatASliceHas(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var q Queue[int]
	var want []int
	last, popped := 0, false
	for n := range 100_000 {
		switch i := random.IntN(8); {
		case i < 3:
			some := []int{n, n + 1, n + 2}[:random.IntN(4)]
			q.Push(some...)
			want = append(want, some...)
			popped = popped && len(some) == 0
		case i < 6 && len(want) > 0:
			if last = q.Pop(); last != want[0] {
				t.Fatalf("popped %d, want %d", last, want[0])
			}
			want, popped = want[1:], true
		case i == 6 && popped:
			q.Unpop(last)
			want, popped = slices.Insert(slices.Clone(want), 0, last), false
		case i == 7 && n%50 == 0:
			odd := func(x int) bool { return x%2 == 1 }
			q.Drop(odd)
			want, popped = slices.DeleteFunc(slices.Clone(want), odd), false
		}
		if q.Len() != len(want) || !slices.Equal(q.Left(), want) {
			t.Fatalf("it has %v, want %v", q.Left(), want)
		}
	}
}

// A queue that never becomes empty would grow without end.
func TestAQueueKeepsItsMemory(t *testing.T) {
	var q Queue[*int]
	for range 100 {
		q.Push(new(int))
	}
	for range 100_000 {
		q.Push(new(int))
		q.Pop()
	}
	if n := cap(q.items); n > 1000 {
		t.Errorf("100 items take the place of %d", n)
	}
	for i, item := range q.items[:cap(q.items)] {
		if own := i >= q.head && i < len(q.items); own != (item != nil) {
			t.Fatalf("place %d is kept: %t, want %t", i, item != nil, own)
		}
	}
}

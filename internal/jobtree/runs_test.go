package jobtree

import (
	"math/rand/v2"
	"testing"
)

func TestRunsAreAMap(t *testing.T) {
	const span = 2*chunkSize + 100
	random := rand.New(rand.NewPCG(1, 3))
	var r runs
	model := map[int]shapeID{}
	for range 200_000 {
		number := 1 + random.IntN(span)
		want, in := model[number]
		got, ok := r.get(number)
		if ok != in || got != want {
			t.Fatalf("get(%d) is %d, %t; want %d, %t", number, got, ok, want, in)
		}
		switch {
		case !in:
			model[number] = shapeID(random.IntN(2))
			r.put(number, model[number])
		case random.IntN(2) == 0:
			delete(model, number)
			if got, ok := r.take(number); !ok || got != want {
				t.Fatalf("take(%d) is %d, %t; want %d", number, got, ok, want)
			}
		}
	}
	if n := r.count(1, span); n != len(model) {
		t.Errorf("count is %d; want %d", n, len(model))
	}
	for range 1000 {
		first := 1 + random.IntN(span)
		last := first + random.IntN(span)
		want := 0
		for number := range model {
			if first <= number && number <= last {
				want++
			}
		}
		if n := r.count(first, last); n != want {
			t.Fatalf("count(%d, %d) is %d; want %d", first, last, n, want)
		}
	}
	for number := range model {
		r.take(number)
	}
	if !r.empty() {
		t.Errorf("%d chunks without numbers are left", len(r.chunks))
	}
}

func TestRunsOfOneShapeAreThoseFromOneOn(t *testing.T) {
	var r runs
	if r.are(0, leaf) {
		t.Error("no number is a shape")
	}
	for n := 1; n < chunkSize; n++ {
		if r.are(n, leaf) {
			t.Fatalf("1 to %d are there, not %d", n-1, n)
		}
		r.put(n, leaf)
		if !r.are(n, leaf) || r.are(n, leaf+1) || r.are(n+1<<16, leaf) {
			t.Fatalf("1 to %d are leaves, and no more", n)
		}
	}
	r.put(chunkSize, leaf)
	if r.are(chunkSize, leaf) {
		t.Error("more than a chunk is no shape")
	}
}

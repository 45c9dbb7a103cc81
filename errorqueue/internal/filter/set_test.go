package filter

import (
	"fmt"
	"testing"
	"time"
)

func TestALongListChoosesWhatAShortOneDoes(t *testing.T) {
	for _, n := range []int{1, mostFew, mostFew + 1, 1000} {
		var f Filter
		for i := range n {
			f.Marks = append(f.Marks, fmt.Sprint(2*i))
		}
		m, err := f.At(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 * n {
			if got := m.Matches(&Message{Mark: fmt.Sprint(i)}); got != (i%2 == 0) {
				t.Fatalf("of %d marks: message %d is chosen: %v", n, i, got)
			}
		}
	}
}

// Without a set 700,000 marks take some hours.
func TestAllMessagesOfALongQueueAreFoundAmongItsMarksInASecondOrTwo(t *testing.T) {
	const n = 700_000
	var f Filter
	for i := range n {
		f.Marks = append(f.Marks, fmt.Sprintf("%032x", i))
	}
	m, err := f.At(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	began, found := time.Now(), 0
	for _, mark := range f.Marks {
		if m.Matches(&Message{Mark: mark}) {
			found++
		}
	}
	if took := time.Since(began); found != n || took > 20*time.Second {
		t.Errorf("%d of %d found in %v", found, n, took)
	}
}

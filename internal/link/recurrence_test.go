package link

import (
	"fmt"
	"testing"
	"time"
)

func TestOneAndTheSameFailureIsNewsEveryHalfMinute(t *testing.T) {
	var r recurrence
	now := time.Now()
	said, quiet := 0, 0
	for range 65 { // seconds
		isNews, silent := r.comes("a: connection refused", now)
		if isNews {
			said, quiet = said+1, quiet+silent
		}
		now = now.Add(time.Second)
	}
	if said != 3 || quiet != 58 {
		t.Errorf("of 65 it was said %d times, and counted as silent %d times; want 3 and 58", said, quiet)
	}
	if isNews, _ := r.comes("b: connection refused", now); !isNews {
		t.Error("another address is not news")
	}
	r.over()
	if isNews, silent := r.comes("a: connection refused", now); !isNews || silent != 0 {
		t.Errorf("after a success: %v, %d", isNews, silent)
	}
	for i := range 1000 {
		r.comes(fmt.Sprint("read from port ", i), now)
	}
	if n := len(r.said); n > 100 {
		t.Errorf("%d failures are remembered", n)
	}
}

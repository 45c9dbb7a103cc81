package consumer_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// Customers that come and go for years must cost nothing. The end of the bubble finds goroutines.
func TestConsumersThatWereRemovedLeaveNothing(t *testing.T) {
	cycles := 1000
	if testing.Short() {
		cycles = 200
	}
	inLab(t, usual, func(l *lab) {
		p := l.process("worker")
		g := l.group(p, "orders")
		var gone []weak.Pointer[consumer.Consumer]
		routines := 0
		for i := range cycles {
			c := l.newOne(p, consumer.Spec{Queue: fmt.Sprint("customer", i%10), Name: fmt.Sprint("customer", i)})
			l.must(g.AddConsumer(context.Background(), c))
			l.publish(c.Topology().Names()[0], fmt.Sprint("m", i))
			l.must(g.Remove(context.Background(), c.Name()))
			gone = append(gone, weak.Make(c))
			if synctest.Wait(); i == 10 {
				routines = runtime.NumGoroutine()
			}
		}
		if n := runtime.NumGoroutine(); n > routines+2 {
			t.Errorf("%d goroutines, %d at first", n, routines)
		}
		runtime.GC()
		runtime.GC() // what the first has found to be unused may have kept a cleanup
		left := 0
		for _, w := range gone {
			if w.Value() != nil {
				left++
			}
		}
		if left > 20 { // of what was done last, stacks and pools may know
			t.Errorf("%d of %d consumers that were removed are in memory", left, len(gone))
		}
		wantNames(t, g, "orders")
		l.stopGroup(g)
	})
}

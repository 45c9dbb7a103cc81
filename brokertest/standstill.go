package brokertest

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// standstill says on stderr that a bubble does not come to rest. Otherwise a test that waits for a
// socket, for example because its app was made without Option and has found a real broker, hangs
// until the timeout of go test, and a dump of all goroutines is what tells of it.
//
// It is made outside of the bubble, and its goroutine is there. It writes to stderr, because what a
// test has logged is not printed when its time is over.
type standstill struct {
	rests atomic.Int64 // odd while the test waits for the bubble to come to rest
	end   chan struct{}
	ended chan struct{}
}

var (
	standsStill            = 10 * time.Second
	standstillTo io.Writer = os.Stderr
)

func watchStandstill(test string) *standstill {
	s := &standstill{end: make(chan struct{}), ended: make(chan struct{})}
	go s.watch(test)
	return s
}

// watch is the goroutine that stop waits for. It tells of one wait once.
func (s *standstill) watch(test string) {
	defer close(s.ended)
	tick := time.NewTicker(standsStill)
	defer tick.Stop()
	var last, told int64
	for {
		select {
		case <-s.end:
			return
		case <-tick.C:
		}
		now := s.rests.Load()
		if now%2 == 1 && now == last && now != told {
			told = now
			_, _ = fmt.Fprintf(standstillTo, "brokertest: %s: time stands still for %s: something in the bubble works, or waits for the world outside, such as a socket. Has each app the Option of the Broker?\n", test, standsStill)
		}
		last = now
	}
}

// waits is called before the test waits for its bubble, and what it returns afterwards.
func (s *standstill) waits() (over func()) {
	if s == nil {
		return func() {}
	}
	s.rests.Add(1)
	return func() { s.rests.Add(1) }
}

func (s *standstill) stop() {
	close(s.end)
	<-s.ended
}

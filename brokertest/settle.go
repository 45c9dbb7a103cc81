package brokertest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// Settle waits until nothing is left to be done: no message is ready, unacked, waiting, in
// quarantine or kept. What is parked stays. It waits for these consumers, by the names of their
// main queues, or for all queues if none is named. If that takes longer than within, the test fails
// and says what is where, also of an app that publishes to itself without end. A handler that does
// something after its ack, and a test's own goroutine that publishes, it cannot know: see Until.
func (b *Broker) Settle(within time.Duration, queues ...string) {
	b.t.Helper()
	for _, queue := range queues {
		if _, there := b.site.count(queue); !there {
			b.t.Fatalf("brokertest: Settle: %s", unknown(queue, b.site.queues()))
		}
	}
	left := func() string {
		mains := queues
		if len(mains) == 0 {
			mains = b.mains()
		}
		return b.unsettled(mains)
	}
	times, apart := b.site.calm()
	if !b.wait(within, times, func() bool { return left() == "" }) {
		b.t.Fatalf("brokertest: not settled after %s: %s", within, cmp.Or(left(), fmt.Sprintf(
			"nothing is left now, which is believed after %d looks, %s apart: give it longer", times, apart)))
	}
}

// unsettled says what is left to be done, or "".
func (b *Broker) unsettled(mains []string) string {
	var parts []string
	for _, queue := range mains {
		s, _ := b.status(queue)
		if s.Parked = 0; s != (Status{}) {
			parts = append(parts, fmt.Sprintf("%s has %s%s", queue, s, b.unconsumed(queue)))
		}
	}
	return strings.Join(parts, "; ")
}

// unconsumed says that nobody consumes a queue, or "".
func (b *Broker) unconsumed(queue string) string {
	if c, _ := b.site.count(queue); c.consumers > 0 {
		return ""
	}
	return ", and no consumer"
}

// mains are the queues that stand beside no other one: the main queues, and those that are no
// consumer's.
func (b *Broker) mains() []string {
	all := b.site.queues()
	beside := map[string]bool{}
	for _, main := range all {
		beside[topology.QuarantineQueue(main)] = true
		beside[topology.ErrorQueue(main)] = true
		for _, name := range all {
			beside[name] = beside[name] || isRetry(name, main)
		}
	}
	for _, main := range all {
		if !beside[main] {
			beside[b.errorQueue(main)] = true
		}
	}
	return slices.DeleteFunc(all, func(name string) bool { return beside[name] })
}

// Until waits until something is so. If that takes longer than within, the test fails with these
// words: what did not come true.
func (b *Broker) Until(within time.Duration, what string, is func() bool) {
	b.t.Helper()
	if !b.wait(within, 1, is) {
		b.t.Fatalf("brokertest: not after %s: %s", within, what)
	}
}

// wait waits until something is so at several looks, one after the other. It is false if the time
// is over. In memory it looks ever less often: an hour costs some thousand looks.
func (b *Broker) wait(within time.Duration, times int, is func() bool) bool {
	_, apart := b.site.calm()
	most := max(apart, within/3600)
	if b.InMemory() {
		most = max(time.Second, most)
	}
	end := time.Now().Add(within)
	for calm := 0; ; apart = min(apart+apart/2, most) {
		b.site.rest()
		if !is() {
			calm = 0
		} else if calm++; calm == times {
			return true
		}
		if !time.Now().Before(end) {
			return false
		}
		time.Sleep(min(apart, time.Until(end)+time.Millisecond))
	}
}

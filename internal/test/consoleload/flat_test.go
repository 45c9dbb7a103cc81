package consoleload

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

const (
	passes    = 20
	keptAfter = 5 * time.Minute // for which an earlier reading is kept
)

// TestMemoryIsFlatOverTwentyReadings reads one after the other, which keeps as many as there is
// memory for, and waits until they are dropped.
func TestMemoryIsFlatOverTwentyReadings(t *testing.T) {
	amqptest.Long(t)
	b := &table{t: t}
	defer b.print()
	n := min(*messages, 20_000)
	if !*settle {
		n = min(n, 2000)
	}
	queue := park(t, "flat", n)
	s := open(t, queue, amqptest.URL(t))
	s.get("/")
	before, _ := resident(t, s.process.Pid())
	var heaps []int64
	for range passes {
		s.read(false)
		heaps = append(heaps, s.heap().Live)
	}
	each := (heaps[passes-1] - heaps[0]) / (passes - 1)
	b.note(fmt.Sprintf("live heap after 1 and %d readings of %d", passes, n), mib(heaps[0])+", "+mib(heaps[passes-1]))
	b.add(each <= int64(n)*700+64<<10, "growth for each reading that is kept for 5 minutes", mib(each), mib(int64(n)*700+64<<10))
	now, highest := resident(t, s.process.Pid())
	b.note("RSS growth then", mib(now-before))
	b.bytes("RSS growth at its highest", highest-before, mostMemory+moreMemory)
	if !*settle {
		return
	}
	time.Sleep(keptAfter + 10*time.Second)
	last := s.heap().Live
	b.bytes(fmt.Sprintf("live heap when %d of them are dropped", passes-1), last, heaps[0]+heaps[0]/10)
}

// readAgain returns the first number that a link of a page has.
func readAgain(t *testing.T, g got, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindSubmatch(g.body)
	if m == nil {
		t.Fatalf("the page has no %s:\n%.3000s", pattern, g.body)
	}
	return string(m[1])
}

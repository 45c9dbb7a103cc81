package delays

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// newQueue returns the name of a queue that is deleted after the test, with all that a consumer on
// the Ladder has.
func newQueue(t *testing.T) string {
	t.Helper()
	var suffixes []string
	for _, rung := range topology.Ladder {
		suffixes = append(suffixes, topology.RetryQueue("", rung))
	}
	return amqptest.Queue(t, "delays", suffixes...)
}

// fleet is the worker processes of a queue, whose connections go through a proxy.
type fleet struct {
	t       *testing.T
	queue   string
	proxy   *amqptest.Proxy
	running []*amqptest.Process
	ended   []*amqptest.Process

	outage time.Duration // the longest time from a kill until its successor consumed
}

func newFleet(t *testing.T, queue string, workers int) *fleet {
	t.Helper()
	f := &fleet{t: t, queue: queue, proxy: amqptest.NewProxy(t, amqptest.URL(t))}
	for range workers {
		f.running = append(f.running, f.start())
	}
	for _, p := range f.running {
		p.Await("ready", 30*time.Second)
	}
	return f
}

func (f *fleet) start() *amqptest.Process {
	f.t.Helper()
	return amqptest.StartProcess(f.t, []string{workerVariable + "=" + f.queue, "AMQP_URL=" + f.proxy.URL()})
}

// kill kills a worker and starts another in its place.
func (f *fleet) kill(i int) {
	f.t.Helper()
	began := time.Now()
	f.running[i].Kill()
	f.ended = append(f.ended, f.running[i])
	f.running[i] = f.start()
	f.running[i].Await("ready", 30*time.Second)
	f.outage = max(f.outage, time.Since(began))
}

// cut cuts the connections of all workers, which connect again within some 20 ms.
func (f *fleet) cut() { f.proxy.Cut() }

// lines returns what all workers have said that begins with this word.
func (f *fleet) lines(word string) []string {
	var all []string
	for _, p := range slices.Concat(f.ended, f.running) {
		for _, line := range p.Lines() {
			if strings.HasPrefix(line, word+" ") {
				all = append(all, line)
			}
		}
	}
	return all
}

func (f *fleet) runs() []run {
	var all []run
	for _, line := range f.lines("run") {
		if r, ok := readRun(line); ok { // the last line of one that was killed may be cut
			all = append(all, r)
		}
	}
	return all
}

// stop ends all workers when the queues are empty, and reads them: they still are. A message that a
// killed worker had in hand may be there twice, and its double has to go its way too.
func (f *fleet) stop() {
	f.t.Helper()
	var names []string
	for _, suffix := range []string{"", "-error", "-quarantine"} {
		names = append(names, f.queue+suffix)
	}
	for _, rung := range topology.Ladder {
		names = append(names, topology.RetryQueue(f.queue, rung))
	}
	for empty := 0; empty < 10; time.Sleep(50 * time.Millisecond) { // what goes from one to another is in none
		empty++
		for _, name := range names {
			amqptest.Eventually(f.t, 30*time.Second, func() bool {
				n := amqptest.Depth(f.t, name)
				if n > 0 {
					empty = 0
				}
				return n == 0
			}, "%s does not become empty", name)
		}
	}
	for _, p := range f.running {
		p.Terminate()
	}
	for _, p := range f.running {
		if code := p.Wait(30 * time.Second); code != 0 {
			f.t.Errorf("a worker ended with code %d", code)
		}
	}
	for _, name := range names {
		if n := amqptest.Depth(f.t, name); n != 0 {
			f.t.Errorf("%d messages are left in %s", n, name)
		}
	}
}

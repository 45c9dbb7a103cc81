package snapshot

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// varied makes message i of many: each error text is another one, of some 80 bytes.
func varied(i int) errorqueue.Message {
	random := rand.New(rand.NewPCG(uint64(i), 1)) //nolint:gosec // it is to be the same each time
	body := make([]byte, 1500)
	copy(body, fmt.Sprintf(`{"order":%d}`, i))
	id := fmt.Sprintf("%08x-0000-7000-8000-%012x", random.Uint32(), i)
	return errorqueue.Message{
		Position: i + 1, ID: id, Mark: markOf(id, ""), Reason: "timeout", Group: fmt.Sprintf("%016x", i%300),
		Error: fmt.Sprintf("dial tcp 10.0.%d.%d:5432: connect: connection refused, order %d is not paid", i%256, i%200, i),
		Type:  "*net.OpError", Consumer: "orders", App: "shop", AppVersion: fmt.Sprintf("1.%d", i%5), Host: fmt.Sprintf("host-%d", i%40), Target: "orders",
		FirstFailedAt: epoch.Add(time.Duration(i) * time.Second / 10), FailedAt: epoch.Add(time.Duration(i)*time.Second/10 + time.Minute),
		Headers: map[string]any{"tenant": int64(i % 100), "trace": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, Body: body, BodySize: len(body),
	}
}

// measured is what an index of many messages costs.
type measured struct {
	fill, filter, again, page, message time.Duration
	marks, settled                     time.Duration // all marks, and the first and 9,999 other messages that are gone
	heap                               int64
}

// measure fills a snapshot and looks at it. f chooses some of the messages.
func measure(t *testing.T, n int, f errorqueue.Filter, change func(*Config)) (m measured) {
	t.Helper()
	before := inUse()
	began := time.Now()
	s := storeOf(t, &fake{}, func(c *Config) {
		c.SpoolDir = t.TempDir()
		change(c)
	}).newSnapshot("orders-error", func() bool { return false })
	t.Cleanup(s.drop)
	for i := range n {
		msg := varied(i)
		s.add(&msg)
	}
	s.end(nil)
	m.fill, m.heap = time.Since(began), inUse()-before

	find := func(p Page) (took time.Duration, rows []Row, total int) {
		began := time.Now()
		rows, total, err := s.Find(f, p)
		if err != nil {
			t.Fatal(err)
		}
		return time.Since(began), rows, total
	}
	took, rows, total := find(Page{})
	for range 4 { // a busy machine may be late
		s.finds = finds{}
		again, _, _ := find(Page{})
		took = min(took, again)
	}
	m.filter = took
	m.again, _, _ = find(Page{Offset: total - 50})
	f = errorqueue.Filter{}
	m.page, _, total = find(Page{Offset: n - 50})
	if total != n {
		t.Errorf("%d of %d are rows", total, n)
	}
	began = time.Now()
	if _, err := s.Message(rows[0].Mark); err != nil {
		t.Error(err)
	}
	m.message = time.Since(began)
	began = time.Now()
	marks, complete, err := s.Marks(errorqueue.Filter{})
	if err != nil || len(marks) != n || !complete {
		t.Errorf("%d marks, complete %v, %v", len(marks), complete, err)
	}
	m.marks, began = time.Since(began), time.Now()
	r := readingOf(t, s)
	for i := range 10_000 {
		r.Settled(marks[i*(n/10_000)])
	}
	m.settled = time.Since(began)
	if s.Gone() != 10_000 {
		t.Errorf("%d are gone", s.Gone())
	}
	return m
}

func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse) //nolint:gosec // less than 9 EB
}

func (m measured) check(t *testing.T, filter time.Duration, heap int64) {
	t.Helper()
	t.Logf("%+v, heap %d MiB", m, m.heap>>20)
	if amqptest.Raced() {
		return
	}
	if m.filter > filter || max(m.page, m.again, m.message) > 150*time.Millisecond || m.heap > heap {
		t.Errorf("want a filter below %v, pages and messages below 150 ms, heap below %d MiB", filter, heap>>20)
	}
}

// ordinary chooses by a text that all messages have in part.
var ordinary = errorqueue.Filter{Reasons: []string{"timeout"}, ErrorContains: "ORDER 77", OlderThan: time.Hour}

func Test100000MessagesAreFoundAtOnce(t *testing.T) {
	if amqptest.Raced() {
		amqptest.Long(t)
	}
	measure(t, 100_000, ordinary, func(*Config) {}).check(t, 500*time.Millisecond, 64<<20)
}

func Test700000MessagesFitIntoTheMemory(t *testing.T) {
	amqptest.Long(t)
	// It takes a quarter of a second if nothing else runs.
	measure(t, 700_000, ordinary, func(*Config) {}).check(t, time.Second, (256+64)<<20)
}

func Test700000MessagesAreFoundByKeys(t *testing.T) {
	amqptest.Long(t)
	index, err := errorqueue.NewValues("header.tenant", "body.order")
	if err != nil {
		t.Fatal(err)
	}
	f := errorqueue.Filter{Headers: []errorqueue.HeaderMatch{{Name: "tenant", Value: "77"}}, Body: []errorqueue.BodyMatch{{Path: "order", Value: "7777.0"}}}
	// Both keys of all messages are beyond 256 MiB.
	measure(t, 700_000, f, func(c *Config) { c.Index, c.Memory = index, 512<<20 }).check(t, time.Second, (512+64)<<20)
}

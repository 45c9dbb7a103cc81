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
	heap                               int64
}

func measure(t *testing.T, n int, spool string) (m measured) {
	t.Helper()
	before := inUse()
	began := time.Now()
	s := storeOf(t, &fake{}, func(c *Config) { c.SpoolDir = spool }).newSnapshot("orders-error", func() bool { return false })
	t.Cleanup(s.drop)
	for i := range n {
		msg := varied(i)
		s.add(&msg)
	}
	s.end(nil)
	m.fill, m.heap = time.Since(began), inUse()-before

	f := errorqueue.Filter{Reasons: []string{"timeout"}, ErrorContains: "ORDER 77", OlderThan: time.Hour}
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

func Test100000MessagesAreFoundAtOnce(t *testing.T) {
	if amqptest.Raced() {
		amqptest.Long(t)
	}
	measure(t, 100_000, t.TempDir()).check(t, 500*time.Millisecond, 64<<20)
}

func Test700000MessagesFitIntoTheMemory(t *testing.T) {
	amqptest.Long(t)
	// It takes a quarter of a second if nothing else runs.
	measure(t, 700_000, t.TempDir()).check(t, time.Second, (256+64)<<20)
}

package console

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Monitor counts what consumers of this process have parked, by kind of failure, so that pages tell
// of it before anybody reads the error queue. The zero Monitor is ready. Without fx give it to
// consumers beside others, by monitoring.Multi, and to the Console as Config.Monitor.
//
// It remembers the last 4,096 messages and 256 kinds of failure, in some 200 KiB. What is acked or
// retried costs it nothing.
type Monitor struct {
	mu    sync.Mutex
	last  []parking // a ring, once it is full
	next  int       // where the next one goes
	kinds map[kindKey]*parkedKind
}

// parking is that one message was parked.
type parking struct {
	at   time.Time
	kind *parkedKind
}

type kindKey struct{ queue, group string }

// parkedKind is a kind of failure. It is immutable, but for refers.
type parkedKind struct {
	queue  string // the consumer's main queue
	group  string
	reason monitoring.Reason
	err    string // an example
	refers int    // parkings of the ring; under Monitor.mu
}

const (
	mostParkings = 4096
	mostKinds    = 256
	mostKindText = 200 // bytes
)

// Begin returns ctx as it is.
func (m *Monitor) Begin(ctx context.Context, _ monitoring.Delivery) context.Context { return ctx }

// End counts a message that was parked.
func (m *Monitor) End(_ context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	if o.Action == monitoring.Parked {
		m.count(d, o, time.Now())
	}
}

func (m *Monitor) count(d monitoring.Delivery, o monitoring.Outcome, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := parking{at: now, kind: m.kindOf(d, o)}
	p.kind.refers++
	if len(m.last) < mostParkings {
		m.last = append(m.last, p)
		return
	}
	old := m.last[m.next].kind
	key := kindKey{old.queue, old.group}
	if old.refers--; old.refers == 0 && m.kinds[key] == old {
		delete(m.kinds, key)
	}
	m.last[m.next] = p
	m.next = (m.next + 1) % mostParkings
}

// kindOf returns the kind of a failure, one without a group if there are too many of them.
func (m *Monitor) kindOf(d monitoring.Delivery, o monitoring.Outcome) *parkedKind {
	key := kindKey{d.Queue, o.Group}
	if k := m.kinds[key]; k != nil {
		return k
	}
	if len(m.kinds) >= mostKinds {
		return &parkedKind{queue: d.Queue} // of no kind that is told apart
	}
	k := &parkedKind{queue: d.Queue, group: o.Group, reason: o.Reason}
	if o.Err != nil {
		k.err = foreign.Line(foreign.Text(o.Err, mostKindText), mostKindText)
	}
	if m.kinds == nil {
		m.kinds = map[kindKey]*parkedKind{}
	}
	m.kinds[key] = k
	return k
}

// parkedCount is how many messages of one kind were parked.
type parkedCount struct {
	Reason, Error string
	Group         string // the key of the group in the error queue, "" if it is not told apart
	Count         int
	Last          time.Time
}

// since returns what consumers of a queue, or of its partitions, have parked after a moment, the
// most frequent kind first. whole says that nothing of it was forgotten.
func (m *Monitor) since(queue string, after time.Time) (counts []parkedCount, total int, whole bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	whole = len(m.last) < mostParkings || m.last[m.next].at.Before(after)
	at := map[kindKey]int{}
	for _, p := range m.last {
		of, _, _ := topology.PartitionOf(p.kind.queue)
		if !p.at.After(after) || p.kind.queue != queue && of != queue {
			continue
		}
		total++
		key := kindKey{"", p.kind.group}
		i, known := at[key]
		if !known {
			i = len(counts)
			at[key] = i
			counts = append(counts, parkedCount{Reason: string(p.kind.reason), Error: p.kind.err, Group: p.kind.group})
		}
		counts[i].Count++
		if p.at.After(counts[i].Last) {
			counts[i].Last = p.at
		}
	}
	slices.SortStableFunc(counts, func(a, b parkedCount) int { return cmp.Compare(b.Count, a.Count) })
	return counts, total, whole
}

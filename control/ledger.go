package control

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/topology"
)

// subject is the part of a *consumer.Consumer that obeys.
type subject interface {
	Name() string
	Obey(o consumer.Order)
	Health() consumer.Health
	Running() []consumer.Running
}

// held is the Order of a consumer that started before the orders were known.
var held = consumer.Order{Paused: true, Why: "it is not known yet whether somebody has paused it: the stream of orders was not read"}

// member is a consumer of this process.
type member struct {
	subject     subject  // immutable
	names       []string // immutable; its name, and the queue of its partitions if it consumes one
	partitions  string   // immutable; that queue, or ""
	queue       string   // immutable
	connection  string   // immutable; Spec.Connection
	concurrency int      // immutable

	// Guarded by ledger.mu.
	obeys   consumer.Order
	orderID string
	since   time.Time // of held: when it could have worked without it; zero until then
}

// ledger has the orders that the process knows, and gives them to its consumers.
type ledger struct {
	mu      sync.Mutex
	book    *book // guarded by mu, and so are the fields below
	members map[subject]*member

	known   chan struct{} // closed when the orders were read, or cannot be: no consumer is held then
	settled sync.Once     // closes known
	changed func()        // immutable; called when keeper and scribe should look
}

func newLedger() *ledger {
	return &ledger{book: newBook(), members: map[subject]*member{}, known: make(chan struct{}), changed: func() {}}
}

func (l *ledger) isKnown() bool {
	select {
	case <-l.known:
		return true
	default:
		return false
	}
}

// enter takes a consumer in, and gives it its Order. hold has it wait for settle.
func (l *ledger) enter(s subject, concurrency int, hold bool) {
	h := s.Health()
	m := &member{subject: s, names: []string{nameIn(h.Name)}, queue: h.Queue, connection: h.Connection, concurrency: concurrency}
	if queue, _, ok := topology.PartitionOf(h.Queue); ok {
		m.partitions = queue
		m.names = append(m.names, queue)
	}
	defer l.changed()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.members[s] = m
	if hold && !l.isKnown() {
		m.obey(held, "")
		return
	}
	l.apply(m, time.Now())
}

// nameIn returns a consumer's name as orders have it: in UTF-8, and 255 bytes of it at most.
func nameIn(name string) string { return foreign.Cut(name, maxName) }

// leave forgets a consumer.
func (l *ledger) leave(s subject) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.members, s)
}

// obey gives the member an Order, unless it has it.
func (m *member) obey(o consumer.Order, id string) {
	m.orderID = id
	if m.obeys != o {
		m.obeys = o
		m.subject.Obey(o)
	}
}

// apply gives a member what the book has for it. l.mu is held.
func (l *ledger) apply(m *member, now time.Time) {
	e := l.book.of(now, m.names...)
	if e == nil {
		m.obey(consumer.Order{}, "")
		return
	}
	m.obey(e.forConsumer(), e.order.ID)
}

func (l *ledger) applyAll(now time.Time) {
	for _, m := range l.members {
		if l.isKnown() || m.obeys != held {
			l.apply(m, now)
		}
	}
}

// settle says that the orders are known, or cannot be: consumers that were held go on.
func (l *ledger) settle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settled.Do(func() { close(l.known) })
	l.applyAll(time.Now())
}

// dated is a record with the time at which it was written.
type dated struct {
	record  *record
	written time.Time
}

// fold takes the records of a stream from its first one on. What the process knows, and the stream
// has not, is to be written again at a time.
func (l *ledger) fold(all []dated, again time.Time) {
	defer l.changed()
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book.owe(again, l.book.kept(now)...)
	for _, d := range all {
		_, stale := l.book.add(d.record, earlier(d.written, now))
		l.book.owe(again, stale...)
	}
	l.settled.Do(func() { close(l.known) })
	l.applyAll(now)
}

// see takes the next record of the stream.
func (l *ledger) see(d dated, again time.Time) {
	defer l.changed()
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	changed, stale := l.book.add(d.record, earlier(d.written, now))
	l.book.owe(again, stale...)
	if len(changed) > 0 {
		l.applyAll(now)
	}
}

// tick ends orders whose time is over, and lets consumers go that were held for as long as there is
// patience. It returns their names, and when to call it again at the latest; zero is never.
func (l *ledger) tick(now time.Time, patience, maxAge time.Duration) (next time.Time, freed []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book.prune(now, maxAge)
	for _, m := range l.members {
		switch {
		case m.obeys != held || l.isKnown():
		case m.waited(now) >= patience:
			l.apply(m, now)
			freed = append(freed, m.names[0])
		default:
			next = now.Add(lookAtHeld)
		}
	}
	l.applyAll(now)
	slices.Sort(freed)
	return earlier(next, l.book.end(now)), freed
}

// waited returns for how long a consumer that is held could have worked.
func (m *member) waited(now time.Time) time.Duration {
	switch {
	case !m.subject.Health().Ready: // the broker is away, for example
		m.since = time.Time{}
	case m.since.IsZero():
		m.since = now
	default:
		return now.Sub(m.since)
	}
	return 0
}

// lookAtHeld is how often the connection of a consumer that is held is looked at.
const lookAtHeld = 250 * time.Millisecond

// due is that of the book.
func (l *ledger) due(now time.Time, after func(id string) time.Duration) (again []record, next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.book.due(now, after)
}

// oldest returns the standing order whose last record is the oldest, and how old that is.
func (l *ledger) oldest(now time.Time) (name string, age time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.book.standing(now) {
		if a := now.Sub(l.book.names[n].written); a > age {
			name, age = n, a
		}
	}
	return name, age
}

// concerned returns the consumers that a record names, all if it names none.
func (l *ledger) concerned(r *record) (members []*member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.members {
		if len(r.Consumers) == 0 || slices.ContainsFunc(m.names, func(n string) bool { return slices.Contains(r.Consumers, n) }) {
			members = append(members, m)
		}
	}
	slices.SortFunc(members, func(a, b *member) int {
		return cmp.Or(cmp.Compare(a.names[0], b.names[0]), cmp.Compare(a.connection, b.connection))
	})
	return members
}

// obeyed returns the id of the order that a member obeys, or "".
func (l *ledger) obeyed(m *member) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return m.orderID
}

// forConsumer returns the order as package consumer has it.
func (e *entry) forConsumer() consumer.Order {
	o := e.order
	why := "ordered by " + cmp.Or(foreign.Line(o.By, maxName), "somebody")
	if o.Why != "" {
		why += ": " + foreign.Line(o.Why, maxWhy)
	}
	if !o.Until.IsZero() {
		why += ", until " + foreign.Stamp(o.Until)
	}
	return consumer.Order{Paused: o.Kind == kindPause, Limit: o.Limit, Why: why}
}

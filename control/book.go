package control

import (
	"maps"
	"slices"
	"time"
)

// rank says which of two orders is the newer one, where the stream does not say it: a record that
// was written again stands behind all that came after its original. It is lexicographic.
type rank struct {
	seq int64
	id  string
}

func (r rank) below(o rank) bool { return r.seq < o.seq || r.seq == o.seq && r.id < o.id }

// entry is the order that a book has for one name.
type entry struct {
	order   *record   // immutable; shared by the names of one record
	seq     int64     // its rank: at least order.Seq, and above all that stood before it in the stream
	written time.Time // when its last record was written, by the clock of who wrote it
	owed    time.Time // when it is to be written again, whatever its age; zero is not
}

func (e *entry) rank() rank { return rank{e.seq, e.order.ID} }

// ended says whether the order's time is over.
func (e *entry) ended(now time.Time) bool {
	return !e.order.Until.IsZero() && !now.Before(e.order.Until)
}

// stands says whether the order has an effect.
func (e *entry) stands(now time.Time) bool { return e.order.Kind != kindResume && !e.ended(now) }

// book is what follows from the records of a stream: for each name the order that counts.
//
// An order counts from its place in the stream on, whatever seq it has. So all who read the stream
// from its first record on agree, even if two writers did not know of each other. The book raises
// the seq of such an order above those before it. A record that was written again has the seq that
// its writer's book had, and counts if its rank is above what is known. A book that has read more
// records never has a lower rank for a name than one that has read fewer, so what is written again
// changes nothing for a reader from the beginning, and the last order wins in any other book as
// soon as it was written again.
//
// A book is not safe for use by several goroutines.
type book struct {
	high  int64 // the highest seq
	names map[string]*entry
}

func newBook() *book { return &book{names: map[string]*entry{}} }

// add takes the next record of the stream. written is when it was written. changed are the names
// that have another order now. stale are those for which the record has an older order than the
// book: whoever reads only the end of the stream takes that for the last one, so the newer order
// is to be written again.
func (b *book) add(r *record, written time.Time) (changed, stale []string) {
	if !r.Kind.isOrder() {
		return nil, nil
	}
	seq := r.Seq
	if !r.Again {
		seq = min(max(seq, b.high+1), maxSeq)
	}
	b.high = max(b.high, seq)
	for _, name := range r.Consumers {
		known := b.names[name]
		switch {
		case known == nil:
		case known.order.ID == r.ID:
			known.seq, known.written, known.owed = max(known.seq, seq), later(known.written, written), time.Time{}
			continue
		case r.Again && (rank{seq, r.ID}).below(known.rank()):
			stale = append(stale, name)
			continue
		}
		b.names[name] = &entry{order: r, seq: seq, written: written}
		changed = append(changed, name)
	}
	return changed, stale
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// next returns the seq of the next order.
func (b *book) next() int64 { return min(b.high+1, maxSeq) }

// of returns the order that counts for a consumer which has these names, or nil: the newest of
// those that have not ended. A newer resume is nil too.
func (b *book) of(now time.Time, names ...string) *entry {
	var newest *entry
	for _, name := range names {
		if e := b.names[name]; e != nil && !e.ended(now) && (newest == nil || newest.rank().below(e.rank())) {
			newest = e
		}
	}
	if newest == nil || !newest.stands(now) {
		return nil
	}
	return newest
}

// standing returns the names that have an order with an effect, sorted.
func (b *book) standing(now time.Time) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(b.names)), func(name string) bool { return !b.names[name].stands(now) })
}

// matters returns which orders are lost if the stream drops their last record. A resume matters
// while an older order stands for another name: a consumer may have both, its own name and the
// queue of its partitions, and the resume lifts that order for it.
func (b *book) matters(now time.Time) func(e *entry) bool {
	var oldest *entry // of those that stand
	for _, e := range b.names {
		if e.stands(now) && (oldest == nil || e.rank().below(oldest.rank())) {
			oldest = e
		}
	}
	return func(e *entry) bool {
		if e.order.Kind != kindResume {
			return e.stands(now)
		}
		return oldest != nil && oldest.rank().below(e.rank())
	}
}

// kept returns the names whose orders are lost if the stream is, sorted.
func (b *book) kept(now time.Time) []string {
	matters := b.matters(now)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(b.names)), func(name string) bool { return !matters(b.names[name]) })
}

// due returns what is to be written again now, and when it is to be looked at next; zero if never.
// after is how old a record becomes, for an order's id.
func (b *book) due(now time.Time, after func(id string) time.Duration) (again []record, next time.Time) {
	names, matters := map[*record][]string{}, b.matters(now)
	var order []*record // in which they were met
	for _, name := range slices.Sorted(maps.Keys(b.names)) {
		e := b.names[name]
		at := e.owed
		if matters(e) {
			at = earlier(at, e.written.Add(after(e.order.ID)))
		}
		switch {
		case at.IsZero():
		case now.Before(at):
			next = earlier(next, at)
		default:
			if names[e.order] == nil {
				order = append(order, e.order)
			}
			names[e.order] = append(names[e.order], name)
		}
	}
	for _, o := range order {
		r := *o
		r.Consumers, r.Again, r.Seq = names[o], true, b.names[names[o][0]].seq
		again = append(again, r)
	}
	return again, next
}

// earlier returns the earlier one; zero is no time.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// owe has the orders of these names written again at a time, unless somebody else does before.
func (b *book) owe(at time.Time, names ...string) {
	for _, name := range names {
		if e := b.names[name]; e != nil {
			e.owed = earlier(e.owed, at)
		}
	}
}

// end returns when the next order ends by itself; zero if none does.
func (b *book) end(now time.Time) (next time.Time) {
	for _, e := range b.names {
		if e.stands(now) && !e.order.Until.IsZero() {
			next = earlier(next, e.order.Until)
		}
	}
	return next
}

// prune forgets orders without an effect whose records the stream has dropped long ago.
func (b *book) prune(now time.Time, maxAge time.Duration) {
	matters := b.matters(now)
	maps.DeleteFunc(b.names, func(_ string, e *entry) bool { return now.Sub(e.written) > 2*maxAge && !matters(e) })
}

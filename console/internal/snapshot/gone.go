package snapshot

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// gone says which rows are no longer in the queue, by bits. The zero value is none. Its owner locks
// it.
type gone struct {
	bits  []uint64
	count int

	// The rows that are not gone, by their marks: each bucket is a chain in the order of the queue.
	// nil before the first is gone.
	first, next []int32
}

const (
	markedCost       = 13 // bytes for each row: its places in first and next, and its bit
	none       int32 = -1
)

func has(bits []uint64, row int32) bool {
	at := int(row / 64)
	return at < len(bits) && bits[at]&(1<<(row%64)) != 0
}

// add notes that the first row with a mark that was not gone is gone, and returns which. There is
// none if the view has no such row.
func (g *gone) add(v view, k mark) (row int32, ok bool) {
	if g.next == nil {
		g.index(v)
	}
	from := &g.first[g.bucket(k)]
	for ; *from != none; from = &g.next[*from] {
		if row = *from; v.at(row).mark == k {
			*from = g.next[row] // so that many alike ones cost no more than few
			g.bits[row/64] |= 1 << (row % 64)
			g.count++
			return row, true
		}
	}
	return 0, false
}

// index puts all rows into their buckets.
func (g *gone) index(v view) {
	size := 1
	for size < v.n {
		size *= 2
	}
	g.bits, g.first, g.next = make([]uint64, (v.n+63)/64), make([]int32, size), make([]int32, v.n)
	for i := range g.first {
		g.first[i] = none
	}
	for row := int32(v.n) - 1; row >= 0; row-- { //nolint:gosec // no more than rows
		at := &g.first[g.bucket(v.at(row).mark)]
		g.next[row], *at = *at, row
	}
}

// bucket returns the place of a mark, which is a digest. There are 2 to some power of them.
func (g *gone) bucket(k mark) int {
	return int(binary.LittleEndian.Uint32(k[:])) & (len(g.first) - 1)
}

// Settled notes that a message is no longer in the queue, as errorqueue.RedriveOptions.Settled
// tells. Its row stays in its place: see Row.Gone. Of alike ones it is the first that is not gone.
func (r *Reading) Settled(text string) {
	k, ok := readMark(text)
	if !ok {
		return
	}
	r.mu.Lock()
	all := slices.DeleteFunc(r.snapshots(), func(s *Snapshot) bool { return s == r.running })
	for o := range r.observers {
		o.settled(k)
	}
	r.mu.Unlock()
	for _, s := range all {
		s.settled(k)
	}
}

// settled notes that a message is gone. The pass is over.
func (s *Snapshot) settled(k mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped {
		return
	}
	v := s.columns.view()
	if s.gone.next == nil {
		s.bytes += markedCost * int64(v.n)
		s.memory.spend(markedCost * int64(v.n))
	}
	row, ok := s.gone.add(v, k)
	if !ok {
		return
	}
	if g := s.tally.groups[v.texts[v.kinds[v.at(row).kind].group]]; g != nil {
		g.Gone++
	}
}

// Gone is how many rows are known to be no longer in the queue.
func (s *Snapshot) Gone() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.gone.count
}

// left is how many messages the pass, and operations after it, have left in the queue. It is -1 if
// unknown.
func (s *Snapshot) left() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.of < 0 {
		return -1
	}
	return max(0, s.of-s.gone.count)
}

// Left is how many of the chosen rows are not gone.
func (s *Snapshot) Left(f errorqueue.Filter) (int, error) {
	c, err := s.choose(f)
	if err != nil {
		return 0, err
	}
	n := 0
	for range c.left() {
		n++
	}
	return n, nil
}

// Marks returns the marks of the chosen rows that are not gone, in their order; alike ones have one
// each. complete says that these are all: the pass has read the whole queue, and each message is a
// row.
func (s *Snapshot) Marks(f errorqueue.Filter) (marks []string, complete bool, err error) {
	c, err := s.choose(f)
	if err != nil {
		return nil, false, err
	}
	var text strings.Builder // one text for all marks
	text.Grow(c.count() * markLength)
	one := make([]byte, markLength)
	for row := range c.left() {
		hex.Encode(one, c.view.at(row).mark[:])
		text.Write(one)
	}
	marks = make([]string, 0, text.Len()/markLength)
	for all := text.String(); len(all) > 0; all = all[markLength:] {
		marks = append(marks, all[:markLength])
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return marks, s.done && s.err == nil && s.tally.messages == s.columns.n, nil
}

const markLength = 2 * len(mark{}) // letters

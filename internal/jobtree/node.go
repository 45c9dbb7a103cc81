package jobtree

import (
	"encoding/binary"
	"maps"
	"slices"
)

// node is what is known of a node and its children. An unreported one is known because one below it
// was reported.
type node struct {
	reported bool
	saying
	kids  family  // the numbered children
	keyed *keyed  // nil: no child with a key is known
	pages *family // its continuations, if it is none itself. nil: none was reported
}

// saying is what the reports of a node have promised so far, without its keys.
type saying struct {
	out   []count // by queue, ascending; shared, so it is never changed
	n     int     // the numbered children are 1 to n
	again bool
}

type count struct {
	queue string
	n     int
}

// merged returns the larger number for each queue.
func merged(a, b []count) []count {
	larger := map[string]int{}
	for _, c := range slices.Concat(a, b) {
		larger[c.queue] = max(larger[c.queue], c.n)
	}
	return counts(larger)
}

// counts leaves out queues that got nothing.
func counts(out map[string]int) []count {
	var all []count
	for _, queue := range slices.Sorted(maps.Keys(out)) {
		if out[queue] > 0 {
			all = append(all, count{queue, out[queue]})
		}
	}
	return all
}

// family is the children of one kind of a node, by number. A closed one is a shape, and an open one
// is a node.
type family struct {
	closed runs
	open   map[int]*node
}

// keyed is the children with keys. Each key has a number, in the order in which they came.
type keyed struct {
	numbers  map[Hash]int
	promised runs // those in a report of the node
	family
}

func (k *keyed) number(h Hash) int {
	n, ok := k.numbers[h]
	if !ok {
		n = len(k.numbers) + 1
		k.numbers[h] = n
	}
	return n
}

func (n *node) withKeys() *keyed {
	if n.keyed == nil {
		n.keyed = &keyed{numbers: map[Hash]int{}}
	}
	return n.keyed
}

func (n *node) withPages() *family {
	if n.pages == nil {
		n.pages = &family{}
	}
	return n.pages
}

// shape is all that is to be known of a reported node whose children are all leaves without
// extras, or of which none is known. Most nodes of a job have one of a few shapes.
type shape struct {
	saying
	full bool // all children are reported
}

// shapeID is the place of a shape in its Tree. leaf is the shape without children.
type shapeID uint32

const leaf shapeID = 0

// shapes has each shape once.
type shapes struct {
	all []shape
	ids map[string]shapeID
}

func newShapes() shapes {
	s := shapes{ids: map[string]shapeID{}}
	s.id(shape{})
	return s
}

func (s *shapes) id(one shape) shapeID {
	if one.n == 0 && len(one.out) == 0 && !one.again && len(s.all) > 0 {
		return leaf
	}
	var flags byte
	if one.again {
		flags |= 1
	}
	if one.full {
		flags |= 2
	}
	text := append(make([]byte, 0, 64), flags)
	text = binary.AppendUvarint(text, uint64(one.n))
	for _, c := range one.out {
		text = binary.AppendUvarint(text, uint64(c.n))
		text = binary.AppendUvarint(text, uint64(len(c.queue)))
		text = append(text, c.queue...)
	}
	if id, ok := s.ids[string(text)]; ok {
		return id
	}
	id := shapeID(len(s.all))
	s.all = append(s.all, one)
	s.ids[string(text)] = id
	return id
}

// of returns the shape of a node, if it has one.
func (s *shapes) of(n *node) (shapeID, bool) {
	if !n.reported || n.keyed != nil || n.pages != nil || len(n.kids.open) > 0 {
		return 0, false
	}
	full := n.kids.closed.are(n.n, leaf)
	if !full && !n.kids.closed.empty() {
		return 0, false
	}
	return s.id(shape{n.saying, full}), true
}

// node makes the node that has this shape.
func (s *shapes) node(id shapeID) *node {
	known := s.all[id]
	n := &node{reported: true, saying: known.saying}
	if known.full {
		n.kids.closed = upTo(known.n, leaf)
	}
	return n
}

// take returns a child to change it, and put has to follow. Until then the child is not in closed.
func (s *shapes) take(f *family, number int) *node {
	if id, ok := f.closed.take(number); ok {
		return s.node(id)
	}
	if n, ok := f.open[number]; ok {
		return n
	}
	return &node{}
}

func (s *shapes) put(f *family, number int, n *node) {
	if id, ok := s.of(n); ok {
		if delete(f.open, number); len(f.open) == 0 {
			f.open = nil // a map does not shrink
		}
		f.closed.put(number, id)
		return
	}
	if f.open == nil {
		f.open = map[int]*node{}
	}
	f.open[number] = n
}

// reported says whether a child is reported, and whether it has a continuation.
func (s *shapes) reported(f *family, number int) (reported, again bool) {
	if id, ok := f.closed.get(number); ok {
		return true, s.all[id].again
	}
	if n, ok := f.open[number]; ok {
		return n.reported, n.again
	}
	return false, false
}

// count returns how many children from first to last are reported.
func (f *family) count(first, last int) int {
	n := f.closed.count(first, last)
	for number, child := range f.open {
		if child.reported && first <= number && number <= last {
			n++
		}
	}
	return n
}

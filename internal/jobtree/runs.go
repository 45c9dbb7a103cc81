package jobtree

import (
	"slices"
	"sort"
)

// chunkSize is how many numbers one chunk spans. What is put into a chunk in random order moves
// half of its runs at most: 8 KiB.
const chunkSize = 1 << 12

// runs is a map from numbers to shapes, which is small if neighbours have the same shape. Numbers
// that come in order are one run for each chunk; the worst order makes 2048 runs of a chunk, 16
// KiB.
type runs struct {
	chunks []chunk // ascending, none is empty
}

// chunk has the numbers from index*chunkSize on.
type chunk struct {
	index int32
	runs  []run // ascending
}

// run says that the numbers from first to last, relative to the chunk's, have a shape.
type run struct {
	first, last uint16
	shape       shapeID
}

func (r runs) empty() bool { return len(r.chunks) == 0 }

// chunk returns where the chunk with this index is, or belongs.
func (r runs) chunk(index int32) (int, bool) {
	if n := len(r.chunks); n > 0 && r.chunks[n-1].index < index {
		return n, false
	}
	at := sort.Search(len(r.chunks), func(i int) bool { return r.chunks[i].index >= index })
	return at, at < len(r.chunks) && r.chunks[at].index == index
}

// run returns where the first run is that ends at offset or behind it, and whether offset is in it.
func (c chunk) run(offset uint16) (int, bool) {
	if n := len(c.runs); n > 0 && c.runs[n-1].last < offset {
		return n, false
	}
	at := sort.Search(len(c.runs), func(i int) bool { return c.runs[i].last >= offset })
	return at, at < len(c.runs) && c.runs[at].first <= offset
}

func split(number int) (index int32, offset uint16) {
	return int32(number / chunkSize), uint16(number % chunkSize)
}

func (r runs) get(number int) (shapeID, bool) {
	index, offset := split(number)
	at, ok := r.chunk(index)
	if !ok {
		return 0, false
	}
	i, ok := r.chunks[at].run(offset)
	if !ok {
		return 0, false
	}
	return r.chunks[at].runs[i].shape, true
}

// put gives a shape to a number that has none.
func (r *runs) put(number int, shape shapeID) {
	index, offset := split(number)
	at, ok := r.chunk(index)
	if !ok {
		r.chunks = slices.Insert(r.chunks, at, chunk{index, nil})
	}
	c := &r.chunks[at]
	i, _ := c.run(offset)
	before := i > 0 && c.runs[i-1].shape == shape && c.runs[i-1].last+1 == offset
	behind := i < len(c.runs) && c.runs[i].shape == shape && c.runs[i].first == offset+1
	switch {
	case before && behind:
		c.runs[i-1].last = c.runs[i].last
		c.runs = slices.Delete(c.runs, i, i+1)
		c.shrink()
	case before:
		c.runs[i-1].last = offset
	case behind:
		c.runs[i].first = offset
	default:
		c.runs = slices.Insert(c.runs, i, run{offset, offset, shape})
	}
}

// shrink gives back the memory of runs that have become one.
func (c *chunk) shrink() {
	if len(c.runs) < cap(c.runs)/4 {
		c.runs = append(make([]run, 0, len(c.runs)), c.runs...)
	}
}

// take removes a number and returns its shape.
func (r *runs) take(number int) (shapeID, bool) {
	index, offset := split(number)
	at, ok := r.chunk(index)
	if !ok {
		return 0, false
	}
	c := &r.chunks[at]
	i, ok := c.run(offset)
	if !ok {
		return 0, false
	}
	old := c.runs[i]
	left, right := run{old.first, offset - 1, old.shape}, run{offset + 1, old.last, old.shape}
	switch {
	case old.first < offset && offset < old.last:
		c.runs[i] = left
		c.runs = slices.Insert(c.runs, i+1, right)
	case old.first < offset:
		c.runs[i] = left
	case offset < old.last:
		c.runs[i] = right
	default:
		c.runs = slices.Delete(c.runs, i, i+1)
	}
	if len(c.runs) == 0 {
		r.chunks = slices.Delete(r.chunks, at, at+1)
	}
	return old.shape, true
}

// count returns how many numbers from first to last there are.
func (r runs) count(first, last int) int {
	n := 0
	index, _ := split(first)
	at, _ := r.chunk(index)
	for ; at < len(r.chunks); at++ {
		base := int(r.chunks[at].index) * chunkSize
		if base > last {
			break
		}
		for _, one := range r.chunks[at].runs {
			n += max(0, min(last, base+int(one.last))-max(first, base+int(one.first))+1)
		}
	}
	return n
}

// are says whether the numbers are 1 to n, less than a chunk, and all have this shape.
func (r runs) are(n int, shape shapeID) bool {
	return n > 0 && n < chunkSize && len(r.chunks) == 1 && r.chunks[0].index == 0 &&
		len(r.chunks[0].runs) == 1 && r.chunks[0].runs[0] == run{1, uint16(n), shape}
}

// upTo returns runs in which the numbers 1 to n, less than a chunk, have this shape.
func upTo(n int, shape shapeID) runs {
	return runs{[]chunk{{0, []run{{1, uint16(n), shape}}}}}
}

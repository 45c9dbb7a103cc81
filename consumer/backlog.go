package consumer

// backlog is what was taken from the client and that no worker has begun, in the order in which it
// is to be handled. The zero backlog is empty. It keeps its memory while there is some of it.
type backlog struct {
	all   []*received
	first int // index of the first of all that is left
	bytes int // of the bodies that are left
}

func (b *backlog) len() int { return len(b.all) - b.first }

func (b *backlog) push(all ...*received) {
	if b.first > 0 && len(b.all)+len(all) > cap(b.all) {
		n := copy(b.all, b.all[b.first:])
		clear(b.all[n:])
		b.all, b.first = b.all[:n], 0
	}
	b.all = append(b.all, all...)
	for _, d := range all {
		b.bytes += d.size()
	}
}

// pop removes and returns the first; there is one.
func (b *backlog) pop() *received {
	d := b.all[b.first]
	b.all[b.first] = nil // its body may be large
	b.bytes -= d.size()
	if b.first++; b.first == len(b.all) {
		b.all, b.first = b.all[:0], 0
	}
	return d
}

// drain removes and returns all of them.
func (b *backlog) drain() []*received {
	all := b.all[b.first:]
	*b = backlog{}
	return all
}

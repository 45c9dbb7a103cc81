package consumer

import "github.com/bunnicula-go/bunnicula/internal/fifo"

// backlog is what was taken from the client and that no worker has begun, in the order in which it
// is to be handled. The zero backlog is empty.
type backlog struct {
	all   fifo.Queue[*received]
	bytes int // of their bodies
}

func (b *backlog) len() int { return b.all.Len() }

func (b *backlog) push(all ...*received) {
	b.all.Push(all...)
	for _, d := range all {
		b.bytes += d.size()
	}
}

// pop removes and returns the first; there is one.
func (b *backlog) pop() *received {
	d := b.all.Pop()
	b.bytes -= d.size()
	return d
}

// drain removes and returns all of them.
func (b *backlog) drain() []*received {
	all := b.all.Left()
	*b = backlog{}
	return all
}

package consumer

// backlog is what was taken from the client and that no worker has begun, in the order in which it
// is to be handed out. The zero backlog is empty.
type backlog struct {
	all   []*received
	bytes int // of their bodies
}

func (b *backlog) push(all ...*received) {
	b.all = append(b.all, all...)
	for _, d := range all {
		b.bytes += d.size()
	}
}

// pushFirst makes d the next one.
func (b *backlog) pushFirst(d *received) {
	b.all = append([]*received{d}, b.all...)
	b.bytes += d.size()
}

// pop removes and returns the next one, nil if there is none.
func (b *backlog) pop() *received {
	if len(b.all) == 0 {
		return nil
	}
	d := b.all[0]
	b.all[0] = nil // its body may be large
	if b.all = b.all[1:]; len(b.all) == 0 {
		b.all = nil
	}
	b.bytes -= d.size()
	return d
}

// drain removes and returns all of them.
func (b *backlog) drain() []*received {
	all := b.all
	*b = backlog{}
	return all
}

package peer

// unsettled holds the deliveries of a channel that have no ack yet. It is a ring, because tags are
// assigned in order and mostly acked in order. It grows when one tag stays unacked while very many
// others pass it.
type unsettled struct {
	owners []uint8 // by tag: 1 + the index of the consumer; 0 is settled
	first  uint64  // the oldest tag that may be unsettled
	next   uint64  // the next tag
}

// add assigns the next tag.
func (u *unsettled) add(consumer int) (tag uint64) {
	if u.next == 0 { // tags begin at 1
		u.first, u.next = 1, 1
	}
	if u.next-u.first == uint64(len(u.owners)) {
		u.grow()
	}
	tag = u.next
	*u.at(tag) = uint8(consumer + 1)
	u.next++
	return tag
}

func (u *unsettled) at(tag uint64) *uint8 { return &u.owners[tag&uint64(len(u.owners)-1)] }

func (u *unsettled) grow() {
	old := *u
	u.owners = make([]uint8, max(1024, 2*len(old.owners))) // a power of two
	for tag := old.first; tag < old.next; tag++ {
		*u.at(tag) = *old.at(tag)
	}
}

// settle settles one tag, or all tags up to it, and reports their consumers. It is false for a tag
// that is not unsettled. With multiple, 0 means all tags; it is then true even if there are none.
func (u *unsettled) settle(tag uint64, multiple bool, credit func(consumer int)) bool {
	if multiple && tag == 0 {
		if u.first == u.next {
			return true
		}
		tag = u.next - 1
	}
	if tag < u.first || tag >= u.next {
		return false
	}
	from := tag
	if multiple {
		from = u.first
	}
	found := false
	for t := from; t <= tag; t++ {
		if owner := u.at(t); *owner != 0 {
			credit(int(*owner) - 1)
			*owner = 0
			found = true
		}
	}
	for u.first < u.next && *u.at(u.first) == 0 {
		u.first++
	}
	return found
}

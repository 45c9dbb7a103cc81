package sending

import "slices"

// fifo is a queue that keeps its memory.
type fifo[T any] struct {
	items []T
	head  int // of those that are left
}

func (q *fifo[T]) len() int { return len(q.items) - q.head }

// left are those in the queue, in order.
func (q *fifo[T]) left() []T { return q.items[q.head:] }

func (q *fifo[T]) push(item T) {
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 {
		n := copy(q.items, q.left())
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, item)
}

// pop takes the oldest; there is one.
func (q *fifo[T]) pop() T {
	var none T
	item := q.items[q.head]
	q.items[q.head] = none
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return item
}

// unpop puts back the last that pop returned.
func (q *fifo[T]) unpop(item T) {
	if q.head == 0 {
		q.items = slices.Insert(q.items, 0, item)
		return
	}
	q.head--
	q.items[q.head] = item
}

// drop takes out all that f says.
func (q *fifo[T]) drop(f func(T) bool) {
	q.items = q.items[:q.head+len(slices.DeleteFunc(q.left(), f))]
}

// Package fifo has a queue that keeps its memory.
package fifo

import "slices"

// Queue is first in, first out. The zero Queue is empty. It is not for several goroutines at once.
type Queue[T any] struct {
	items []T
	head  int // index of the first of items that is left
}

// Len returns how many there are.
func (q *Queue[T]) Len() int { return len(q.items) - q.head }

// Left returns those in the queue, in order. They are the queue's own until it changes.
func (q *Queue[T]) Left() []T { return q.items[q.head:] }

// Push adds some at the end.
func (q *Queue[T]) Push(some ...T) {
	if len(q.items)+len(some) > cap(q.items) && q.head > len(q.items)/2 {
		n := copy(q.items, q.Left())
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, some...)
}

// Pop takes the oldest; there is one.
func (q *Queue[T]) Pop() T {
	var none T
	item := q.items[q.head]
	q.items[q.head] = none
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return item
}

// Unpop puts back the last that Pop returned.
func (q *Queue[T]) Unpop(item T) {
	if q.head == 0 {
		q.items = slices.Insert(q.items, 0, item)
		return
	}
	q.head--
	q.items[q.head] = item
}

// Drop takes out all that f says.
func (q *Queue[T]) Drop(f func(T) bool) {
	q.items = q.items[:q.head+len(slices.DeleteFunc(q.Left(), f))]
}

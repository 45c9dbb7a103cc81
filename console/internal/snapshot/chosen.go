package snapshot

import (
	"iter"
	"slices"
)

// chosen is rows by their index, all of them if there was no filter.
type chosen struct {
	view view
	all  bool
	rows []int32
}

func (c chosen) count() int {
	if c.all {
		return c.view.n
	}
	return len(c.rows)
}

func (c chosen) at(i int) int32 {
	if c.all {
		return int32(i) //nolint:gosec // no more than rows
	}
	return c.rows[i]
}

// left yields the chosen rows that are not gone.
func (c chosen) left() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for i := range c.count() {
			if row := c.at(i); !has(c.view.gone, row) && !yield(row) {
				return
			}
		}
	}
}

// before returns how many chosen rows are before a row, and whether the row is chosen.
func (c chosen) before(row int32) (int, bool) {
	if c.all {
		return int(row), true
	}
	return slices.BinarySearch(c.rows, row)
}

package snapshot

import "sync/atomic"

// budget is how many bytes all snapshots of a Store may take together.
type budget struct {
	most int64 // immutable
	used atomic.Int64
}

func newBudget(most int64) *budget { return &budget{most: most} }

// take says whether there are so many bytes left, and takes them if so.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) <= b.most {
		return true
	}
	b.used.Add(-n)
	return false
}

// spend takes bytes that are used already, and says whether there are any left.
func (b *budget) spend(n int64) bool { return b.used.Add(n) < b.most }

func (b *budget) give(n int64) { b.used.Add(-n) }

// tight says whether more than half of the bytes are taken.
func (b *budget) tight() bool { return b.used.Load() > b.most/2 }

package snapshot

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// timeline counts messages by time and version. Its step becomes longer when there are too many
// points, so its counts are always exact. The zero value is empty.
type timeline struct {
	most    int // cells, mostCells if it is 0; immutable
	step    int // of steps
	cells   map[cell]int
	undated int
}

// cell is a point: at counts steps since 1970.
type cell struct {
	at      int64
	version string
}

const (
	mostCells  = 10_000
	groupCells = 1000 // of a group, since there may be a thousand of these
)

var steps = []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 24 * time.Hour, 30 * 24 * time.Hour, 3650 * 24 * time.Hour}

func (t *timeline) add(at time.Time, version string) {
	if at.IsZero() {
		t.undated++
		return
	}
	if t.cells == nil {
		t.cells = map[cell]int{}
	}
	c := cell{floor(at.Unix(), t.seconds()), version}
	if t.cells[c] == 0 {
		c.version = strings.Clone(version)
	}
	t.cells[c]++
	for len(t.cells) > cmp.Or(t.most, mostCells) && t.step < len(steps)-1 {
		t.widen()
	}
}

// widen makes the step longer.
func (t *timeline) widen() {
	before := t.seconds()
	t.step++
	wider := map[cell]int{}
	for c, n := range t.cells {
		wider[cell{floor(c.at*before, t.seconds()), c.version}] += n
	}
	t.cells = wider
}

func (t *timeline) seconds() int64 { return int64(steps[t.step] / time.Second) }

func (t *timeline) report() Timeline {
	r := Timeline{Step: steps[t.step], Points: make([]Point, 0, len(t.cells)), Undated: t.undated}
	for c, n := range t.cells {
		r.Points = append(r.Points, Point{At: time.Unix(c.at*t.seconds(), 0).UTC(), Version: c.version, Count: n})
	}
	slices.SortFunc(r.Points, func(a, b Point) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Version, b.Version))
	})
	return r
}

// floor divides, also what was before 1970, to the number below.
func floor(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

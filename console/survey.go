package console

import (
	"hash/maphash"
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// survey is what a snapshot says of the chosen messages.
type survey struct {
	Count    int
	Found    []string // the marks of all of them, in the queue's order
	Rows     int      // that the snapshot has
	Listed   bool     // all messages that were read are rows
	Targets  []tally  // the queues that they came from; "" is unknown
	Versions []tally
	Kinds    []tally // the text of a failure of each kind
	Redrives []tally // ids of redrives after which they were parked again
	Redriven int     // of the chosen, how many were
	Alike    int     // how many have the id and the body of another one
	Bytes    int64   // of their bodies
	Slowest  time.Duration
	Latest   time.Time // when the last of them was parked
	Undated  int       // of them, those that do not say when they were parked
	Left     int       // chosen by what is gone on with, but redriven already and parked again

	ByMarks bool // the filter was compared to what Config.Redact has left, and chooses nothing itself
	Blind   bool // and not all that it chooses are rows, so that there are no marks of them
}

// tally is how often there is a value.
type tally struct {
	Value string
	Count int
}

const surveyPage = 10_000

// survey surveys what a selection chooses.
func (a *answer) survey(s *snapshot.Snapshot, sel selection, from goingOn) (survey, error) {
	filter, marks := from.chooses(sel)
	d, err := surveyOf(s, filter, marks, from.redrive())
	known := d.Listed || len(sel.Marks) > 0 || marks != nil
	d.ByMarks = a.console.cfg.Redact != nil && known
	d.Blind = a.console.cfg.Redact != nil && !known && !filter.IsZero()
	return d, err
}

// surveyOf surveys the chosen rows that are in the queue, and of them those with these marks,
// unless marks is nil. Those that the redrive with this id has moved already are left out.
func surveyOf(s *snapshot.Snapshot, f errorqueue.Filter, marks map[string]bool, redrive string) (survey, error) {
	var d survey
	targets, versions, redrives := map[string]int{}, map[string]int{}, map[string]int{}
	kinds, texts := map[string]int{}, map[string]string{}
	for from := 0; ; from += surveyPage {
		rows, total, err := s.Find(f, snapshot.Page{Offset: from, Limit: surveyPage})
		if err != nil {
			return d, err
		}
		if d.Found == nil && marks == nil {
			d.Found = make([]string, 0, total)
		}
		for i := range rows {
			r := &rows[i]
			switch {
			case r.Gone, marks != nil && !marks[r.Mark]:
				continue
			case redrive != "" && r.RedriveID == redrive:
				d.Left++
				continue
			}
			d.add(r)
			targets[r.Target]++
			versions[r.Version]++
			kinds[r.Group]++
			if texts[r.Group] == "" {
				texts[r.Group] = r.Error
			}
			if r.RedriveID != "" {
				redrives[r.RedriveID]++
			}
		}
		if from+surveyPage >= total {
			break
		}
	}
	d.Targets, d.Versions, d.Redrives = tallies(targets), tallies(versions), tallies(redrives)
	d.Kinds = tallies(kinds)
	for i := range d.Kinds {
		d.Kinds[i].Value = texts[d.Kinds[i].Value]
	}
	d.Alike = alike(d.Found)
	read, rows := s.Read()
	d.Rows, d.Listed = rows, rows == read
	return d, nil
}

// add adds a row.
func (d *survey) add(r *snapshot.Row) {
	d.Count++
	d.Bytes += int64(r.Size)
	d.Found = append(d.Found, r.Mark)
	if r.RedriveID != "" {
		d.Redriven++
	}
	if r.Since.IsZero() {
		d.Undated++
	} else if r.Since.After(d.Latest) {
		d.Latest = r.Since
	}
	if !r.FirstFailedAt.IsZero() && !r.FailedAt.IsZero() {
		d.Slowest = max(d.Slowest, r.FailedAt.Sub(r.FirstFailedAt))
	}
}

// before is a time before which all of them were parked, zero if that is unknown of one. A message
// that was moved and is parked again meanwhile has the mark that was counted, and a later time.
func (d *survey) before() time.Time {
	if d.Count == 0 || d.Undated > 0 {
		return time.Time{}
	}
	return d.Latest.Add(1)
}

const shownKinds = 4

// FirstKinds are the kinds of failure of most of the messages.
func (d survey) FirstKinds() []tally { return d.Kinds[:min(len(d.Kinds), shownKinds)] }

// MoreKinds is how many kinds those are not.
func (d survey) MoreKinds() int { return len(d.Kinds) - len(d.FirstKinds()) }

// tallies returns the values, the most frequent first.
func tallies(of map[string]int) []tally {
	all := make([]tally, 0, len(of))
	for v, n := range of {
		all = append(all, tally{v, n})
	}
	slices.SortFunc(all, func(a, b tally) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		if a.Value < b.Value {
			return -1
		}
		return 1
	})
	return all
}

// alike counts the marks that another one is like. It compares digests of 64 bits, with a seed that
// nobody knows: of 700,000 marks two are taken for alike once in 100 million plans.
func alike(marks []string) int {
	seed, n := maphash.MakeSeed(), 0
	sorted := make([]uint64, len(marks))
	for i, m := range marks {
		sorted[i] = maphash.String(seed, m)
	}
	slices.Sort(sorted)
	for i, m := range sorted {
		if i > 0 && sorted[i-1] == m || i+1 < len(sorted) && sorted[i+1] == m {
			n++
		}
	}
	return n
}

// verdict is how long a redrive takes, by its batches, and how long its first batch.
func verdict(count int, batches []int, watch time.Duration, rate float64) (first, all time.Duration) {
	each := time.Millisecond // a message
	if rate > 0 {
		each = time.Duration(float64(time.Second) / rate)
	}
	all = time.Duration(count) * each
	if len(batches) == 0 {
		return 0, all
	}
	n := batchCount(count, batches)
	return time.Duration(min(count, batches[0]))*each + watch, all + time.Duration(n-1)*watch
}

// batchCount is in how many batches a redrive moves so many messages. The last size is repeated.
func batchCount(count int, batches []int) int {
	n := 0
	for _, size := range batches {
		if count <= 0 {
			return n
		}
		n++
		count -= size
	}
	if count <= 0 || len(batches) == 0 {
		return n
	}
	last := batches[len(batches)-1]
	return n + (count+last-1)/last
}

// watchOf is how long a redrive watches a batch if nobody says how long: see
// errorqueue.RedriveOptions.
func watchOf(slowest time.Duration, to string) time.Duration {
	if to != "" {
		return time.Minute
	}
	return min(max(slowest+slowest/10+10*time.Second, time.Minute), time.Hour)
}

package snapshot

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// finds remembers which rows the last filters have chosen, so that the pages of a list cost one
// look at all rows. The zero value is empty.
type finds struct {
	mu     sync.Mutex
	latest []found // the newest last
	marked marked  // the row for which a page has looked last
}

// marked is the first row with a mark, and how many have it: none before the first look.
type marked struct {
	mark  string
	first int32
	alike int
}

type found struct {
	filter string
	rows   []int32
}

const mostFinds = 4

func (f *finds) get(filter string) ([]int32, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.latest {
		if l.filter == filter {
			return l.rows, true
		}
	}
	return nil, false
}

func (f *finds) put(filter string, rows []int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latest = append(f.latest, found{filter, rows})
	if len(f.latest) > mostFinds {
		f.latest = slices.Clone(f.latest[1:])
	}
}

// choose returns the rows that a filter chooses.
func (s *Snapshot) choose(f errorqueue.Filter) (chosen, error) {
	v, done := s.view()
	if f.IsZero() {
		return chosen{view: v, all: true}, nil
	}
	text := f.String()
	if rows, ok := s.finds.get(text); ok && done {
		return chosen{view: v, rows: rows}, nil
	}
	tests, f, err := s.tested(v, f)
	if err != nil {
		return chosen{}, err
	}
	rows, err := v.matching(f, s.began, tests)
	if err != nil {
		return chosen{}, err
	}
	if done {
		s.finds.put(text, rows)
	}
	return chosen{view: v, rows: rows}, nil
}

// matching looks at all rows. Those of a kind that the filter cannot choose are passed over.
func (v view) matching(f errorqueue.Filter, now time.Time, tests tested) (rows []int32, err error) {
	matcher, err := f.At(now)
	if err != nil {
		return nil, err
	}
	may, err := v.fitting(f, now)
	if err != nil {
		return nil, err
	}
	var m errorqueue.Message
	wanted := marksOf(f)
	for i := range int32(v.n) { //nolint:gosec // no more than rows
		r := v.at(i)
		if !may[r.kind] || wanted != nil && !wanted[r.mark] || !tests.pass(i) {
			continue
		}
		v.fill(&m, r)
		if len(f.Marks) > 0 { // its text is made only if somebody looks for one
			m.Mark = r.mark.String()
		}
		if matcher.Matches(&m) {
			rows = append(rows, i)
		}
	}
	return rows, nil
}

// marksOf returns the marks that a filter names, nil if it chooses any.
func marksOf(f errorqueue.Filter) map[mark]bool {
	if len(f.Marks) == 0 {
		return nil
	}
	all := map[mark]bool{}
	for _, text := range f.Marks {
		if k, ok := readMark(text); ok {
			all[k] = true
		}
	}
	return all
}

// fitting says of each kind whether a filter may choose rows of it: without the terms that look at
// more than the kind, it chooses them.
func (v view) fitting(f errorqueue.Filter, now time.Time) ([]bool, error) {
	matcher, err := errorqueue.Filter{
		Reasons: f.Reasons, ErrorTypes: f.ErrorTypes, Groups: f.Groups, Consumers: f.Consumers, Hosts: f.Hosts, Apps: f.Apps,
		Versions: f.Versions, Targets: f.Targets, RedriveIDs: f.RedriveIDs,
	}.At(now)
	if err != nil {
		return nil, err
	}
	may := make([]bool, len(v.kinds))
	var m errorqueue.Message
	for i := range v.kinds {
		v.fillKind(&m, &v.kinds[i])
		may[i] = matcher.Matches(&m)
	}
	return may, nil
}

// each calls see with each chosen row that is not gone, in one Message that holds what filters look
// at.
func (s *Snapshot) each(f errorqueue.Filter, see func(*errorqueue.Message)) error {
	c, err := s.choose(f)
	if err != nil {
		return err
	}
	var m errorqueue.Message
	for row := range c.left() {
		c.view.fill(&m, c.view.at(row))
		see(&m)
	}
	return nil
}

// Find returns a page of the chosen rows, and how many are chosen. Those that are gone are among
// them: see Left. Ages are compared to Began.
func (s *Snapshot) Find(f errorqueue.Filter, p Page) (rows []Row, total int, err error) {
	c, err := s.choose(f)
	if err != nil {
		return nil, 0, err
	}
	total = c.count()
	from := min(max(p.Offset, 0), total)
	limit := p.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	for i := from; i < total && i-from < limit; i++ {
		rows = append(rows, c.view.row(c.at(i)))
	}
	return rows, total, nil
}

// Row returns the first row with a mark. A mark is a digest of id and body: alike says how many
// rows have it.
func (s *Snapshot) Row(mark string) (r Row, alike int, err error) {
	v, _ := s.view()
	at, alike := s.marked(v, mark)
	if alike == 0 || int(at) >= v.n {
		return Row{}, 0, ErrUnknown
	}
	return v.row(at), alike, nil
}

// marked is view.find. The page of a message looks for the same one several times, which costs one
// look at all rows once the pass is over.
func (s *Snapshot) marked(v view, mark string) (first int32, alike int) {
	if !s.Done() {
		return v.find(mark)
	}
	f := &s.finds
	f.mu.Lock()
	last := f.marked
	f.mu.Unlock()
	if last.alike > 0 && last.mark == mark {
		return last.first, last.alike
	}
	v, _ = s.view() // that of the end
	first, alike = v.find(mark)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.marked = marked{mark, first, alike}
	return first, alike
}

// find returns the first row with a mark, and how many have it.
func (v view) find(text string) (first int32, alike int) {
	k, ok := readMark(text)
	if !ok {
		return 0, 0
	}
	for i := range int32(v.n) { //nolint:gosec // no more than rows
		if v.at(i).mark != k {
			continue
		}
		if alike == 0 {
			first = i
		}
		alike++
	}
	return first, alike
}

// Neighbours returns the rows before and after the row with a mark, among the chosen ones. Nil is
// none. index is how many chosen rows are before it.
func (s *Snapshot) Neighbours(mark string, f errorqueue.Filter) (before, after *Row, index int, err error) {
	c, err := s.choose(f)
	if err != nil {
		return nil, nil, 0, err
	}
	at, alike := s.marked(c.view, mark)
	if alike == 0 || int(at) >= c.view.n {
		return nil, nil, 0, ErrUnknown
	}
	index, itself := c.before(at)
	next := index
	if itself {
		next++
	}
	if index > 0 {
		r := c.view.row(c.at(index - 1))
		before = &r
	}
	if next < c.count() {
		r := c.view.row(c.at(next))
		after = &r
	}
	return before, after, index, nil
}

// Message returns all of a message but what is beyond the first 64 KiB of its body: BodySize is
// larger than the length of Body then.
func (s *Snapshot) Message(mark string) (errorqueue.Message, error) {
	v, _ := s.view()
	at, alike := s.marked(v, mark)
	if alike == 0 || int(at) >= v.n {
		return errorqueue.Message{}, ErrUnknown
	}
	r := v.at(at)
	if r.place == absent {
		return errorqueue.Message{}, ErrNotKept
	}
	m, err := s.keeper.get(r.place)
	if err != nil {
		return errorqueue.Message{}, err
	}
	m.ID = r.id // as it is, also if it is not UTF-8
	return m, nil
}

// Counts returns the values of a property among the chosen rows that are not gone, the most
// frequent first.
func (s *Snapshot) Counts(f errorqueue.Filter, by Property) ([]Count, error) {
	value := values[by]
	if value == nil {
		value = values[ByReason]
	}
	counts := map[string]*Count{}
	err := s.each(f, func(m *errorqueue.Message) {
		v := value(m)
		c := counts[v]
		if c == nil {
			c = &Count{Value: v}
			counts[v] = c
		}
		c.Count++
		c.First, c.Last = span(c.First, c.Last, m.Since())
	})
	if err != nil {
		return nil, err
	}
	all := make([]Count, 0, len(counts))
	for _, c := range counts {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	return all, nil
}

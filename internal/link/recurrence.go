package link

import "time"

// sayAgain is how often one and the same failure is logged as what it is. In between it is logged
// at level debug: an address that refuses connections is tried every second or two.
const sayAgain = 30 * time.Second

// recurrence knows which failures were logged since the last success. Only the link's supervisor
// uses it.
type recurrence struct {
	said map[string]said
}

type said struct {
	at   time.Time
	then int // how often the failure came after that
}

// comes says whether the failure is to be logged as what it is, and how often it has come in silence
// before that.
func (r *recurrence) comes(failure string, now time.Time) (isNews bool, silent int) {
	last, known := r.said[failure]
	if known && now.Sub(last.at) < sayAgain {
		last.then++
		r.said[failure] = last
		return false, 0
	}
	if r.said == nil || len(r.said) >= 100 { // texts that name a port of this machine never come again
		r.said = map[string]said{}
	}
	r.said[failure] = said{at: now}
	return true, last.then
}

// over forgets everything: whatever fails after a success is news.
func (r *recurrence) over() { r.said = nil }

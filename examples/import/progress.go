package main

import (
	"time"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Progress counts the conversations of one account, or of all.
type Progress struct {
	Total, Published, Imported, Parked int

	Listed time.Time // when the last page was published; zero before that
	Behind int       // conversations of other accounts that were open then
	Done   time.Time // when the last conversation was settled; zero before that

	whole bool // the last page is published, and maybe not all before it
}

// open is how many conversations are published and not settled.
func (p Progress) open() int { return p.Published - p.Imported - p.Parked }

func (p *Progress) settle(how monitoring.Action) {
	if how == monitoring.Acked {
		p.Imported++
	} else {
		p.Parked++
	}
}

// check sets Done if this was the last conversation.
func (p *Progress) check(now time.Time) {
	if p.Done.IsZero() && !p.Listed.IsZero() && p.open() == 0 {
		p.Done = now
	}
}

// plus adds the counts of another account.
func (p Progress) plus(q Progress) Progress {
	return Progress{
		Total: p.Total + q.Total, Published: p.Published + q.Published,
		Imported: p.Imported + q.Imported, Parked: p.Parked + q.Parked,
	}
}

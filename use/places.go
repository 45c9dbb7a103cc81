package use

import (
	"strings"
	"time"
)

// places is the line of one key's messages that wait. They spread the messages over the time that
// the messages need together. A message that snoozes for its place comes again about Near before
// it. No place is closer than Near, because a message that snoozes is away for as long. A place is
// worth nothing once its message is Near late.
type places struct {
	end  time.Duration            // the place that the next message gets
	came time.Duration            // when one last came in time, or the first place of the line
	at   map[string]time.Duration // by message id
}

func newPlaces() places { return places{at: map[string]time.Duration{}} }

// inTime returns whether a message comes in time for its place.
func (p *places) inTime(now time.Duration, a Ask) bool {
	place, has := p.at[a.ID]
	return has && place-a.Near <= now && now <= place+a.Near
}

// leave takes a message out of the line.
func (p *places) leave(id string) { delete(p.at, id) }

// again returns how long the message is to be away. It keeps a place that is still ahead. Otherwise
// it gets the one at the end of the line, which is after from, and every from the next one. If keep
// is false, a new place is not noted: the message comes when it is its turn, as one that comes
// first.
func (p *places) again(now time.Duration, a Ask, from, every time.Duration, keep bool) time.Duration {
	if place, has := p.at[a.ID]; has && now < place {
		if now < place-a.Near {
			return place - a.Near - now
		}
		return place - now
	}
	if p.inTime(now, a) {
		p.came = now
	}
	place := min(max(p.end, from, now+a.Near), now+farthest)
	if place > p.end {
		p.came = place
	}
	p.end = place + every
	if keep {
		p.at[strings.Clone(a.ID)] = place
	} else {
		p.leave(a.ID)
	}
	return place - a.Near - now
}

// forget drops the places that are worth nothing any more. It returns whether nobody is in the
// line.
func (p *places) forget(now, near time.Duration) (empty bool) {
	for id, place := range p.at {
		if now > place+near {
			delete(p.at, id)
		}
	}
	return len(p.at) == 0 && p.end <= now
}

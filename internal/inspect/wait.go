package inspect

import (
	"time"

	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
)

// wait fills in when the messages of a retry queue leave it that are ready at the time now. All of
// them wait for the same time, so the last one that came leaves last, at now and that time at the
// latest. When it came, nobody tells.
//
// None comes before it was made, so none leaves before the time at the head and that time. known is
// what the management API has of the queue, or the zero Queue.
func (s *QueueStatus) wait(delay time.Duration, known management.Queue, now time.Time) {
	_, _, standard := CutRetry(s.Queue) // in the other scheme each message says how long it waits
	if !standard || s.Role != topology.RoleRetry || s.Ready == nil || *s.Ready == 0 {
		return
	}
	if known.Name != "" {
		ms, _ := known.Settings().Get("message-ttl").Number()
		delay = time.Duration(min(ms, topology.MaxDelay.Milliseconds())) * time.Millisecond
	}
	if delay <= 0 { // nothing but its own expiration has a message leave it
		return
	}
	by := now.Add(delay + time.Second - time.Nanosecond).UTC().Truncate(time.Second)
	s.BackBy = &by
	if s.Oldest == nil {
		return
	}
	if from := s.Oldest.Add(delay).UTC(); from.After(now) && !from.After(by) {
		s.BackFrom = &from
	}
}

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
)

// waitsUntil is the line under a table in which messages wait in retry queues.
const waitsUntil = `all back by: in the main queue. What is due later then waits again; until when,
only its header bunnicula-not-before tells
`

// waits says whether messages wait in a consumer's retry queues.
func waits(s inspect.Status) bool {
	return slices.ContainsFunc(s.Queues, func(q inspect.QueueStatus) bool { return q.BackBy != nil })
}

// writeStatus writes a table with a line for each queue. Unless all are wanted, retry queues that
// are all empty, or all missing, have one line.
func writeStatus(out io.Writer, r statusReport, all bool, width int) {
	t := table{heads: []string{"CONSUMER", "QUEUE", ">READY", ">UNACKED", ">CONSUMERS", ">OLDEST", "NOTE"}}
	consumers, remarks := joined(r, all)
	for _, s := range consumers {
		name := s.Consumer
		folds := map[string][]string{} // the delays of the retry queues of one line
		if !all {
			folds = foldable(s)
		}
		for _, q := range s.Queues {
			ready, remark := number(q.Ready), note(q, s.Missing(), r.At)
			if more := remarks[q.Queue]; more != "" && q.Role != topology.RoleRetry {
				remark = strings.TrimPrefix(remark+", "+more, ", ")
			}
			queue := label(s.Consumer, q)
			if delays := folds[nothing(q)]; len(delays) > 0 {
				if q.Delay != delays[0] {
					continue
				}
				queue, remark = fmt.Sprintf("retry, %d %s", len(delays), nothing(q)), cut(strings.Join(delays, " "), lineWidth)
			}
			t.add(name, queue, ready, number(q.Unacked), number(q.Consumers), age(r.At, q.Oldest), remark)
			name = ""
		}
	}
	t.print(out, width)
}

// foldable returns the delays of the retry queues that share a line: three or more that are empty,
// or that are missing.
func foldable(s inspect.Status) map[string][]string {
	folds := map[string][]string{}
	for _, q := range s.Queues {
		if why := nothing(q); why != "" {
			folds[why] = append(folds[why], q.Delay)
		}
	}
	maps.DeleteFunc(folds, func(_ string, delays []string) bool { return len(delays) < 3 })
	return folds
}

// nothing says why there is nothing to say of a retry queue: it is empty, or missing. It is "" if
// there is.
func nothing(q inspect.QueueStatus) string {
	switch {
	case q.Role != topology.RoleRetry || q.Delay == "":
		return ""
	case q.State == inspect.Absent:
		return string(inspect.Absent)
	case q.State != inspect.Present || q.Ready == nil || len(q.Problems) > 0 || slices.ContainsFunc([]*int{q.Ready, q.Unacked, q.Kept, q.Consumers}, some):
		return ""
	}
	return "empty"
}

// label returns a queue's role, and its name unless the role implies the name.
func label(consumer string, q inspect.QueueStatus) string {
	switch {
	case q.Role == topology.RoleRetry && q.Delay != "":
		return "retry " + q.Delay
	case q.Role == topology.RoleError && q.Queue != topology.ErrorQueue(consumer):
		return "error " + q.Queue
	}
	return string(q.Role)
}

// age prints a duration in its two largest units. It counts seconds, since a time.Duration ends at
// 292 years.
func age(now time.Time, at *time.Time) string {
	if at == nil {
		return ""
	}
	seconds := max(now.Unix()-at.Unix(), 0)
	switch minutes, hours := seconds/60, seconds/3600; {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case minutes < 60:
		return fmt.Sprintf("%dm%ds", minutes, seconds%60)
	case hours < 24:
		return fmt.Sprintf("%dh%dm", hours, minutes%60)
	default:
		return fmt.Sprintf("%dd%dh", hours/24, hours%24)
	}
}

// clock prints a time in the local time zone, with its day unless that is today's.
func clock(at, now time.Time) string {
	at, now = at.Local(), now.Local()
	switch days := at.Sub(now) / (24 * time.Hour); {
	case at.Format(time.DateOnly) == now.Format(time.DateOnly):
		return at.Format(time.TimeOnly)
	case days < 6:
		return at.Format("Mon " + time.TimeOnly)
	}
	return at.Format("2006-01-02 15:04")
}

// note returns what a reader should notice. alone says that the main queue is missing.
func note(q inspect.QueueStatus, alone bool, now time.Time) string {
	if q.State != inspect.Present {
		return string(q.State)
	}
	notes := noteUse(q, alone)
	if q.BackBy != nil {
		notes = append(notes, "all back by "+clock(*q.BackBy, now))
	}
	if q.BackFrom != nil {
		notes = append(notes, "none before "+clock(*q.BackFrom, now))
	}
	if some(q.Kept) {
		notes = append(notes, fmt.Sprintf("%d kept", *q.Kept))
	}
	if n := len(q.Problems); n > 0 {
		notes = append(notes, fmt.Sprintf("%d for the doctor", n))
	}
	return strings.Join(notes, ", ")
}

// noteUse returns what is noticed of who takes the messages of a queue.
func noteUse(q inspect.QueueStatus, alone bool) (notes []string) {
	switch q.Role {
	case topology.RoleMain:
		if q.Consumers != nil && !some(q.Consumers) {
			notes = append(notes, "no consumer")
		}
	case topology.RoleRetry:
		if some(q.Consumers) {
			notes = append(notes, "consumed")
		}
		if alone && some(q.Ready) {
			notes = append(notes, "no way back")
		}
	}
	return notes
}

// some says whether a number is known and above 0.
func some(n *int) bool { return n != nil && *n > 0 }

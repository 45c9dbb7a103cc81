package console

import (
	"cmp"
	"net/url"
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
)

// planned is what a plan's ticket has: the choice, in which reading it was counted, and how many
// messages there were.
type planned struct {
	selection
	Snapshot int       `json:"s"`
	Began    time.Time `json:"b"` // of that reading: in another process the number is that of another one
	Count    int       `json:"n"`
}

// refuse returns why a plan cannot be carried out, "" if it can. What is wrong with the fields of
// its form is none of that.
func refuse(u User, kind operation.Kind, s survey, all []aim, set settings) string {
	first := func(is func(aim) bool) string {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return all[i].Queue
		}
		return ""
	}
	redrive := kind == operation.Redrive
	if s.Count == 0 {
		return "No message is left to choose."
	}
	if queue := first(func(a aim) bool { return a.Denied }); queue != "" {
		return "You may not move messages into " + queue + ". Choose only those of other queues (queue=NAME), or another queue for all."
	}
	if s.Blind {
		return "The reading has not all messages in memory, and the filter was compared to what Config.Redact shows. Tick messages, or choose all."
	}
	if redrive && set.To == "" && !s.Listed && !u.may(Move, "*") {
		return "The reading has not all messages in memory, so their queues are not known. Name a queue for all, or ask somebody who may move everything."
	}
	if redrive && slices.ContainsFunc(all, func(a aim) bool { return a.Queue == "" }) {
		return "Some of these messages do not say where they came from. Name a queue for all, or choose others."
	}
	if queue := first(func(a aim) bool { return a.Missing }); redrive && queue != "" {
		return "The queue " + queue + " does not exist, so nothing would be moved. Choose others, or name another queue."
	}
	return ""
}

// intent makes what is asked for, of a plan whose form was sent.
func (p planned) intent(id string, s *snapshot.Snapshot, seen survey, set settings, from goingOn) operation.Intent {
	i := operation.Intent{
		ID: id, Kind: p.Kind, Queue: s.Queue(), Filter: p.Filter, All: p.all(),
		Count: min(p.Count, seen.Count), Within: seen.Rows, Now: s.Began(), Before: seen.before(), Rate: set.Rate, Copy: set.Copy, GoesOn: p.GoesOn,
		To: set.To, Archive: set.Archive, Batches: set.Batches, Watch: set.Watch, Tolerate: set.Tolerate,
	}
	if seen.Listed || len(p.Marks) > 0 || from.marks != nil {
		i.Chosen, i.ByMarks = seen.Found, seen.ByMarks
	}
	if p.Kind == operation.Redrive {
		i.RedriveID = cmp.Or(from.redrive(), id)
	}
	from.apply(&i)
	return i
}

// form is a form from which the plan can be made again, with the fields of options that were typed.
func (p planned) form(typed url.Values) url.Values {
	typed.Set("kind", string(p.Kind))
	typed.Set("filter", p.Filter)
	typed["mark"] = p.Marks
	typed.Set("goes-on", p.GoesOn)
	typed.Del("ticked")
	typed.Del("all")
	return typed
}

// planCommand is the line of the command that plans the same.
func planCommand(queue string, s selection) string {
	if s.GoesOn != "" || len(s.Marks) > mostSeen {
		return ""
	}
	line := []string{"errors", map[operation.Kind]string{operation.Redrive: "redrive", operation.Export: "export"}[s.Kind], queue}
	if line[1] == "" {
		line[1] = "discard"
	}
	switch {
	case !s.all():
		line = append(line, words(s.filter())...)
	case s.Kind != operation.Export:
		line = append(line, "--all")
	}
	if s.Kind == operation.Delete {
		line = append(line, "--delete")
	}
	if s.Kind != operation.Export {
		line = append(line, "--dry-run")
	}
	return commandLine(line...)
}

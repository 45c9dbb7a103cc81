package main

import (
	"fmt"
	"strings"

	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
)

// moveReport is what --json prints.
type moveReport struct {
	errorqueue.MoveReport
	Bindings []oldBinding `json:"bindings"` // of the old main queue; null without the management API
	Next     []string     `json:"next"`     // what remains to be done
}

// oldBinding is a binding of the old main queue.
type oldBinding struct {
	Exchange string `json:"exchange"`
	Key      string `json:"key"`
	New      bool   `json:"new"` // the new main queue is bound so too
}

// bindingsOf finds the bindings of the old main queue.
func (r *moveReport) bindingsOf(known *inspect.Known, old, now string) {
	if known == nil {
		return
	}
	r.Bindings = []oldBinding{}
	for _, b := range known.BindingsOf(old) {
		r.Bindings = append(r.Bindings, oldBinding{Exchange: b.Source, Key: b.Key, New: known.Bound(b, now)})
	}
}

// next finds out what remains to be done.
func (r *moveReport) next(o moveOptions) {
	from, to := plain(r.From), plain(r.To)
	r.Next = []string{}
	add := func(format string, args ...any) { r.Next = append(r.Next, fmt.Sprintf(format, args...)) }
	for _, b := range r.Bindings {
		if b.New {
			add("unbind %s from exchange %s (key %q): what is published there comes to both queues", from, plain(b.Exchange), plain(b.Key))
		} else {
			add("bind %s to exchange %s (key %q), and then unbind %s: what is published there comes to %s only", to, plain(b.Exchange), plain(b.Key), from, from)
		}
	}
	if r.Bindings == nil {
		add("find out which exchanges are bound to %s (--management-url shows them), and bind %s", from, to)
	}
	add("let who publishes to the queue %s by its name publish to %s", from, to)
	if r.Consumers > 0 {
		add("stop the consumers of %s, of which there are %d", from, r.Consumers)
	}
	if r.Left > 0 || r.Consumers > 0 {
		add("bunnicula move %s %s --wait 5m, and the flags as now", from, to)
	}
	add("bunnicula topology prune --file %s --old %s --kinds main,retry,quarantine,error --management-url ..., and with --yes", orFile(o.now.file), from)
}

// empty says whether nothing waits.
func (r *moveReport) empty() bool {
	for _, q := range r.Queues {
		if q.Waiting != 0 {
			return false
		}
	}
	return true
}

// unknown returns the old queues of which nobody can say what is left.
func (r *moveReport) unknown() (queues []string) {
	for _, q := range r.Queues {
		if q.Left < 0 && !q.Shared {
			queues = append(queues, plain(q.Queue))
		}
	}
	return queues
}

// about says how many messages would be moved.
func (r *moveReport) about() string {
	for _, q := range r.Queues {
		if q.Shared && q.Waiting != 0 {
			return messages(r.Waiting) + ", and those in " + plain(q.Queue) + " that are its own,"
		}
	}
	return messages(r.Waiting)
}

// plan prints what waits where.
func (r *moveReport) plan(width int) string {
	var out strings.Builder
	t := table{heads: []string{"FROM QUEUE", "TO QUEUE", ">WAITING", "NOTE"}}
	for _, q := range r.Queues {
		if !q.Missing {
			t.add(q.Queue, q.To, waiting(q.Waiting), noteOf(q))
		}
	}
	t.print(&out, width)
	for _, b := range r.Bindings {
		beside := ""
		if b.New {
			beside = ", and so is " + plain(r.To)
		}
		fmt.Fprintf(&out, "exchange %s is bound to %s with key %q%s\n", plain(b.Exchange), plain(r.From), plain(b.Key), beside)
	}
	if r.Consumers > 0 {
		fmt.Fprintf(&out, "%s of %s: what they hold is not counted, and comes back when they stop\n", counted(r.Consumers, "consumer", "consumers"), plain(r.From))
	}
	return out.String()
}

func noteOf(q errorqueue.MovedQueue) string {
	switch {
	case q.Problem != "":
		return "stays"
	case q.Shared:
		return "its own only"
	case q.Role == topology.RoleRetry && q.Waiting > 0:
		return "delays begin anew"
	}
	return ""
}

func waiting(n int) string {
	if n < 0 {
		return "?"
	}
	return fmt.Sprint(n)
}

// text is the report for people.
func (r *moveReport) text(width int) string {
	var out strings.Builder
	if r.DryRun {
		out.WriteString(r.plan(width))
		fmt.Fprintf(&out, "%s would be moved from %s to %s; nothing was moved\n", r.about(), plain(r.From), plain(r.To))
	} else {
		r.moved(&out)
	}
	for _, q := range r.Queues {
		if q.Left <= 0 || q.Shared || r.DryRun && q.Problem == "" {
			continue
		}
		fmt.Fprintf(&out, "  left in %s: %d\n", plain(q.Queue), q.Left)
		if q.Problem != "" {
			fmt.Fprintln(&out, fold(q.Problem, "    "))
		}
	}
	switch unknown := r.unknown(); {
	case len(unknown) > 0:
		fmt.Fprintf(&out, "  what is left is not known, since this user may not look at %s\n", strings.Join(unknown, ", "))
	case r.Left == 0:
		fmt.Fprintf(&out, "  nothing waits in the queues of %s any more\n", plain(r.From))
	}
	out.WriteString("next:\n")
	for _, step := range r.Next {
		fmt.Fprintf(&out, "  - %s\n", step)
	}
	return out.String()
}

// moved prints what was done.
func (r *moveReport) moved(out *strings.Builder) {
	fmt.Fprintf(out, "%s moved from %s to %s in %s\n", messages(r.Moved), plain(r.From), plain(r.To), took(r.Took))
	for _, q := range r.Queues {
		if q.Moved > 0 {
			fmt.Fprintf(out, "  from %s: %d\n", plain(q.Queue), q.Moved)
		}
	}
	if r.MaybeTwice > 0 {
		fmt.Fprintf(out, "  %d of them may be there twice, because the connection was lost\n", r.MaybeTwice)
	}
	writeTrouble(out, 0, r.Failed, r.Failures)
	if r.Illegible > 0 {
		fmt.Fprintf(out, "  not moved: %s with headers that are nested too deep; a consumer of %s parks them\n", messages(r.Illegible), plain(r.From))
	}
}

package console

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/control"
)

// concerns says whether an order for a name is one for a consumer: for itself, or for the queue
// that its queue is a partition of.
func concerns(name string, m control.Member) bool {
	return m.Name == name || m.Partitions != "" && m.Partitions == name
}

// isOf says whether a consumer reads a queue, or a partition of it.
func isOf(queue string, m control.Member) bool {
	return m.Queue == queue || m.Partitions == queue && queue != ""
}

// orderName is the name by which orders for all that shares the work of a consumer are given.
func orderName(m control.Member) string { return cmp.Or(m.Partitions, m.Name) }

// queuesOf returns the queues of all consumers that an order for a name concerns.
func (m *muster) queuesOf(name string) []string {
	var all []string
	for _, p := range m.processes {
		for _, c := range p.Consumers {
			if concerns(name, c) {
				all = append(all, cmp.Or(c.Partitions, c.Queue))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// isFor says whether an order concerns consumers of a queue.
func (m *muster) isFor(o control.Order, queue string) bool {
	return o.Consumer == queue || slices.Contains(m.queuesOf(o.Consumer), queue)
}

// mayOrder says whether the user may do something with all consumers that an order for a name
// concerns. Of a name that no process has told of, nobody knows the queues.
func (u User) mayOrder(right Right, m *muster, name string) bool {
	queues := m.queuesOf(name)
	if len(queues) == 0 {
		return u.may(right, "*")
	}
	return !slices.ContainsFunc(queues, func(q string) bool { return !u.may(right, q) })
}

// names returns the names by which the user may give orders, sorted.
func (u User) names(m *muster) []string {
	var all []string
	for _, p := range m.processes {
		for _, c := range p.Consumers {
			all = append(all, orderName(c))
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(name string) bool { return !u.mayOrder(Move, m, name) })
}

// reach counts the processes and the handlers that run of consumers with these names, and the
// lowest Concurrency.
func (m *muster) reach(names []string) (processes, running, concurrency int) {
	for _, p := range m.processes {
		some := false
		for _, c := range p.Consumers {
			if !slices.ContainsFunc(names, func(name string) bool { return concerns(name, c) }) {
				continue
			}
			some = true
			running += c.RunningCount
			if concurrency == 0 || c.Concurrency < concurrency {
				concurrency = c.Concurrency
			}
		}
		if some {
			processes++
		}
	}
	return processes, running, concurrency
}

// ours says whether the process is this one.
func ours(p control.Process) bool {
	host, err := os.Hostname()
	return err == nil && p.Host == host && p.PID == os.Getpid()
}

// memberRow is a consumer of a process.
type memberRow struct {
	Key                   string
	Process, App, Version string
	Started               moment
	Trouble               string
	Name, Queue           string
	Link                  string // of the consumer's page
	Limit, Concurrency    int
	Running, Stuck        int
	State                 string // "works", "paused by an order", …
	Waits                 bool   // it takes no messages
	Err                   string
	Here                  bool // this process
}

// members makes the rows of the consumers that choose chooses.
func (a *answer) members(v view, m *muster, choose func(control.Member) bool) []memberRow {
	var all []memberRow
	if m == nil {
		return nil
	}
	for _, p := range m.processes {
		for _, c := range p.Consumers {
			if !choose(c) || !a.user.may(See, cmp.Or(c.Partitions, c.Queue)) {
				continue
			}
			state, waits := stateOf(c)
			all = append(all, memberRow{
				Key: keyOf("member", p.ID, c.Name, c.Queue, c.Connection), Process: processName(p), App: p.App, Version: p.AppVersion, Started: v.Time(p.Started), Trouble: p.Trouble, Name: c.Name, Queue: c.Queue,
				Link: v.Link("c", c.Queue), Limit: c.Limit, Concurrency: c.Concurrency, Running: c.RunningCount, Stuck: c.Stuck,
				State: state, Waits: waits, Err: c.Err, Here: ours(p),
			})
		}
	}
	slices.SortStableFunc(all, func(x, y memberRow) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Process, y.Process))
	})
	return all
}

func processName(p control.Process) string { return fmt.Sprintf("%s pid %d", p.Host, p.PID) }

// stateOf says in words what a consumer of a process does.
func stateOf(c control.Member) (state string, waits bool) {
	switch {
	case c.PausedByApp:
		return "paused in its process alone", true
	case c.Paused:
		return "paused by an order", true
	case c.Stuck > 0 && c.Stuck >= c.Limit:
		return "all its handlers are stuck", true
	case !c.Subscribed:
		return "not subscribed", true
	case c.Limit < c.Concurrency:
		return fmt.Sprintf("limited to %d of %d", c.Limit, c.Concurrency), false
	case !c.Ready:
		return "not ready", false
	}
	return "works", false
}

// orderRow is an order that stands.
type orderRow struct {
	Key      string
	Consumer string
	What     string
	Until    moment
	Forever  bool
	At       moment
	By, Why  string
	Obeyed   int
	Of       int
	Resume   string // the link of the form that lifts it, "" if the viewer may not
}

// orders makes the rows of the orders that choose chooses.
func (a *answer) orders(v view, m *muster, choose func(control.Order) bool) []orderRow {
	var all []orderRow
	if m == nil {
		return nil
	}
	for _, o := range m.orders {
		if !choose(o) || !a.user.mayOrder(See, m, o.Consumer) {
			continue
		}
		row := orderRow{Key: keyOf("order", o.Consumer), Consumer: o.Consumer, What: standing(o), Until: v.Time(o.Until), Forever: o.Until.IsZero(), At: v.Time(o.At), By: o.By, Why: o.Why}
		for _, p := range m.processes {
			for _, c := range p.Consumers {
				if concerns(o.Consumer, c) {
					row.Of++
					if c.OrderID == o.ID {
						row.Obeyed++
					}
				}
			}
		}
		if !a.console.cfg.ReadOnly && a.user.mayOrder(Move, m, o.Consumer) {
			row.Resume = v.link([]string{"fleet", "order"}, "do", string(toResume), "name", o.Consumer)
		}
		all = append(all, row)
	}
	return all
}

func standing(o control.Order) string {
	if o.Paused {
		return "paused"
	}
	return fmt.Sprintf("limited to %d a process", o.Limit)
}

// handlerRow is a handler that runs.
type handlerRow struct {
	Key     string
	ID      string // "" if the viewer may not read messages
	Given   bool
	Type    string
	Attempt int
	Since   moment
	Stuck   bool
	Stack   string
	Process string
	Queue   string
	since   time.Time
}

// handlers makes the rows of the handlers that run for a queue and its partitions, the longest
// first. Those of this process are asked for directly.
func (a *answer) handlers(v view, m *muster, queue string) (all []handlerRow, more int) {
	group := a.console.cfg.Consumers
	if group != nil {
		for _, r := range group.Running() {
			if ofQueue(queue, r.Queue) {
				all = append(all, handlerRow{ID: r.MessageID, Given: r.MessageIDGiven, Type: r.Type, Attempt: r.Attempt, Stuck: r.Stuck, Stack: r.Stack, Process: "this process", Queue: r.Queue, since: r.Since})
			}
		}
	}
	if m != nil {
		for _, p := range m.processes {
			if group != nil && ours(p) {
				continue
			}
			for _, c := range p.Consumers {
				if !isOf(queue, c) {
					continue
				}
				more += c.RunningCount - len(c.Running)
				for _, h := range c.Running {
					all = append(all, handlerRow{ID: h.MessageID, Given: h.Given, Type: h.Type, Attempt: h.Attempt, Stuck: h.Stuck, Stack: h.Stack, Process: processName(p), Queue: c.Queue, since: h.Since})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(x, y handlerRow) int { return x.since.Compare(y.since) })
	if len(all) > mostHandlers {
		more += len(all) - mostHandlers
		all = all[:mostHandlers]
	}
	for i := range all {
		all[i].Since = v.Time(all[i].since)
		all[i].Key = keyOf("handler", all[i].Process, all[i].ID, all[i].since.String())
		if !a.user.may(Read, queue) {
			all[i].ID, all[i].Given, all[i].Type, all[i].Stack = "", false, "", ""
		}
	}
	return all, max(0, more)
}

const mostHandlers = 200

// keyOf names a row for our script: what tells it apart may be somebody else's text.
func keyOf(parts ...string) string { return groupName(strings.Join(parts, "\x00")) }

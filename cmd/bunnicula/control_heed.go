package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/bunnicula-go/bunnicula/control"
)

// heed says how many processes obey one order.
type heed struct {
	obeyed int
	of     int      // processes that have the consumer
	not    []string // those that do not obey, and why
}

func (h heed) all() bool { return h.obeyed == h.of }

// heedOf counts the processes that obey an order. known are all orders that stand: a consumer obeys
// the newest of those that concern it, so an older one does not count for it.
func heedOf(o control.Order, known []control.Order, all []control.Process) heed {
	return heedBy(all, func(m control.Member) (concerned bool, why string) {
		return concerns(o.Consumer, m) && newest(m, known, o).ID == o.ID, disobeys(o, m)
	})
}

// heedOfResume counts the processes in which no order pauses or limits what a name means.
func heedOfResume(name string, known []control.Order, all []control.Process) heed {
	return heedBy(all, func(m control.Member) (concerned bool, why string) {
		for _, o := range known {
			if m.OrderID == o.ID && m.OrderID != "" && concerns(o.Consumer, m) {
				why = fmt.Sprintf("another order stands for %s", o.Consumer)
			}
		}
		if why == "" && m.Paused && !m.PausedByApp {
			why = "it is still paused"
		}
		return orderName(name, m) != "", cmp.Or(m.Err, why)
	})
}

// heedBy counts processes. check says whether a consumer is concerned, and why it does not obey.
func heedBy(all []control.Process, check func(control.Member) (concerned bool, why string)) (h heed) {
	for _, p := range all {
		has, bad := false, ""
		for _, m := range p.Consumers {
			concerned, why := check(m)
			if has = has || concerned; concerned && bad == "" && why != "" {
				bad = fmt.Sprintf("%s: %s: %s", processName(p), m.Name, why)
			}
		}
		switch {
		case !has:
		case bad == "":
			h.obeyed++
			h.of++
		default:
			h.of++
			h.not = append(h.not, bad)
		}
	}
	return h
}

// newest returns the newest order that concerns a consumer, o if there is none.
func newest(m control.Member, known []control.Order, o control.Order) control.Order {
	for _, other := range known {
		if concerns(other.Consumer, m) && other.At.After(o.At) {
			o = other
		}
	}
	return o
}

// disobeys returns why a consumer does not obey an order, "" if it does.
func disobeys(o control.Order, m control.Member) string {
	switch {
	case m.Err != "":
		return m.Err
	case m.OrderID != o.ID && m.OrderID == "":
		return "it has not got the order"
	case m.OrderID != o.ID:
		return "it obeys another order, " + m.OrderID
	case o.Paused && !m.Paused:
		return "it is not paused"
	case !o.Paused && o.Limit > 0 && m.Limit > o.Limit:
		return fmt.Sprintf("%d handlers at once, want %d", m.Limit, o.Limit)
	}
	return ""
}

// troubles lists why processes may miss orders.
func troubles(all []control.Process) (lines []string) {
	for _, p := range all {
		if p.Trouble != "" {
			lines = append(lines, processName(p)+" may miss orders: "+p.Trouble)
		}
	}
	return lines
}

// namesOfAll returns the names that orders can have, of what processes have.
func namesOfAll(all []control.Process) []string {
	var names []string
	for _, p := range all {
		for _, m := range p.Consumers {
			names = append(names, cmp.Or(m.Partitions, m.Name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

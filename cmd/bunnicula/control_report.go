package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/topology"
)

// controlReport is what --json prints of an order.
type controlReport struct {
	Did       string         `json:"did"` // paused, limited, resumed
	Orders    []orderShown   `json:"orders"`
	Resumed   []resumedShown `json:"resumed,omitempty"`
	Processes []processShown `json:"processes"` // that have answered, with the consumers concerned
	Silent    int            `json:"silent"`    // processes that have told of such a consumer, and have not answered the order
	Took      time.Duration  `json:"took"`
}

// resumedShown is a consumer that was resumed.
type resumedShown struct {
	Consumer string `json:"consumer"`
	Obeyed   int    `json:"obeyed"`
	Of       int    `json:"of"`
}

// report prints what has happened. The error has exit code 3 if not all obey that are known.
func (w *fleetOrder) report(r control.Receipt, lifted []control.Order) error {
	report := controlReport{
		Did: map[orderKind]string{toPause: "paused", toLimit: "limited", toResume: "resumed"}[w.kind], Orders: []orderShown{},
		Processes: showProcesses(r.Obeyed, false), Silent: r.Silent, Took: r.Took,
	}
	var text strings.Builder
	fine := r.Silent == 0
	if w.kind == toResume {
		for _, name := range resumedNames(w.command.Consumers, lifted) {
			h := heedOfResume(name, r.Orders, r.Obeyed)
			report.Resumed = append(report.Resumed, resumedShown{name, h.obeyed, h.of})
			fine = fine && h.all()
			w.write(&text, "resumed "+name, h, r.Took, "")
		}
	} else {
		for _, o := range r.Orders {
			if queue, _, ok := topology.PartitionOf(o.Consumer); ok && slices.ContainsFunc(r.Orders, func(other control.Order) bool { return other.Consumer == queue }) {
				continue // it is part of the order for its queue
			}
			h := heedOf(o, r.Orders, r.Obeyed)
			report.Orders = append(report.Orders, showOrder(o, h))
			fine = fine && h.all()
			did := "paused " + o.Consumer
			if !o.Paused {
				did = fmt.Sprintf("limited %s to %s", o.Consumer, counted(o.Limit, "handler", "handlers"))
			}
			w.write(&text, did, h, r.Took, ", "+endOf(o, o.At))
		}
	}
	if line := silentLine(r.Silent, w.command.Wait); line != "" {
		text.WriteString("  " + line)
	}
	if n := stillRunning(r.Obeyed); w.kind == toPause && n > 0 {
		fmt.Fprintf(&text, "  %s on to the end, as bunnicula control running shows\n", counted(n, "handler runs", "handlers run"))
	}
	for _, line := range troubles(r.Obeyed) {
		fmt.Fprintf(&text, "  %s\n", plain(line))
	}
	var left error
	if !fine {
		left = found()
	}
	return w.printMoved(report, text.String(), nil, left)
}

// write writes the lines about one consumer.
func (w *fleetOrder) write(out *strings.Builder, did string, h heed, took time.Duration, end string) {
	if h.of == 0 {
		fmt.Fprintf(out, "%s, which no process that has answered has; those that start obey%s\n", plain(did), end)
		return
	}
	fmt.Fprintf(out, "%s in %d of %s within %s%s\n", plain(did), h.obeyed, counted(h.of, "process", "processes"), within(took), end)
	for _, line := range h.not {
		fmt.Fprintf(out, "  not %s\n", plain(line))
	}
}

// resumedNames returns the names of a resume, and in the place of each pattern those of orders.
func resumedNames(names []string, lifted []control.Order) []string {
	var all []string
	for _, name := range names {
		if !isPattern(name) {
			all = append(all, name)
			continue
		}
		for _, o := range lifted {
			if lifts(name, o.Consumer) {
				all = append(all, o.Consumer)
			}
		}
	}
	return unique(all)
}

// within returns a time as a bound.
func within(d time.Duration) string {
	tenths := (d + 100*time.Millisecond - 1) / (100 * time.Millisecond)
	return fmt.Sprintf("%.1f s", float64(cmp.Or(tenths, 1))/10)
}

// stillRunning counts the handlers that run in consumers that were told to stop.
func stillRunning(all []control.Process) (n int) {
	for _, p := range all {
		for _, m := range p.Consumers {
			n += m.RunningCount
		}
	}
	return n
}

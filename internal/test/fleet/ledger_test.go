package fleet_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// ledger is a file that all processes append to. A line is one write, and the kernel puts each at
// the end, so that the order of the lines is the same for all.
type ledger struct{ file *os.File }

func openLedger(name string) (ledger, error) {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return ledger{f}, err
}

func (l ledger) write(e entry) {
	if _, err := fmt.Fprintln(l.file, e); err != nil {
		panic(err) // without its ledger the run says nothing
	}
}

// what a line is about
const (
	state = "state" // what a consumer does from now on
	begun = "begun" // a handler
	done  = "done"  // a handler
)

// entry is a line of the ledger.
type entry struct {
	at                      time.Time
	what, process, consumer string
	text                    string // of a state: as of states; of a handler: the message id
}

// states of a consumer
const (
	free   = "free"
	paused = "paused"
)

// limited is the state of a consumer with a limit.
func limited(n int) string { return fmt.Sprint("limit", n) }

func (e entry) String() string {
	return fmt.Sprintf("%d %s %s %s %s", e.at.UnixMicro(), e.what, e.process, e.consumer, e.text)
}

// readLedger reads all lines.
func readLedger(name string) (all entries, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		var e entry
		var at int64
		if _, err := fmt.Sscanf(line, "%d %s %s %s %s\n", &at, &e.what, &e.process, &e.consumer, &e.text); err != nil {
			return nil, fmt.Errorf("the line %q of the ledger: %w", line, err)
		}
		e.at = time.UnixMicro(at)
		all = append(all, e)
	}
	return all, nil
}

// entries are the lines of a ledger, in their order.
type entries []entry

// states returns by process in what state a consumer is, and since when.
func (all entries) states(consumer string) map[string]entry {
	last := map[string]entry{}
	for _, e := range all {
		if e.what == state && e.consumer == consumer {
			last[e.process] = e
		}
	}
	return last
}

// disobedient returns the handlers that have begun while their own consumer was paused. The process
// looks every few milliseconds whether it is, and is late when the machine is busy: so slack is
// left, after the beginning of a pause and before its end.
func (all entries) disobedient(slack time.Duration) (bad entries) {
	type where struct{ process, consumer string }
	since, doubtful := map[where]time.Time{}, map[where]entries{}
	for _, e := range all {
		w := where{e.process, e.consumer}
		switch at, isPaused := since[w]; {
		case e.what == begun && isPaused && e.at.Sub(at) > slack:
			doubtful[w] = append(doubtful[w], e)
		case e.what == state:
			for _, d := range doubtful[w] {
				if e.at.Sub(d.at) > slack {
					bad = append(bad, d)
				}
			}
			delete(doubtful, w)
			delete(since, w)
			if e.text == paused {
				since[w] = e.at
			}
		}
	}
	for _, some := range doubtful {
		bad = append(bad, some...)
	}
	return bad
}

// most returns how many handlers of a consumer have run at once in one process, from a line on.
func (all entries) most(consumer string, from time.Time) (most int) {
	running := map[string]int{}
	for _, e := range all {
		switch {
		case e.consumer != consumer:
		case e.what == begun:
			running[e.process]++
			if e.at.After(from) {
				most = max(most, running[e.process])
			}
		case e.what == done:
			running[e.process]--
		}
	}
	return most
}

// missing returns the messages that no handler has ended.
func (all entries) missing(ids []string) (lost []string) {
	ended := map[string]bool{}
	for _, e := range all {
		if e.what == done {
			ended[e.text] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return ended[id] })
}

func TestTheLedgerShowsWhoDisobeysAndWhatIsLost(t *testing.T) {
	name := t.TempDir() + "/ledger"
	begin := time.UnixMicro(1_800_000_000_000_000)
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	for _, e := range []entry{ // each from a process of its own
		{at(0), state, "p1", "mail", free}, {at(0), state, "p1", "import", paused}, {at(0), state, "p2", "mail", limited(2)},
		{at(10), begun, "p1", "mail", "a"}, {at(11), begun, "p1", "mail", "b"}, {at(12), done, "p1", "mail", "a"},
		{at(20), state, "p1", "mail", paused}, {at(25), begun, "p1", "mail", "c"}, {at(40), done, "p1", "mail", "c"},
		{at(100), begun, "p1", "mail", "d"}, {at(100), begun, "p2", "mail", "e"}, {at(100), begun, "p1", "import", "f"},
		{at(195), begun, "p1", "mail", "h"}, {at(196), done, "p1", "mail", "h"}, {at(200), state, "p1", "mail", free}, {at(300), begun, "p1", "mail", "g"}, {at(300), done, "p1", "mail", "g"},
	} {
		l, err := openLedger(name)
		if err != nil {
			t.Fatal(err)
		}
		l.write(e)
		_ = l.file.Close()
	}
	all, err := readLedger(name)
	if err != nil || len(all) != 17 {
		t.Fatalf("%d lines, %v", len(all), err)
	}
	if s := all.states("mail"); s["p1"].text != free || !s["p1"].at.Equal(at(200)) || s["p2"].text != "limit2" {
		t.Errorf("states %v", s)
	}
	bad := all.disobedient(10 * time.Millisecond)
	if len(bad) != 2 || bad[0].text != "d" || bad[1].text != "f" {
		t.Errorf("disobedient: %v", bad)
	}
	if n := all.most("mail", at(0)); n != 3 {
		t.Errorf("%d at once, want b, d and g", n)
	}
	if n := all.most("mail", at(150)); n != 3 {
		t.Errorf("%d at once, want b, d and g", n)
	}
	if lost := all.missing([]string{"a", "b", "g"}); !slices.Equal(lost, []string{"b"}) {
		t.Errorf("missing: %v", lost)
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/control"
)

// fakeFleet answers with what it has, and keeps what it was told.
type fakeFleet struct {
	orders    []control.Order
	processes []control.Process
	silent    int // processes, of Receipts
	err       error
	unasked   error  // of Processes
	disobeys  string // the host of a process that does not obey

	did      string // the last command
	commands []control.Command
	asked    [][]string
}

// given is when orders are given, by the clock of the fake.
var given = time.Date(2026, 11, 30, 14, 20, 0, 0, time.Local)

func (f *fakeFleet) give(did string, limit int, c control.Command) (control.Receipt, error) {
	f.did = did
	f.commands = append(f.commands, c)
	if f.err != nil {
		return control.Receipt{}, f.err
	}
	r := control.Receipt{Silent: f.silent, Took: 260 * time.Millisecond}
	for i, name := range c.Consumers {
		o := control.Order{ID: fmt.Sprintf("new-%d", i), Consumer: name, Paused: did == "pause", Limit: limit, At: given, By: "alice@ops", Why: c.Why}
		if !c.Forever {
			o.Until = given.Add(c.For)
		}
		if did != "resume" {
			r.Orders = append(r.Orders, o)
		}
		for _, p := range f.processes {
			if p.Consumers = obey(p.Consumers, o, did, p.Host == f.disobeys); len(p.Consumers) > 0 {
				r.Obeyed = append(r.Obeyed, p)
			}
		}
	}
	return r, nil
}

// obey returns the consumers that an order concerns, as they are then.
func obey(all []control.Member, o control.Order, did string, not bool) (some []control.Member) {
	for _, m := range all {
		if !concerns(o.Consumer, m) {
			continue
		}
		switch {
		case not:
		case did == "resume":
			m.OrderID, m.Paused, m.Limit = "", false, m.Concurrency
		default:
			m.OrderID, m.Paused, m.Limit = o.ID, o.Paused, cmpOr(o.Limit, m.Concurrency)
		}
		some = append(some, m)
	}
	return some
}

func cmpOr(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

func (f *fakeFleet) Pause(_ context.Context, c control.Command) (control.Receipt, error) {
	return f.give("pause", 0, c)
}

func (f *fakeFleet) Limit(_ context.Context, n int, c control.Command) (control.Receipt, error) {
	return f.give("limit", n, c)
}

func (f *fakeFleet) Resume(_ context.Context, c control.Command) (control.Receipt, error) {
	return f.give("resume", 0, c)
}

func (f *fakeFleet) Orders(context.Context) ([]control.Order, error) {
	return slices.Clone(f.orders), f.err
}

func (f *fakeFleet) Processes(_ context.Context, _ time.Duration, names ...string) ([]control.Process, error) {
	f.asked = append(f.asked, names)
	if f.unasked != nil {
		return nil, f.unasked
	}
	if len(names) > 0 {
		return chosen(f.processes, names), f.err
	}
	return slices.Clone(f.processes), f.err
}

func (f *fakeFleet) Stop(context.Context) error { return nil }

// on runs the command with a Fleet of the test's.
func (s *shell) on(f *fakeFleet, args ...string) result {
	s.t.Helper()
	var out, errs bytes.Buffer
	a := &app{terminal: terminal{
		in: strings.NewReader(s.in), out: &out, err: &errs, asks: s.asks, shows: s.shows,
		getenv: func(name string) string { return s.env[name] },
	}, interrupt: s.ctx, fleet: f}
	code := a.run(args...)
	return result{code, out.String(), errs.String()}
}

// shop is a fleet of three processes, in which all is well.
func shop() *fakeFleet {
	f := &fakeFleet{}
	for i := 1; i <= 3; i++ {
		p := control.Process{
			ID: fmt.Sprintf("p%d", i), Host: fmt.Sprintf("web-%d", i), PID: 100 + i, App: "shop", AppVersion: "1.2", Started: given.Add(-time.Hour),
			Consumers: []control.Member{{Name: "orders", Queue: "orders", Concurrency: 8, Limit: 8, Ready: true, Subscribed: true}},
		}
		if i < 3 {
			for n := range 4 {
				name := fmt.Sprintf("bank.p%02d", n)
				p.Consumers = append(p.Consumers, control.Member{Name: name, Queue: name, Partitions: "bank", Concurrency: 1, Limit: 1, Ready: true, Subscribed: true})
			}
		}
		f.processes = append(f.processes, p)
	}
	return f
}

func TestAPauseReachesWhomItNamesAndSaysSo(t *testing.T) {
	f := shop()
	r := offline(t).on(f, "control", "pause", "orders", "bank", "--for", "2h", "--why", "migrating", "--yes").want(t, exitOK)
	compare(t, "control-pause.txt", clocks.ReplaceAllString(r.out, "xx:xx:xx"))
	c := f.commands[0]
	if f.did != "pause" || !slices.Equal(c.Consumers, []string{"orders", "bank"}) || c.For != 2*time.Hour || c.Forever || c.Why != "migrating" || c.Wait != 3*time.Second {
		t.Errorf("%s: %+v", f.did, c)
	}
	offline(t).on(f, "control", "pause", "orders", "--yes").want(t, exitOK, "(in 1h)")
	if c := f.commands[1]; c.For != time.Hour || c.Forever {
		t.Errorf("without --for: %+v, want an hour", c)
	}
	offline(t).on(f, "control", "pause", "orders", "--until-resumed", "--yes").want(t, exitOK, "paused orders in 3 of 3 processes within 0.3 s, until it is resumed")
	if c := f.commands[2]; c.For != 0 || !c.Forever {
		t.Errorf("until it is resumed: %+v", c)
	}
	compare(t, "control-limit.txt", clocks.ReplaceAllString(offline(t).on(f, "control", "limit", "orders", "2", "--for", "30m", "--yes").want(t, exitOK).out, "xx:xx:xx"))
}

func TestWhoDoesNotObeyIsSaidAndFound(t *testing.T) {
	f := shop()
	f.disobeys = "web-2"
	f.processes[2].Trouble = "it may not read the stream\x1b[2J"
	f.processes[0].Consumers[0].RunningCount = 2
	r := offline(t).on(f, "control", "pause", "orders", "--yes").want(t, exitFound)
	compare(t, "control-pause-not.txt", clocks.ReplaceAllString(r.out, "xx:xx:xx"))

	f = shop()
	f.silent = 1
	offline(t).on(f, "control", "limit", "orders", "2", "--yes").want(t, exitFound, "1 process has such a consumer and did not answer within 3s")
	f = shop()
	f.processes[1].Consumers[0].Err = "its queue is gone"
	offline(t).on(f, "control", "pause", "orders", "--yes", "--json").want(t, exitFound, `"obeyed": 2`, `"of": 3`, `"error": "its queue is gone"`)
	f = shop()
	f.orders = []control.Order{{ID: "old", Consumer: "orders", Paused: true, At: given}}
	for i := range f.processes {
		f.processes[i].Consumers[0].Paused, f.processes[i].Consumers[0].OrderID = true, "old"
	}
	f.disobeys = "web-1"
	offline(t).on(f, "control", "resume", "orders", "--yes").want(t, exitFound, "resumed orders in 2 of 3 processes", "not web-1 pid 101 (shop 1.2): orders: it is still paused")
}

func TestAnOrderAsksAndWhatWasNotAskedForIsNotReached(t *testing.T) {
	f := shop()
	s := offline(t)
	s.asks, s.in = true, "n\n"
	s.on(f, "control", "pause", "or*", "ba*", "--for", "2h").want(t, exitRefused, "Pause bank, orders in 3 processes, for 2h? [y/N]", "not done")
	s.on(f, "control", "limit", "bank", "1", "--until-resumed").want(t, exitRefused, "Limit to 1 handler a process bank in 2 processes, until somebody resumes it?")
	s.on(f, "control", "pause", "ordesr", "or*").want(t, exitFailed, `no process has "ordesr": processes have bank, orders`)
	s.on(f, "control", "pause", "x*", "--anyway").want(t, exitFailed, `no process has "x*"`)
	s.on(&fakeFleet{}, "control", "pause", "orders").want(t, exitFailed, `no process has "orders": no process has told of any consumer`)
	s.asks = false
	s.on(f, "control", "pause", "orders").want(t, exitRefused, "say --yes")
	s.on(f, "control", "pause", "orders", "--yes", "--read-only").want(t, exitRefused, "control pause: refused, because of --read-only")
	s.on(f, "control", "resume", "orders", "--yes", "--read-only").want(t, exitRefused, "control resume: refused")
	s.on(f, "control", "limit", "orders", "1", "--yes", "--read-only").want(t, exitRefused, "control limit: refused")
	if f.did != "" {
		t.Fatalf("it did %s: %+v", f.did, f.commands)
	}
	s.asks, s.in = true, "y\n"
	s.on(f, "control", "pause", "or*").want(t, exitOK, "paused orders in 3 of 3")
	s.on(f, "control", "pause", "b*", "--yes").want(t, exitOK, "paused bank in 2 of 2")
	s.on(f, "control", "pause", "refunds", "--anyway").want(t, exitOK, "paused refunds, which no process that has answered has; those that start obey, until ")
	for i, want := range []string{"orders", "bank", "refunds"} {
		if got := f.commands[i].Consumers; !slices.Equal(got, []string{want}) {
			t.Errorf("%q was ordered for, want %s", got, want)
		}
	}
}

func TestAResumeSaysWhatItLiftsAndWhatDoesNotStand(t *testing.T) {
	f := shop()
	f.orders = []control.Order{
		{ID: "a", Consumer: "orders", Paused: true, At: given}, {ID: "b", Consumer: "bank", Limit: 1, At: given}, {ID: "c", Consumer: "mails.p01", Paused: true, At: given},
	}
	s := offline(t)
	s.asks, s.in = true, "n\n"
	s.on(f, "control", "resume", "*").want(t, exitRefused, "Resume orders (paused), bank (limit 1), mails.p01 (paused)?")
	s.on(f, "control", "resume", "mails").want(t, exitRefused, "Resume mails.p01 (paused)?")
	s.on(f, "control", "resume", "bank.p03").want(t, exitRefused, "Resume bank (limit 1)?")
	s.on(f, "control", "resume", "refunds").want(t, exitOK, "nothing to resume: no order stands for refunds; some stand for orders (paused), bank (limit 1)")
	s.on(f, "control", "resume", "refunds", "--json").want(t, exitOK, `"did": "resumed"`)
	if f.did != "" {
		t.Fatalf("it did %s", f.did)
	}
	s.in = "y\n"
	s.on(f, "control", "resume", "refunds", "orders").want(t, exitOK, "no order stands for refunds", "resumed orders in 3 of 3 processes within 0.3 s\n")
	if got := f.commands[0]; !slices.Equal(got.Consumers, []string{"orders"}) || got.For != 0 {
		t.Errorf("resumed was %+v", got)
	}
	s.on(f, "control", "resume", "*", "--yes").want(t, exitOK, "resumed bank in")
}

// standing is a shop in which two orders stand, of which one process obeys one not.
func standing() *fakeFleet {
	f := shop()
	f.orders = []control.Order{
		{ID: "a", Consumer: "orders", Paused: true, At: given.Add(-12 * time.Minute), Until: given.Add(48 * time.Minute), By: "alice@ops", Why: "migrating the \x1b[2Jdatabase"},
		{ID: "b", Consumer: "bank", Limit: 1, At: given.Add(-26 * time.Hour), By: "bob@laptop"},
		{ID: "c", Consumer: "refunds", Paused: true, At: given.Add(-time.Hour), Until: given.Add(30 * time.Second), By: "bob@laptop"},
		{ID: "d", Consumer: "bank.p03", Paused: true, At: given.Add(-time.Minute), Until: given.Add(time.Hour), By: "alice@ops"},
	}
	for i := range f.processes {
		for j := range f.processes[i].Consumers {
			m := &f.processes[i].Consumers[j]
			switch m.Name {
			case "orders":
				m.OrderID, m.Paused = "a", true
			case "bank.p03":
				m.OrderID, m.Paused = "d", true
			default:
				m.OrderID = "b"
			}
		}
	}
	return f
}

func TestWhatStandsIsListedWithWhoObeys(t *testing.T) {
	f := standing()
	f.processes[2].Consumers[0].OrderID, f.processes[2].Consumers[0].Paused = "", false
	f.processes[2].Trouble = "the stream cannot be read"
	r := listReport{at: given, orders: f.orders, processes: f.processes}
	r.sort()
	var text strings.Builder
	r.write(&text, 100)
	writeProcesses(&text, r, 100)
	compare(t, "control-ls.txt", clocks.ReplaceAllString(text.String(), "xx:xx:xx"))

	out := offline(t).on(f, "control", "ls", "--json").want(t, exitFound, `"consumer": "bank.p03"`, `"obeyed": 2`).out
	if strings.Contains(out, "\x1b") {
		t.Errorf("a terminal obeys %q", out)
	}
	offline(t).on(standing(), "control", "ls", "--read-only").want(t, exitOK, "orders    paused", "3 of 3", "nobody has it")
	offline(t).on(shop(), "control", "ls").want(t, exitOK, "no order stands; 3 processes have told of 2 consumers")
	troubled := shop()
	troubled.processes[0].Trouble = "late"
	offline(t).on(troubled, "control", "ls").want(t, exitFound, "web-1 pid 101 (shop 1.2) may miss orders: late")
	mute := standing()
	mute.unasked = errors.New("no write on bunnicula-control")
	offline(t).on(mute, "control", "ls").want(t, exitFound, "unknown", "which processes obey is not known: no write on bunnicula-control")
	offline(t).on(&fakeFleet{err: errors.New("no read on bunnicula-control")}, "control", "ls").want(t, exitFailed, "no read on bunnicula-control")
}

// atWork is a shop in which handlers run.
func atWork() *fakeFleet {
	f := shop()
	run := func(p, m int, all ...control.Handler) {
		f.processes[p].Consumers[m].Running, f.processes[p].Consumers[m].RunningCount = all, len(all)
	}
	run(0, 0, control.Handler{MessageID: "order-7", Type: "charge", Attempt: 1, Since: given.Add(-10 * time.Second)},
		control.Handler{MessageID: "order-8\x1b[2J", Type: "charge", Attempt: 2, Since: given.Add(-3 * time.Minute)})
	run(1, 0, control.Handler{MessageID: "order-9", Attempt: 4, Since: given.Add(-2 * time.Minute), Stuck: true, Stack: "main.charge()\n\tcharge.go:12\x1b[2J\n"})
	run(1, 3, control.Handler{MessageID: "3b1c", Given: true, Attempt: 1, Since: given.Add(-time.Hour)})
	f.processes[1].Consumers[0].Stuck = 1
	f.processes[2].Consumers[0].RunningCount = 5
	return f
}

func TestWhatRunsIsShownStuckFirst(t *testing.T) {
	for _, stack := range []bool{false, true} {
		r := runningReport{at: given, processes: atWork().processes}
		var text strings.Builder
		r.write(&text, r.handlers(), stack, 100)
		compare(t, map[bool]string{false: "control-running.txt", true: "control-running-stack.txt"}[stack], text.String())
	}
	s := offline(t)
	r := s.on(atWork(), "control", "running").want(t, exitFound, "order-9", "1 stuck (--stack shows where)")
	if strings.Contains(r.out, "3b1c\x1b") || strings.Index(r.out, "order-9") > strings.Index(r.out, "3b1c") || strings.Index(r.out, "3b1c") > strings.Index(r.out, "order-8") {
		t.Errorf("in this order:\n%s", r.out)
	}
	s.on(atWork(), "control", "running", "--json").want(t, exitFound, `"stack": "main.charge()\n\tcharge.go:12\u001b[2J\n"`, `"running": 5`)
	f := atWork()
	r = s.on(f, "control", "running", "ba*").want(t, exitOK, "3b1c", "1 handler runs in 2 processes with 8 consumers")
	if strings.Contains(r.out, "order-") || len(f.asked[0]) > 0 {
		t.Errorf("asked for %q, shown was\n%s", f.asked, r.out)
	}
	f = atWork()
	s.on(f, "control", "running", "bank").want(t, exitOK, "3b1c")
	if !slices.Equal(f.asked[0], []string{"bank"}) {
		t.Errorf("asked for %q", f.asked)
	}
	s.on(atWork(), "control", "running", "ordesr").want(t, exitFailed, `no process has "ordesr": processes have bank, orders`)
	s.on(shop(), "control", "running").want(t, exitOK, "0 handlers run in 3 processes with 11 consumers")
}

func TestAPatternIsAnyTextAndNothingElse(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"orders", "orders", true}, {"orders", "orders2", false}, {"*", "", true}, {"*", "anything", true}, {"bank.*", "bank.a", true}, {"bank.*", "bank", false},
		{"*.a", "bank.a", true}, {"b*k.*", "bank.a.b", true}, {"a*a", "a", false}, {"a*b*c", "aXcXb", false}, {"a*b*c", "aXbXc", true}, {"a[b", "a[b", true}, {"a?", "ab", false},
	} {
		if got := fits(test.pattern, test.name); got != test.want {
			t.Errorf("%q fits %q: %v", test.name, test.pattern, got)
		}
	}
}

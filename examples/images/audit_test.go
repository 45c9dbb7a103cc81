package main

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

// facts are those of a run in which all went well: one request is done, one is parked, one was
// refused, and one was sent twice and is done.
func facts() Facts {
	return Facts{
		Requests: []Request{{ID: "a", Want: done}, {ID: "b", Want: "error"}, {ID: "c", Want: refused}, {ID: "d", Want: done, Twice: true}},
		Counts: Counts{
			Published: map[string]int{"a": 1, "b": 1, "d": 2},
			Refused:   map[string]error{"c": errors.New("too large")},
			Notices:   map[string]int{"a": 1, "d": 2},
			Began:     map[string]int{"a": 1, "b": 1, "d": 2}, Painted: map[string]int{"a": 1, "d": 2}, Took: 5,
		},
		Results: map[string]error{"a": nil, "d": nil},
		Parked:  []Parked{{"b", "error", "not a picture"}},
	}
}

func TestARunInWhichAllWentWellAddsUp(t *testing.T) {
	a := audit(facts())
	if !a.OK() || a.Done != 2 || !maps.Equal(a.Parked, map[string]int{"error": 1}) || a.Refused != 1 || a.Copies != 1 || a.Unneeded != 1 || a.Again != 1 || a.Skipped != 1 {
		t.Errorf("%+v", a)
	}
}

func TestWhatDoesNotAddUpIsFound(t *testing.T) {
	for want, spoil := range map[string]func(*Facts){
		"a: it is lost: neither done nor parked":      func(f *Facts) { delete(f.Results, "a"); delete(f.Counts.Notices, "a") },
		"b: it is lost: neither done nor parked":      func(f *Facts) { f.Parked = nil },
		"b: it is parked 2 times":                     func(f *Facts) { f.Parked = append(f.Parked, f.Parked...) },
		"b: it is parked as panic (oops), want error": func(f *Facts) { f.Parked[0] = Parked{"b", "panic", "oops"} },
		"b: it is parked as crashed (), want error":   func(f *Facts) { f.Parked[0], f.Counts.Killed = Parked{"b", "crashed", ""}, maxCrashes-1 },
		"a: it is parked as error (no), want done": func(f *Facts) {
			delete(f.Results, "a")
			delete(f.Counts.Notices, "a")
			f.Parked = append(f.Parked, Parked{"a", "error", "no"})
		},
		"a: it is done, and parked as well":                           func(f *Facts) { f.Parked = append(f.Parked, Parked{"a", "error", ""}) },
		"a: it is done, and the requester does not know":              func(f *Facts) { delete(f.Counts.Notices, "a") },
		"b: it is parked, and the requester was told that it is done": func(f *Facts) { f.Counts.Notices["b"] = 1 },
		"a: the requester was told 2 times":                           func(f *Facts) { f.Counts.Notices["a"] = 2 },
		"b: it is done, and should be parked: error":                  func(f *Facts) { f.Parked, f.Results["b"], f.Counts.Notices["b"] = nil, nil, 1 },
		"a: its result is wrong: not grey":                            func(f *Facts) { f.Results["a"] = errors.New("not grey") },
		"d: it was published 1 times, want 2":                         func(f *Facts) { f.Counts.Published["d"] = 1 },
		"a: it was published 0 times, want 1":                         func(f *Facts) { delete(f.Counts.Published, "a") },
		"c: it should have been refused by the publisher":             func(f *Facts) { delete(f.Counts.Refused, "c") },
		"c: it was refused, and there is something of it":             func(f *Facts) { f.Results["c"] = nil },
		"z: nobody has asked for it":                                  func(f *Facts) { f.Results["z"] = nil },
		"y: nobody has asked for it":                                  func(f *Facts) { f.Parked = append(f.Parked, Parked{"y", "error", ""}) },
		"x: nobody has asked for it":                                  func(f *Facts) { f.Counts.Notices["x"] = 1 },
		"queues: 2 messages are left in them":                         func(f *Facts) { f.Waiting = 2 },
	} {
		f := facts()
		spoil(&f)
		if a := audit(f); !slices.Contains(a.Wrong, want) || a.OK() {
			t.Errorf("it found %q, want %q", a.Wrong, want)
		}
	}
}

// A worker that dies between the work and the ack has it done again.
func TestADeathExcusesOneRepetition(t *testing.T) {
	f := facts()
	f.Parked = append(f.Parked, f.Parked...)
	f.Counts.Notices["a"] = 2
	f.Counts.Killed = 1
	if a := audit(f); !a.OK() {
		t.Errorf("after a death: %q", a.Wrong)
	}
	f.Parked = append(f.Parked, f.Parked[0])
	if a := audit(f); !slices.Contains(a.Wrong, "b: it is parked 3 times") {
		t.Errorf("two repetitions after one death: %q", a.Wrong)
	}
	f = facts()
	f.Parked[0].Reason, f.Counts.Killed = "crashed", maxCrashes
	if a := audit(f); !a.OK() || a.Parked["crashed"] != 1 {
		t.Errorf("killed as often as a picture may be: %q", a.Wrong)
	}
}

func TestTheSummarySaysWhatDoesNotAddUp(t *testing.T) {
	f := facts()
	var out strings.Builder
	audit(f).Print(&out, f)
	if want := "2 done + 1 parked = 3 published: every request is accounted for"; !strings.Contains(out.String(), want) {
		t.Errorf("it does not say %q:\n%s", want, out.String())
	}
	f.Parked = append(f.Parked, f.Parked...)
	out.Reset()
	audit(f).Print(&out, f)
	if fields := strings.Fields(out.String()); strings.Count(out.String(), "not a picture") != 1 || !slices.Contains(fields, "COPIES") {
		t.Errorf("two copies are not in one row:\n%s", out.String())
	}
	f.Parked = nil
	out.Reset()
	audit(f).Print(&out, f)
	if want := "it does not add up:\n  b: it is lost"; !strings.Contains(out.String(), want) {
		t.Errorf("it does not say %q:\n%s", want, out.String())
	}
}

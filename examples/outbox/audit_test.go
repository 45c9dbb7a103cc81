package main

import (
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// facts of two orders, of which the first was accepted and the second rejected.
func facts() Facts {
	return Facts{
		Orders: []Order{{ID: "a", Cents: 100}, {ID: "b", Cents: credit + 1}},
		Counts: Counts{Answers: map[string]Answer{"a": Accepted, "b": Rejected}},
		Books: Books{
			Orders: map[string]bool{"a": true}, Invoices: map[string][]int{"a": {1}}, Mails: map[string][]int{"a": {1}},
			Jobs: map[string]outbox.JobStatus{"a": {Done: 2}}, Last: 1, Written: 1,
		},
	}
}

func TestWhatDoesNotAddUpIsNamed(t *testing.T) {
	if a := audit(facts()); !a.OK() || a.String() != "1 accepted = 1 invoices = 1 mails: every order is accounted for" {
		t.Errorf("%s", a)
	}
	for want, change := range map[string]func(*Facts){
		"a: it was accepted, and is not in the database":           func(f *Facts) { delete(f.Books.Orders, "a") },
		"a: it was accepted, and has 2 invoices: [1 2]":            func(f *Facts) { f.Books.Invoices["a"] = []int{1, 2} },
		"a: it was accepted, and has 0 mails":                      func(f *Facts) { delete(f.Books.Mails, "a") },
		"a: it was accepted, and has 2 mails":                      func(f *Facts) { f.Books.Mails["a"] = []int{1, 1} },
		"a: its mail names invoice [2], and it has [1]":            func(f *Facts) { f.Books.Mails["a"] = []int{2} },
		"a: its job is not done":                                   func(f *Facts) { f.Books.Jobs["a"] = outbox.JobStatus{Done: 1, Sent: 1} },
		"a: it got the wrong answer, or none":                      func(f *Facts) { f.Counts.Answers["a"] = Rejected },
		"b: it got the wrong answer, or none":                      func(f *Facts) { delete(f.Counts.Answers, "b") },
		"b: it was rejected, and is in the database":               func(f *Facts) { f.Books.Orders["b"] = true },
		"b: it was rejected, and the outbox has messages of it":    func(f *Facts) { f.Books.Jobs["b"] = outbox.JobStatus{Waiting: 2} },
		"b: it was rejected, and has an invoice":                   func(f *Facts) { f.Books.Invoices["b"] = []int{2} },
		"b: it was rejected, and has a mail":                       func(f *Facts) { f.Books.Mails["b"] = []int{2} },
		"c: nobody has ordered it":                                 func(f *Facts) { f.Books.Mails["c"] = []int{2} },
		"invoices: the last one has the number 2, and there are 1": func(f *Facts) { f.Books.Last = 2 },
		"queues: 3 messages are left in them":                      func(f *Facts) { f.State.Waiting = 3 },
		"queues: 1 messages are parked":                            func(f *Facts) { f.State.Parked = 1 },
	} {
		f := facts()
		change(&f)
		if a := audit(f); a.OK() || !strings.Contains(a.String(), want) {
			t.Errorf("it does not say %q: %s", want, a)
		}
	}
}

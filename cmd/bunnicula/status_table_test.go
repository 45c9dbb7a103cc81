package main

import (
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestANoteSaysWhatToNotice(t *testing.T) {
	none, some := 0, 9
	now := time.Date(2026, 11, 30, 10, 0, 0, 0, time.Local)
	soon, later := now.Add(10*time.Second), now.Add(24*time.Hour)
	retry := func(q inspect.QueueStatus) inspect.QueueStatus {
		q.Role, q.State = topology.RoleRetry, inspect.Present
		return q
	}
	for want, test := range map[string]struct {
		queue inspect.QueueStatus
		alone bool
	}{
		"":                             {retry(inspect.QueueStatus{Kept: &none, Ready: &none}), true},
		"9 kept":                       {retry(inspect.QueueStatus{Kept: &some}), false},
		"no consumer, 9 kept":          {inspect.QueueStatus{Role: topology.RoleMain, State: inspect.Present, Kept: &some, Consumers: &none}, false},
		"missing":                      {inspect.QueueStatus{Role: topology.RoleMain, State: inspect.Absent}, true},
		"no way back":                  {retry(inspect.QueueStatus{Ready: &some}), true},
		"all back by 10:00:10, 9 kept": {retry(inspect.QueueStatus{Ready: &some, BackBy: &soon, Kept: &some}), false},
		"all back by Tue 10:00:00, none before 10:00:10": {retry(inspect.QueueStatus{Ready: &some, BackBy: &later, BackFrom: &soon}), false},
	} {
		if got := note(test.queue, test.alone, now); got != want {
			t.Errorf("%+v: %q, want %q", test, got, want)
		}
	}
	if got := clock(now.Add(30*24*time.Hour), now); got != "2026-12-30 10:00" {
		t.Errorf("in 30 days: %s", got)
	}
}

// table prints the status of a consumer with the Ladder, whose retry queues change has changed.
func ladderTable(t *testing.T, all bool, change func(delay string, q *inspect.QueueStatus)) string {
	t.Helper()
	none, now := 0, time.Date(2026, 11, 30, 10, 0, 0, 0, time.Local)
	s := inspect.Status{Consumer: "emails", Queues: []inspect.QueueStatus{{Queue: "emails", Role: topology.RoleMain, State: inspect.Present, Ready: &none}}}
	for _, d := range topology.Ladder {
		q := inspect.QueueStatus{Queue: topology.RetryQueue("emails", d), Role: topology.RoleRetry, Delay: topology.FormatDelay(d), State: inspect.Present, Ready: &none}
		change(q.Delay, &q)
		s.Queues = append(s.Queues, q)
	}
	var text strings.Builder
	writeStatus(&text, statusReport{At: now, Consumers: []inspect.Status{s}}, all, 0)
	return text.String()
}

func TestEmptyRetryQueuesShareALine(t *testing.T) {
	some := 7
	wait := func(delay string, q *inspect.QueueStatus) {
		if delay == "5s" || delay == "24h" {
			q.Ready = &some
		}
	}
	got := ladderTable(t, false, wait)
	if n := strings.Count(got, "\n"); n != 5 {
		t.Errorf("%d lines, want 5: the head, main, two with messages and one for the others\n%s", n, got)
	}
	for _, want := range []string{"retry 5s ", "retry 24h ", "retry, 8 empty", "250ms 1s 15s 1m 5m 15m 1h 6h\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("nothing says %q:\n%s", want, got)
		}
	}
	if all := ladderTable(t, true, wait); strings.Count(all, "\n") != 12 || strings.Contains(all, "empty") {
		t.Errorf("--all has not a line for each:\n%s", all)
	}
}

func TestARetryQueueOfWhichThereIsSomethingToSayHasItsLine(t *testing.T) {
	some := 1
	for name, change := range map[string]func(*inspect.QueueStatus){
		"kept":     func(q *inspect.QueueStatus) { q.Kept = &some },
		"consumed": func(q *inspect.QueueStatus) { q.Consumers = &some },
		"unacked":  func(q *inspect.QueueStatus) { q.Unacked = &some },
		"hidden":   func(q *inspect.QueueStatus) { q.State, q.Ready = inspect.Hidden, nil },
		"policy":   func(q *inspect.QueueStatus) { q.Problems = []string{"it expires"} },
	} {
		got := ladderTable(t, false, func(delay string, q *inspect.QueueStatus) {
			if delay == "1m" {
				change(q)
			}
		})
		if !strings.Contains(got, "retry 1m ") || !strings.Contains(got, "retry, 9 empty") {
			t.Errorf("%s:\n%s", name, got)
		}
	}
	got := ladderTable(t, false, func(delay string, q *inspect.QueueStatus) {
		if delay != "1s" && delay != "5s" {
			q.State, q.Ready = inspect.Absent, nil
		}
	})
	for _, want := range []string{"retry 1s ", "retry 5s ", "retry, 8 missing"} { // two empty ones are not folded
		if !strings.Contains(got, want) {
			t.Errorf("nothing says %q:\n%s", want, got)
		}
	}
}

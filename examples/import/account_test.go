package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

func ids(s string) map[string]bool {
	all := map[string]bool{}
	for _, id := range strings.Fields(s) {
		all[id] = true
	}
	return all
}

func parkedIDs(s string) (all []Parked) {
	for _, id := range strings.Fields(s) {
		all = append(all, Parked{ID: id})
	}
	return all
}

func TestEveryIDIsImportedParkedOrMissing(t *testing.T) {
	for _, test := range []struct {
		name, published, imported, parked string
		says                              string
		ok                                bool
	}{
		{"all there", "a b c", "a b", "c", "2 imported + 1 parked = 3 published: every conversation is accounted for", true},
		{"parked twice", "a b c", "a b", "c c", "2 imported + 1 parked = 3 published: every conversation is accounted for", true},
		{"imported and parked is imported", "a b c", "a b c", "b", "3 imported + 0 parked = 3 published: every conversation is accounted for", true},
		{"one missing", "a b c", "a", "c", "missing: b", false},
		{"the count fits and the ids do not", "a b c", "a x", "c", "missing: b\nnever published, and there all the same: x", false},
		{"one of the list was not published", "a b", "a b", "", "1 of 3 conversations were never published", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := account(Books{Total: 3, Whole: true, Published: ids(test.published), Imported: ids(test.imported)}, parkedIDs(test.parked))
			if a.OK() != test.ok || a.String() != test.says {
				t.Errorf("OK is %v: %s", a.OK(), a)
			}
		})
	}
}

func TestParkedMessagesAreGroupedByTheirFailure(t *testing.T) {
	message := func(id, reason, group, history string) Parked {
		return parkedOf(amqp.Delivery{MessageId: id, Headers: amqp.Table{
			"bunnicula-reason": reason, "bunnicula-error-group": group, "bunnicula-error": "error of " + id, "bunnicula-history": history,
		}})
	}
	kinds := failures([]Parked{
		message("d", "error", "1", `[{}]`),
		message("c", "retries-exhausted", "2", `[{},{},{}]`),
		message("a", "retries-exhausted", "2", `[{}]`),
		message("b", "retries-exhausted", "3", `not a history`),
	})
	if len(kinds) != 3 {
		t.Fatalf("%d kinds: %+v", len(kinds), kinds)
	}
	if k := kinds[0]; k.Count != 2 || k.Least != 1 || k.Most != 3 || k.Example.Error != "error of a" {
		t.Errorf("the first kind is %+v", k)
	}
}

func TestTheSummaryShowsWhatBecameOfEveryConversation(t *testing.T) {
	var b strings.Builder
	Report{
		Account: Account{Total: 300, Published: 300, Imported: 276, Parked: 24, Both: 1},
		Counts:  Counts{Retried: map[monitoring.Reason]int{"panic": 3, "retry": 34}, Snoozed: 273, Duplicates: 3},
		Parked: []Parked{
			{ID: "c-0002", Reason: "error", Group: "1", Error: "GET /conversations/c-0002: 404 Not Found", Attempts: 1},
			{ID: "c-0009", Reason: "retries-exhausted", Group: "2", Error: "GET /conversations/c-0009:\nno answer" + strings.Repeat(".", 90), Attempts: 4},
		},
		Elapsed: 8300 * time.Millisecond,
	}.Print(&b)
	const want = `
   published   300  of 300
    imported   276  1 of them parked as well: crashed after their work at the last attempt
      parked    24
     missing     0
     retried    37  34 retry, 3 panic
     snoozed   273
  duplicates     3  handled again after they were imported, and skipped
     elapsed  8.3s

  PARKED  REASON             TRIES  ONE OF THEM
  1       error              1      GET /conversations/c-0002: 404 Not Found
  1       retries-exhausted  4      GET /conversations/c-0009: no answer........................

276 imported + 24 parked = 300 published: every conversation is accounted for
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestTheTallyEndsWhenTheLastConversationIsSettled(t *testing.T) {
	over := func(t *Tally) bool {
		select {
		case <-t.Done():
			return true
		default:
			return false
		}
	}
	end := func(tally *Tally, queue, id string, action monitoring.Action) {
		tally.End(t.Context(), monitoring.Delivery{Queue: queue, MessageID: id}, monitoring.Outcome{Action: action, Err: errors.New("404")})
	}
	tally := NewTally("conversations")
	tally.GoOn(Books{Total: 4, Published: ids("a b"), Imported: ids("a")}, nil)
	end(tally, "conversations", "c", monitoring.Acked) // before its page is confirmed
	end(tally, "conversations", "b", monitoring.Retried)
	tally.Published(page("c d"))
	end(tally, "conversations", "b", monitoring.Acked)
	end(tally, "conversations", "b", monitoring.Acked) // twice
	if over(tally) {
		t.Fatal("over, and d is open")
	}
	end(tally, "conversations", "d", monitoring.Parked)
	if !over(tally) || tally.Err() != nil {
		t.Errorf("not over, or with an error: %v", tally.Err())
	}
	if got := tally.Counts().String(); got != "published 4 of 4, imported 3, parked 1, retried 1, snoozed 0" {
		t.Error(got)
	}

	failed := NewTally("conversations")
	end(failed, "history", "page-1", monitoring.Parked)
	if !over(failed) || failed.Err() == nil {
		t.Error("a parked page does not end it")
	}
}

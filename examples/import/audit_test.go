package main

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/examples/import/api"
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
			a := audit(Book{Total: 3, Whole: true, Published: ids(test.published), Imported: ids(test.imported)}, parkedIDs(test.parked))
			if a.OK() != test.ok || a.String() != test.says {
				t.Errorf("OK is %v: %s", a.OK(), a)
			}
		})
	}
}

func TestTheAccountsAddUpAndNobodysMessagesAreStrays(t *testing.T) {
	parked := []Parked{{ID: "a3", Account: "acme"}, {ID: "k2", Account: "kiosk"}, {ID: "x", Account: "nobody"}, {ID: "y"}}
	books := Books{
		"acme":  {Total: 3, Whole: true, Published: ids("a1 a2 a3"), Imported: ids("a1 a2")},
		"kiosk": {Total: 2, Whole: true, Published: ids("k1 k2")},
	}
	sum, each := auditAll(books, []string{"acme", "kiosk", "late"}, parked)
	want := Audit{Total: 5, Published: 5, Imported: 2, Parked: 2, Missing: []string{"k1"}, Strays: []string{"x", "y"}, Unasked: true}
	if !reflect.DeepEqual(sum, want) {
		t.Errorf("the sum is %+v, want %+v", sum, want)
	}
	if !each["acme"].OK() || each["kiosk"].OK() || !each["late"].Unasked {
		t.Errorf("each: %+v", each)
	}
}

func TestParkedMessagesAreGroupedByTheirFailure(t *testing.T) {
	message := func(id, reason, group, history string) Parked {
		return parkedOf(amqp.Delivery{MessageId: id, Body: []byte(`{"account":"acme","id":"` + id + `"}`), Headers: amqp.Table{
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
	if k := kinds[0]; k.Count != 2 || k.Least != 1 || k.Most != 3 || k.Example.Error != "error of a" || k.Example.Account != "acme" {
		t.Errorf("the first kind is %+v", k)
	}
}

func TestTheSummaryShowsWhatBecameOfEveryConversation(t *testing.T) {
	var b strings.Builder
	Report{
		Audit: Audit{Total: 320, Published: 320, Imported: 295, Parked: 25, Both: 1},
		Accounts: []AccountReport{
			{"acme", Audit{Total: 300, Imported: 276, Parked: 24}, api.Requests{All: 340, Refused: 2}, 240 * time.Millisecond, 8160 * time.Millisecond, 0},
			{"corner-shop", Audit{Total: 20, Imported: 19, Parked: 1}, api.Requests{All: 24}, 300 * time.Millisecond, -1, 287},
		},
		Counts: Counts{Retried: map[monitoring.Reason]int{"panic": 3, "retry": 34}, Snoozed: 273, Duplicates: 3},
		Parked: []Parked{
			{ID: "acme-0002", Reason: "error", Group: "1", Error: "GET http://api.test/acme/conversations/acme-0002: 404 Not Found", Attempts: 1},
			{ID: "acme-0009", Reason: "retries-exhausted", Group: "2", Error: "GET http://api.test/acme/conversations/acme-0009:\nno answer" + strings.Repeat(".", 90), Attempts: 4},
		},
		Elapsed: 8300 * time.Millisecond,
	}.Print(&b)
	const want = `
   published   320  of 320
    imported   295  1 of them parked as well: crashed after their work at the last attempt
      parked    25
     missing     0
     retried    37  34 retry, 3 panic
     snoozed   273
     refused     2  of 364 requests
  duplicates     3  handled again after they were imported, and skipped
     elapsed  8.3s

      ACCOUNT  CONVERSATIONS  IMPORTED  PARKED  REQUESTS  REFUSED  LISTED  BEHIND   DONE
         acme            300       276      24       340        2    0.2s       0   8.2s
  corner-shop             20        19       1        24        0    0.3s     287  never

  PARKED  REASON             TRIES  ONE OF THEM
  1       error              1      GET http://api.test/acme/conversations/acme-0002: 404 Not Found
  1       retries-exhausted  4      GET http://api.test/acme/conversations/acme-0009: no answer...............................

295 imported + 25 parked = 320 published: every conversation is accounted for
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
	o := Options{Prefix: "p", Conversations: 4, Small: 1}
	tally := NewTally(o)
	tally.GoOn(Books{"acme": {Total: 4, Published: ids("a b"), Imported: ids("a")}}, nil)
	end(tally, o.ConversationQueue(), "c", monitoring.Acked) // before its page is confirmed
	end(tally, o.ConversationQueue(), "b", monitoring.Retried)
	tally.Published(page("acme", "c d"))
	end(tally, o.ConversationQueue(), "b", monitoring.Acked)
	end(tally, o.ConversationQueue(), "b", monitoring.Acked) // twice
	if p := tally.Account("acme"); !p.Done.IsZero() || p.Listed.IsZero() {
		t.Fatalf("the big account: %+v, and d is open", p)
	}
	end(tally, o.ConversationQueue(), "d", monitoring.Parked)
	if over(tally) || tally.Account("acme").Done.IsZero() {
		t.Fatal("the big account is not done, or the small one is")
	}
	tally.Published(page("corner-shop", "e"))
	end(tally, o.ConversationQueue(), "e", monitoring.Acked)
	if !over(tally) || tally.Err() != nil {
		t.Errorf("not over, or with an error: %v", tally.Err())
	}
	if got := tally.Counts().String(); got != "published 5 of 5, imported 4, parked 1, retried 1, snoozed 0" {
		t.Error(got)
	}

	failed := NewTally(o)
	end(failed, o.HistoryQueue(), "acme-page-1", monitoring.Parked)
	if !over(failed) || failed.Err() == nil {
		t.Error("a parked page does not end it")
	}
}

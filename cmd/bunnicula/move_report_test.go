package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// A queue that this user may not look at has -1 messages left, which is not none.
func TestMoveDoesNotSayOfAQueueNobodyMayLookAtThatItIsEmpty(t *testing.T) {
	for name, c := range map[string]struct {
		left   int
		shared bool
		code   int
		want   string
	}{
		"empty":                   {0, false, exitOK, "nothing waits in the queues of orders any more"},
		"unknown":                 {-1, false, exitFound, "what is left is not known, since this user may not look at orders\n"},
		"unknown, and of several": {-1, true, exitOK, "nothing waits"},
		"two":                     {2, false, exitFound, "left in orders: 2"},
	} {
		t.Run(name, func(t *testing.T) {
			r := moveReport{MoveReport: errorqueue.MoveReport{
				From: "orders", To: "invoices", Left: max(0, c.left), Queues: []errorqueue.MovedQueue{{Queue: "orders", Left: c.left, Shared: c.shared}},
			}}
			if text := r.text(80); !strings.Contains(text, c.want) || c.left != 0 && !c.shared && strings.Contains(text, "nothing waits") {
				t.Errorf("got\n%s\nwant %q", text, c.want)
			}
			var out strings.Builder
			err := (&app{terminal: terminal{out: &out}}).printMove(r, nil)
			code := exitOK
			if e := (*exitError)(nil); errors.As(err, &e) {
				code = e.code
			}
			if code != c.code {
				t.Errorf("the exit code is %d, want %d: %v", code, c.code, err)
			}
		})
	}
}

package consumer

import (
	"context"
	"errors"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// nameless is a delivery without a message id.
func nameless(headers amqp.Table) amqp.Delivery {
	raw := delivery(headers)
	raw.MessageId = ""
	return raw
}

func TestAMessageWithoutAnIDHasOneFromItsFirstAttemptUntilItIsParked(t *testing.T) {
	var seen []Delivery
	c := quiet(t, spec(func(s *Spec) {
		s.MaxRetries = 2
		s.Handler = func(_ context.Context, d Delivery) Result {
			seen = append(seen, d)
			return Retry(errors.New("mail server is down"))
		}
	}))
	raw := nameless(nil)
	for {
		s := c.Process(t.Context(), raw)
		raw = back(s)
		if s.Action == monitoring.Parked {
			break
		}
	}
	if len(seen) != 3 || len(seen[0].MessageID) != 36 {
		t.Fatalf("the handler saw %+v", seen)
	}
	for _, d := range seen {
		if d.MessageID != seen[0].MessageID || !d.MessageIDGiven || d.Headers != nil {
			t.Errorf("attempt %d has the id %q, given by us: %t, headers %v", d.Attempt, d.MessageID, d.MessageIDGiven, d.Headers)
		}
	}
	if raw.MessageId != seen[0].MessageID || raw.Headers["bunnicula-message-id-given"] != true {
		t.Errorf("the parked copy has the id %q and the headers %v", raw.MessageId, raw.Headers)
	}
}

func TestTwoEqualMessagesWithoutIDsAreNotTakenForOne(t *testing.T) {
	c := quiet(t, spec(nil))
	a, b := decoded(c, nameless(nil)).facts, decoded(c, nameless(nil)).facts
	if a.MessageID == b.MessageID || !a.MessageIDGiven || !b.MessageIDGiven {
		t.Errorf("ids %q and %q, given by us: %t, %t", a.MessageID, b.MessageID, a.MessageIDGiven, b.MessageIDGiven)
	}
	if x, y := nameless(nil), delivery(nil); returnKey(&x) == returnKey(&y) {
		t.Error("the crash guard takes a message without an id for another")
	}
	x, y := nameless(nil), nameless(nil)
	if returnKey(&x) != returnKey(&y) {
		t.Error("the crash guard does not know a message without an id again when it is delivered again")
	}
	if y.Body = []byte("other"); returnKey(&x) == returnKey(&y) {
		t.Error("the crash guard takes a message without an id for one with another body")
	}
}

func TestOnlyAMarkOfOursSaysThatAnIDWasGiven(t *testing.T) {
	const mark = "bunnicula-message-id-given"
	for name, row := range map[string]struct {
		headers amqp.Table
		want    bool
	}{
		"no headers":             {nil, false},
		"no mark":                {amqp.Table{"tenant": "acme", "retry-attempts": int64(1)}, false},
		"the mark":               {amqp.Table{mark: true}, true},
		"the mark of elsewhere":  {amqp.Table{mark: true, "bunnicula-queue": "emails"}, true},
		"a mark that says no":    {amqp.Table{mark: false}, false},
		"a mark of another type": {amqp.Table{mark: "true"}, false},
		"a table for a mark":     {amqp.Table{mark: amqp.Table{}}, false},
	} {
		seen := handled(t, spec(nil), delivery(row.headers))
		if seen.MessageID != "m-1" || seen.MessageIDGiven != row.want {
			t.Errorf("%s: id %q, given by us: %t, want %t", name, seen.MessageID, seen.MessageIDGiven, row.want)
		}
		copied := process(t, spec(func(s *Spec) { s.Handler = returns(Retry(nil)) }), delivery(row.headers))
		if got := copied.Copy.Headers[mark]; (got == true) != row.want || !row.want && got != nil {
			t.Errorf("%s: the copy has the mark %v, want %t", name, got, row.want)
		}
	}
}

func TestAMessageWhoseHeadersLeaveNoRoomIsParkedWithTheIDThatWasLoggedIfThatFits(t *testing.T) {
	c := quiet(t, spec(nil))
	const fits = 8 << 10
	with, without := 0, 0
	for n := fits - 500; n < fits-128; n++ {
		d := decoded(c, nameless(amqp.Table{"h": strings.Repeat("x", n)}))
		d.from = &channel{session: userSession{}, fits: fits}
		s := c.settlement(d, ending{result: Retry(nil)}, d.facts.Raw.Timestamp)
		if s.Action != monitoring.Parked {
			continue
		}
		mark := s.Copy.Headers["bunnicula-message-id-given"]
		switch s.Copy.MessageId {
		case d.facts.MessageID:
			with++
			if mark != true || wire.PropertiesSize(&s.Copy.Publishing) > fits {
				t.Errorf("with %d bytes the copy has the mark %v and %d bytes of headers", n, mark, wire.PropertiesSize(&s.Copy.Publishing))
			}
		default:
			without++
			if s.Copy.MessageId != "" || mark != nil {
				t.Errorf("with %d bytes the copy has the id %q and the mark %v", n, s.Copy.MessageId, mark)
			}
		}
	}
	if with == 0 || without == 0 {
		t.Errorf("%d copies have an id and %d have none", with, without)
	}
}

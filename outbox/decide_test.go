package outbox

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestWhatBecomesOfARowFollowsFromItsErrorAndItsAttempts(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("publisher: publish to queue %q: %w", "q", err) }
	backoff := func(attempt int) time.Duration { return time.Duration(attempt) * time.Minute }
	for name, row := range map[string]struct {
		err      error
		attempts int
		max      int
		fate     fate
		wait     time.Duration
	}{
		"confirmed":                        {nil, 14, 15, confirmed, 0},
		"unroutable":                       {wrap(publisher.ErrUnroutable), 0, 15, refused, time.Minute},
		"unroutable for the last time":     {wrap(publisher.ErrUnroutable), 14, 15, givenUp, 0},
		"unroutable and never given up":    {wrap(publisher.ErrUnroutable), 1000, NoMaxAttempts, refused, 1001 * time.Minute},
		"one attempt":                      {wrap(publisher.ErrUnroutable), 0, 1, givenUp, 0},
		"refused":                          {wrap(&publisher.RefusedError{Code: 404}), 1, 15, refused, 2 * time.Minute},
		"too large":                        {wrap(publisher.ErrTooLarge), 14, 15, givenUp, 0},
		"bad input":                        {errors.New("headers: no"), 14, 15, givenUp, 0},
		"a full queue":                     {wrap(publisher.ErrNacked), 2, 15, refused, 3 * time.Minute},
		"a queue that was full for long":   {wrap(publisher.ErrNacked), 99, 15, refused, 100 * time.Minute},
		"not confirmed":                    {wrap(publisher.ErrUnconfirmed), 14, 15, unanswered, 0},
		"a publisher that was stopped":     {wrap(publisher.ErrClosed), 14, 15, unanswered, 0},
		"a connection that was stopped":    {wrap(connection.ErrClosed), 14, 15, unanswered, 0},
		"a wrong password":                 {wrap(&connection.RefusedError{}), 14, 15, unanswered, 0},
		"a stop":                           {wrap(context.Canceled), 14, 15, unanswered, 0},
		"no time":                          {wrap(context.DeadlineExceeded), 14, 15, unanswered, 0},
		"unroutable when there is no time": {fmt.Errorf("%w: %w", publisher.ErrUnconfirmed, context.Canceled), 14, 15, unanswered, 0},
	} {
		got := judge(row.err, row.attempts, row.max, backoff)
		if got.fate != row.fate || got.wait != row.wait {
			t.Errorf("%s: %v in %s, want %v in %s", name, got.fate, got.wait, row.fate, row.wait)
		}
		if hasText := got.text != ""; hasText != (row.fate == refused || row.fate == givenUp) {
			t.Errorf("%s: the text is %q", name, got.text)
		}
	}
}

func TestDelaysDoubleUpToFiveMinutes(t *testing.T) {
	for attempt, want := range map[int]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 9: 256 * time.Second, 10: 5 * time.Minute, 1 << 40: 5 * time.Minute,
	} {
		if got := doubling(attempt); got != want {
			t.Errorf("after attempt %d: %s, want %s", attempt, got, want)
		}
	}
}

func TestWhereARelayLooksNextFollowsFromWhatItHasSeen(t *testing.T) {
	due, third := scan{}, scan{keys: true, after: "c"}
	for name, row := range map[string]struct {
		at    scan
		found seen
		then  scan
		now   bool
	}{
		"nothing":                             {due, seen{}, due, false},
		"some":                                {due, seen{rows: 3, keyed: 3}, due, true},
		"rows without a key":                  {due, seen{rows: 500}, due, true},
		"much behind other rows of few keys":  {due, seen{rows: 1000, keyed: 1000, full: true}, due, true},
		"nothing but rows that are held":      {due, seen{full: true, last: "z"}, scan{keys: true}, true},
		"held rows, and some without a key":   {due, seen{rows: 500, full: true}, scan{keys: true}, true},
		"few that are not held":               {due, seen{rows: 10, keyed: 10, full: true}, scan{keys: true}, true},
		"another has the lease":               {third, seen{busy: true, full: true}, due, false},
		"keys without rows, and more":         {third, seen{full: true, last: "g"}, scan{keys: true, after: "g"}, true},
		"keys without rows, to the end":       {third, seen{last: "g"}, due, false},
		"keys with some rows, to the end":     {third, seen{rows: 5, keyed: 5, last: "g"}, due, true},
		"keys with many rows, and more":       {third, seen{rows: 500, keyed: 500, full: true, last: "g"}, due, true},
		"keys without rows, but others ready": {third, seen{rows: 500, last: "g"}, due, true},
	} {
		then, now := row.at.next(row.found, 500)
		if then != row.then || now != row.now {
			t.Errorf("%s: %+v, at once %t, want %+v, %t", name, then, now, row.then, row.now)
		}
	}
}

func TestTheFewerKeysThereAreTheMoreRowsOfEachAreTaken(t *testing.T) {
	for keys, want := range map[int]int{0: 64, 1: 64, 15: 64, 50: 16, 100: 8, 500: 2, 5000: 1} {
		if got := followers(500, keys); got != want {
			t.Errorf("%d keys: %d, want %d", keys, got, want)
		}
	}
}

func TestARowBehindOneThatIsMissingIsLeftOut(t *testing.T) {
	var h haul
	for _, r := range []struct {
		key   string
		place int
	}{{"", 0}, {"a", 0}, {"b", 0}, {"", 0}, {"a", 1}, {"b", 2}, {"c", 1}, {"a", 2}, {"b", 3}} {
		h.add(&row{}, r.key, r.place)
	}
	var lengths []int
	for _, c := range h.chains {
		lengths = append(lengths, len(c))
	}
	if got := fmt.Sprint(lengths, h.seen.rows, h.seen.keyed); got != "[1 3 1 1] 6 4" {
		t.Errorf("got %s", got)
	}
}

func TestHealthIsBadWhenARowIsLateOrTheDatabaseAway(t *testing.T) {
	for name, row := range map[string]struct {
		sight   sight
		warning string
		bad     string
	}{
		"nothing":     {sight{}, "", ""},
		"in time":     {sight{oldest: time.Minute}, "", ""},
		"late":        {sight{oldest: time.Minute + time.Second, failed: 1}, "1 rows have failed", "a row that is due has waited for 1m1s, want 1m0s at most"},
		"many failed": {sight{failed: 1000}, "1000 rows or more have failed", ""},
		"away":        {sight{err: errors.New("gone"), failed: 3}, "", "the database does not answer: gone"},
	} {
		warning, err := row.sight.judge(time.Minute)
		if warning != row.warning || (err == nil) != (row.bad == "") || err != nil && err.Error() != row.bad {
			t.Errorf("%s: %q, %v", name, warning, err)
		}
	}
}

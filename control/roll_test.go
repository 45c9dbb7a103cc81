package control

import (
	"testing"
	"time"
)

// answerOf is what a process with such consumers answers to a record.
func answerOf(to, process string, consumers ...string) answer {
	p := Process{ID: process}
	for _, name := range consumers {
		p.Consumers = append(p.Consumers, Member{Name: name})
	}
	return answer{ControlVersion, to, p}
}

func TestAnAskEndsWhenNobodyAnswersForLongerThanTheSlowestTook(t *testing.T) {
	began := time.Now()
	ms := func(n int) time.Time { return began.Add(time.Duration(n) * time.Millisecond) }
	q := &inquiry{asked: newRoll("ask", began)}
	if _, never := q.end(); !never {
		t.Error("it ends before anybody has answered")
	}
	for _, step := range []struct{ at, want int }{{20, 320}, {80, 380}, {300, 1200}, {310, 1240}} {
		q.take(answerOf("ask", ms(step.at).String(), "orders"), ms(step.at))
		if end, never := q.end(); never || !end.Equal(ms(step.want)) {
			t.Errorf("after an answer at %d ms it ends at %s, want %d ms", step.at, end.Sub(began), step.want)
		}
	}
	q.take(answerOf("another", "p9", "orders"), ms(400))
	if n := len(q.asked.all()); n != 4 {
		t.Errorf("%d have answered, want 4", n)
	}
}

func TestAnOrderWaitsForAllOfWhomItKnowsThatTheyAreConcerned(t *testing.T) {
	now := time.Now()
	start := func() *inquiry {
		q := &inquiry{asked: newRoll("ask", now)}
		q.take(answerOf("ask", "p1", "orders"), now)
		q.take(answerOf("ask", "p2", "mails"), now)
		q.order(newRoll("order", now), []string{"orders"})
		return q
	}
	ends := func(t *testing.T, q *inquiry, silent int, want bool) {
		t.Helper()
		if _, never := q.end(); never == want || q.silent() != silent {
			t.Errorf("%d are silent, and it ends is %v; want %d, %v", q.silent(), !never, silent, want)
		}
	}
	t.Run("all were known", func(t *testing.T) {
		q := start()
		ends(t, q, 1, false)
		q.take(answerOf("order", "p1", "orders"), now)
		ends(t, q, 0, true)
		if end, _ := q.end(); !end.IsZero() {
			t.Error("it waits, although all have answered")
		}
	})
	t.Run("one has answered the ask late", func(t *testing.T) {
		q := start()
		q.take(answerOf("ask", "p4", "mails"), now)
		q.take(answerOf("ask", "p3", "orders"), now)
		ends(t, q, 2, false)
		q.take(answerOf("order", "p1", "orders"), now)
		ends(t, q, 1, false)
		q.take(answerOf("order", "p3", "orders"), now.Add(time.Second))
		ends(t, q, 0, true)
		if end, _ := q.end(); !end.Equal(now.Add(4 * time.Second)) {
			t.Errorf("it ends at %s, want three times the second later that the slowest took", end.Sub(now))
		}
	})
	t.Run("one has answered the order alone", func(t *testing.T) {
		q := start()
		q.take(answerOf("order", "p1", "orders"), now)
		q.take(answerOf("order", "p5", "orders"), now)
		ends(t, q, 0, true)
		if end, _ := q.end(); !end.Equal(now.Add(calm)) || len(q.ordered.all()) != 2 {
			t.Errorf("it ends at %s with %d, want to wait for others", end.Sub(now), len(q.ordered.all()))
		}
	})
}

package redis

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/redistest"
	"github.com/bunnicula-go/bunnicula/use"
)

// drawnClock is a clock for the rule: the time of the Ask is the last argument.
const drawnClock = "local now = tonumber(ARGV[#ARGV])\n"

// question is one Ask, at a time after the one before: so long after, or when the one before was
// told to come again, or at an end of the time in which it comes in time for its place.
type question struct {
	after time.Duration
	again int // 1 is when it was told, and each more is Near later; 0 is after
	ask   use.Ask
}

// history is what several messages ask, one after the other.
type history struct {
	limit     use.Limit
	questions []question
}

func drawHistory(t *rapid.T) history {
	events := rapid.IntRange(1, 200).Draw(t, "events")
	every := time.Duration(rapid.IntRange(1, 8_000).Draw(t, "every")) * 50 * time.Microsecond // a fiftieth is whole, too
	h := history{limit: use.Limit{Events: events, Per: time.Duration(events) * every, Burst: rapid.IntRange(0, events).Draw(t, "burst")}}
	near := duration(t, "near", time.Second, 5*time.Second)
	for range rapid.IntRange(1, 80).Draw(t, "questions") {
		q := question{again: max(0, rapid.IntRange(-6, 3).Draw(t, "again"))}
		if rapid.IntRange(0, 2).Draw(t, "when") > 0 {
			q.after = duration(t, "after", 0, rapid.SampledFrom([]time.Duration{every, near, 100 * every, time.Minute}).Draw(t, "about"))
		}
		q.ask = use.Ask{
			Key: rapid.SampledFrom([]string{"a", "a", "a", "b"}).Draw(t, "key"), ID: fmt.Sprint("m", rapid.IntRange(1, 25).Draw(t, "id")),
			Near: near, Patience: patience(t, every), First: patience(t, every),
		}
		h.questions = append(h.questions, q)
	}
	return h
}

// patience draws none often, so that messages wait in the line.
func patience(t *rapid.T, every time.Duration) time.Duration {
	most := rapid.SampledFrom([]time.Duration{0, 0, 0, 2 * every, 5 * time.Second}).Draw(t, "most")
	return duration(t, "patience", 0, most)
}

// duration draws whole microseconds: the time of Redis has no more.
func duration(t *rapid.T, name string, from, to time.Duration) time.Duration {
	return time.Duration(rapid.Int64Range(from.Microseconds(), to.Microseconds()).Draw(t, name)) * time.Microsecond
}

// inMemory returns the answers of a LocalLimiter, which has the rule in Go. It notes when each
// question was asked.
func (h history) inMemory(t *testing.T) (slots []use.Answer) {
	synctest.Test(t, func(t *testing.T) {
		limiter, err := use.NewLimiter(h.limit)
		if err != nil {
			t.Fatal(err)
		}
		var last use.Answer
		for i := range h.questions {
			q := &h.questions[i]
			if q.again > 0 {
				q.after = last.Wait + time.Duration(q.again-1)*q.ask.Near
				q.ask.ID = h.questions[max(0, i-1)].ask.ID
			}
			time.Sleep(q.after)
			s, err := limiter.Moment(t.Context(), q.ask)
			if err != nil {
				t.Fatal(err)
			}
			slots, last = append(slots, s), s
		}
	})
	return slots
}

// inRedis returns the answers of the rule in Lua.
func (h history) inRedis(t *testing.T, l *limiter) (slots []use.Answer) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for _, q := range h.questions {
		now = now.Add(q.after)
		slots = append(slots, h.reply(t, l, q.ask, now))
	}
	return slots
}

// reply returns the answer of the rule in Lua at a time.
func (h history) reply(t *testing.T, l *limiter, a use.Ask, now time.Time) use.Answer {
	limit, err := spaced(h.limit)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := l.server.run(context.Background(), keyName(l.cfg.Prefix, a.Key), append(l.arguments(a, limit), now.UnixMicro())...)
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := parse(reply)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// edges are histories that are rarely drawn. Each has moments a second apart, of which the first
// three are given at once, to messages that wait for them.
func edges() map[string]history {
	const s = time.Second
	busy := question{ask: use.Ask{ID: "busy", First: 5 * s, Near: s}}
	first := func(h ...question) history {
		return history{limit: use.Limit{Events: 1}, questions: append([]question{busy, busy, busy}, h...)}
	}
	return map[string]history{
		"the line begins behind the moments that are given": first(
			question{ask: use.Ask{ID: "m", Near: s}}),
		"a message that comes at its place, and gets no moment, lines up anew": first(
			question{ask: use.Ask{ID: "m", Near: s}},
			busy,
			question{after: 3 * s, ask: use.Ask{ID: "m", Near: s}}),
		"a message that comes Near after its place is in time": first(
			question{ask: use.Ask{ID: "m", Near: s}},
			question{after: 4 * s, ask: use.Ask{ID: "busy", First: 5 * s, Near: s}},
			question{ask: use.Ask{ID: "m", Patience: s, Near: s}}),
		"a line from which nobody comes for a minute is empty": first(
			question{ask: use.Ask{ID: "m1", Near: s}}, question{ask: use.Ask{ID: "m2", Near: s}}, question{ask: use.Ask{ID: "m3", Near: 100 * s}},
			question{after: 69 * s, ask: use.Ask{ID: "n1", Near: s}}, question{ask: use.Ask{ID: "n2", Near: s}}),
	}
}

func TestTheRuleInLuaAnswersAsTheRuleInGo(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	client := server.Client(t)
	given, waits, n := 0, 0, 0
	check := func(t *testing.T, fail func(string, ...any), h history) {
		n++
		l, err := newLimiter(client, Config{Limit: h.limit, Prefix: fmt.Sprint(n, ":")}, drawnClock)
		if err != nil {
			t.Fatal(err)
		}
		want, got := h.inMemory(t), h.inRedis(t, l)
		for i, w := range want {
			w.Slack = 0 // it is not Redis that says so
			if got[i] != w {
				fail("limit %+v, question %d, %+v: Redis answers %+v, want %+v", h.limit, i+1, h.questions[i], got[i], w)
			}
			if w.Given {
				given++
			} else {
				waits++
			}
		}
	}
	for name, h := range edges() {
		t.Run(name, func(t *testing.T) { check(t, t.Errorf, h) })
	}
	rapid.Check(t, func(rt *rapid.T) { check(t, rt.Fatalf, drawHistory(rt)) })
	t.Logf("%d histories with %d moments and %d places", n, given, waits)
	if given == 0 || waits == 0 {
		t.Errorf("the test saw %d moments and %d places", given, waits)
	}
}

package use

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// lab drives a circuit in simulated time.
type lab struct {
	t testing.TB
	circuit
	now time.Time
}

func newLab(t testing.TB, failures int, rest time.Duration) *lab {
	return &lab{t: t, circuit: circuit{failures: failures, rest: rest}, now: time.Unix(0, 0)}
}

// begin has a call of a message go ahead.
func (b *lab) begin(id string) call {
	b.t.Helper()
	if wait := b.ask(b.now); wait != 0 {
		b.t.Fatalf("%s waits for %s, want it to go ahead", id, wait)
	}
	return call{id: id, era: b.era}
}

// waits asserts that a call waits.
func (b *lab) waits(want time.Duration) {
	b.t.Helper()
	if wait := b.ask(b.now); wait != want {
		b.t.Fatalf("a call waits for %s, want %s", wait, want)
	}
}

// ends asserts whether the end of a call counts.
func (b *lab) ends(c call, how what, counts bool) {
	b.t.Helper()
	if got := b.end(b.now, c, how); got != counts {
		b.t.Fatalf("the end of %s counts: %t, want %t", c.id, got, counts)
	}
}

func (b *lab) is(want state) {
	b.t.Helper()
	if b.state != want {
		b.t.Fatalf("the circuit is %d, want %d", b.state, want)
	}
}

// opened returns a circuit that has just opened.
func opened(t testing.TB, failures int, rest time.Duration) *lab {
	t.Helper()
	b := newLab(t, failures, rest)
	for i := range failures {
		b.ends(b.begin(fmt.Sprint("m", i)), failed, i < failures-1)
	}
	b.is(open)
	return b
}

// mended returns a circuit that has had so many answers since it opened.
func mended(t testing.TB, answers int) *lab {
	t.Helper()
	b := opened(t, 3, time.Second)
	b.now = b.now.Add(time.Second)
	for range answers {
		b.ends(b.begin("fine"), answered, true)
	}
	return b
}

func TestABreakerOpensByFailuresInARowOfDistinctMessages(t *testing.T) {
	b := newLab(t, 3, time.Second)
	for range 10 {
		b.ends(b.begin("poison"), failed, true)
	}
	b.is(closed)
	b.ends(b.begin("a"), failed, true)
	b.is(closed)
	b.ends(b.begin("b"), panicked, false)
	b.is(open)
}

func TestAnAnswerEndsTheRowAndASnoozeDoesNot(t *testing.T) {
	b := newLab(t, 2, time.Second)
	b.ends(b.begin("a"), failed, true)
	b.ends(b.begin("b"), answered, true)
	b.ends(b.begin("c"), failed, true)
	b.is(closed)
	b.ends(b.begin("d"), neither, true)
	b.ends(b.begin("e"), failed, false)
	b.is(open)
}

func TestOneCallInEachRestProbes(t *testing.T) {
	b := opened(t, 3, 10*time.Second)
	b.now = b.now.Add(4 * time.Second)
	b.waits(6 * time.Second)
	b.now = b.now.Add(6 * time.Second)
	probe := b.begin("probe")
	b.waits(10 * time.Second)
	b.now = b.now.Add(3 * time.Second)
	b.ends(probe, failed, false)
	b.is(open)
	b.waits(10 * time.Second)
}

func TestAProbeThatNeverEndsIsFollowedByAnother(t *testing.T) {
	b := opened(t, 3, time.Second)
	b.now = b.now.Add(time.Second)
	lost := b.begin("lost")
	b.waits(time.Second)
	b.now = b.now.Add(time.Second)
	b.ends(b.begin("second"), answered, true)
	b.is(mending)
	b.begin("third") // the lost one takes a place
	b.waits(time.Second)
	b.now = b.now.Add(time.Second)
	b.ends(b.begin("fourth"), answered, true)
	b.ends(lost, failed, false)
	b.is(mending)
}

func TestAProbeThatTellsNothingIsFollowedByAnotherAtOnce(t *testing.T) {
	b := opened(t, 3, time.Second)
	b.now = b.now.Add(time.Second)
	b.ends(b.begin("stopped"), neither, true)
	b.ends(b.begin("probe"), answered, true)
	b.is(mending)
}

func TestAProbeThatIsThrottledIsFollowedByARest(t *testing.T) {
	b := opened(t, 3, time.Second)
	b.now = b.now.Add(time.Second)
	b.ends(b.begin("throttled"), throttling, true)
	b.waits(time.Second)
}

func TestAServiceThatComesBackGetsTwiceAsManyCallsInEachRound(t *testing.T) {
	b := opened(t, 3, time.Hour)
	b.now = b.now.Add(time.Hour)
	round := []call{b.begin("probe")}
	for _, want := range []int{2, 4, 8} {
		b.now = b.now.Add(time.Second)
		for _, c := range round {
			b.ends(c, answered, true)
		}
		round = nil
		for b.ask(b.now) == 0 {
			round = append(round, call{id: "next", era: b.era})
		}
		if len(round) != want {
			t.Fatalf("%d calls go ahead, want %d", len(round), want)
		}
	}
	b.ends(round[0], answered, true)
	b.ends(round[1], answered, true)
	b.is(mending)
	b.ends(round[2], answered, true)
	b.is(closed)
}

func TestWhileItMendsASecondFailureInARowOpensItAgain(t *testing.T) {
	b := mended(t, 5)
	first, second, other := b.begin("a"), b.begin("b"), b.begin("c")
	b.ends(first, failed, false)
	b.is(mending)
	b.ends(second, failed, false)
	b.is(open)
	b.waits(time.Second)
	b.ends(other, answered, true) // it began before
	b.is(open)
	b.now = b.now.Add(time.Second)
	b.ends(b.begin("probe"), answered, true)
	if b.answers != 1 {
		t.Errorf("it counts %d answers, want 1", b.answers)
	}
}

func TestAFailureThatBeganBeforeTheBreakerOpenedDoesNotCount(t *testing.T) {
	b := newLab(t, 2, time.Second)
	slow, slower := b.begin("slow"), b.begin("slower")
	b.ends(b.begin("a"), failed, true)
	b.ends(b.begin("b"), failed, false)
	b.ends(slow, failed, false)
	b.now = b.now.Add(time.Second)
	for range enough {
		b.ends(b.begin("fine"), answered, true)
	}
	b.is(closed)
	b.ends(slower, failed, false)
	b.ends(b.begin("c"), failed, true) // the slower one is not in its row
	b.is(closed)
}

func TestALastAttemptDoesNotCountAfterAFailureOfAnother(t *testing.T) {
	last := func(c call) call { c.last = true; return c }
	b := newLab(t, 4, time.Second)
	b.ends(last(b.begin("a")), failed, true)
	b.ends(b.begin("b"), failed, true)
	b.ends(last(b.begin("c")), failed, false)
	b.ends(b.begin("fine"), answered, true)
	b.ends(last(b.begin("c")), failed, true)
}

// Two messages that are at fault, in a queue with no others, are parked in the end.
func TestALastAttemptCountsWhenItFailsAgainAndAgain(t *testing.T) {
	b := newLab(t, 4, time.Second)
	b.ends(b.begin("other"), failed, true)
	for range 4 {
		b.ends(call{id: "poison", last: true}, failed, false)
	}
	b.ends(call{id: "poison", last: true}, failed, true)
	b.is(closed)
}

func TestAPoisonMessageUsesItsAttemptsAgainWhenNothingElseComes(t *testing.T) {
	b := mended(t, 1)
	for range 3 {
		b.ends(b.begin("poison"), failed, false)
		b.now = b.now.Add(time.Second)
	}
	b.ends(b.begin("poison"), failed, true)
	b.is(mending)
}

// The promises in the plainest form, over random calls and endings.
func TestWhateverComesABreakerKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const rest = 10 * time.Second
		failures := rapid.IntRange(1, 5).Draw(t, "failures")
		c := circuit{failures: failures, rest: rest}
		now := time.Unix(0, 0)
		since := now                // while not closed: when it opened, rested again, or a call went ahead
		failing := map[string]int{} // messages that failed since the last answer, or since it opened, and how often
		var pending []call

		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				if len(c.row) > failures {
					t.Fatalf("it keeps %d messages, want at most %d", len(c.row), failures)
				}
				if c.state != closed && (c.running < 0 || c.running > len(pending)) {
					t.Fatalf("it says that %d calls run, of %d", c.running, len(pending))
				}
			},
			"time passes": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 12).Draw(t, "seconds")) * time.Second)
			},
			"a message comes": func(t *rapid.T) {
				before := c
				wait := c.ask(now)
				switch {
				case wait < 0 || wait > rest:
					t.Fatalf("it is to wait for %s, want at most a rest", wait)
				case before.state == closed && wait != 0:
					t.Fatal("it waits while the breaker is closed")
				case wait != 0:
					later := c
					if later.ask(now.Add(wait)) != 0 {
						t.Fatal("it waits in vain")
					}
					return
				case before.state == open && now.Sub(since) < rest:
					t.Fatalf("a call goes ahead %s after the last one", now.Sub(since))
				case before.state == mending && before.running > before.answers && now.Sub(since) < rest:
					t.Fatalf("%d calls run after %d answers", c.running, c.answers)
				}
				if before.state != closed {
					since = now
				}
				id := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "id")
				pending = append(pending, call{id: id, era: c.era, last: rapid.Bool().Draw(t, "last")})
			},
			"a call ends": func(t *rapid.T) {
				if len(pending) == 0 {
					t.Skip("none runs")
				}
				i := rapid.IntRange(0, len(pending)-1).Draw(t, "call")
				done := pending[i]
				pending = append(pending[:i:i], pending[i+1:]...)
				how := rapid.SampledFrom([]what{answered, answered, failed, panicked, neither, throttling}).Draw(t, "ending")
				before := c
				counts := c.end(now, done, how)

				fails, current := how == failed || how == panicked, done.era == before.era
				want, opens := true, false
				switch {
				case how == answered && (current || before.state == closed):
					clear(failing)
				case fails && (!current || before.state == open):
					want = false
				case fails:
					failing[done.id]++
					opens = len(failing) >= failures || before.state == mending && len(failing) >= relapses
					doubt := before.state == mending || done.last && len(failing) > 1
					want = !opens && (!doubt || failing[done.id] > failures)
				}
				if counts != want {
					t.Fatalf("it counts: %t, want %t", counts, want)
				}
				state, answers := before.state, before.answers
				switch {
				case opens:
					state, answers = open, 0
					clear(failing)
				case how == answered && current && state != closed:
					state, answers = mending, answers+1
					if answers == enough {
						state = closed
					}
				}
				if c.state != state || state == mending && c.answers != answers {
					t.Fatalf("it is %d after %d answers, want %d after %d", c.state, c.answers, state, answers)
				}
				switch {
				case opens, fails && current && state == open:
					since = now
				case how == neither && current && state == open:
					since = now.Add(-rest)
				}
			},
		})
	})
}

package errorqueue

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// followed keeps what Observe and Settled have told.
type followed struct {
	passes  int
	read    []string // ids, in the last pass
	whole   []int    // messages of each pass that has come to its end
	settled map[string]int
}

func (f *followed) observe(m *Message) {
	if m.Position == 1 {
		f.passes++
		f.read = nil
	}
	f.read = append(f.read, m.ID)
}

func (f *followed) ended() { f.whole = append(f.whole, len(f.read)) }

func (f *followed) settle(mark string) {
	if f.settled == nil {
		f.settled = map[string]int{}
	}
	f.settled[mark]++
}

func TestAPlanDoesNotGrow(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, queue string) {
		const n, later = 12, 5
		parkedAt := func(i int, at time.Time) amqp.Publishing {
			p := parked(queue, i)
			p.Headers[wire.FailedAt] = at.Format(time.RFC3339)
			return p
		}
		then := time.Now().Add(-2 * time.Hour)
		fill(t, queue+"-error", n, func(i int) amqp.Publishing {
			if i%4 == 0 { // too young then, and old enough by now
				return parkedAt(i, then.Add(-time.Minute))
			}
			return parkedAt(i, then.Add(-2*time.Hour))
		})
		q := open(t, Config{Queue: queue})
		old := terms(t, "older=1h")
		plan := redriveOK(t, q, RedriveOptions{Filter: old, DryRun: true, Now: then})
		if plan.Read != n || plan.Matched != n*3/4 {
			t.Fatalf("the plan is %+v", plan)
		}
		for i := range later {
			amqptest.Publish(t, "", queue+"-error", parkedAt(n+i, then.Add(-2*time.Hour)))
		}
		amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, q.Name()) == n+later }, "not all are parked")
		var told followed
		report := redriveOK(t, q, RedriveOptions{Filter: old, Now: then, Within: plan.Read, Observe: told.observe, Observed: told.ended, Settled: told.settle})
		if len(told.whole) > 0 {
			t.Errorf("readings of %v messages have come to the end of a queue that has %d", told.whole, n+later)
		}
		if report.Moved != plan.Matched || report.Read != n || len(told.read) != n || len(told.settled) != plan.Matched {
			t.Errorf("%d are observed, %d settled: %+v", len(told.read), len(told.settled), report)
		}
		inOrder(t, queue, n, func(i int) bool { return i%4 == 0 })
		for _, left := range []struct {
			name string
			move func(within int) (int, error)
		}{
			{"redrive to a queue", func(within int) (int, error) {
				r, err := q.Redrive(t.Context(), RedriveOptions{All: true, To: queue, Within: within})
				return r.Moved, err
			}},
			{"archive", func(within int) (int, error) {
				r, err := q.Discard(t.Context(), DiscardOptions{All: true, Within: within, Settled: told.settle})
				return r.Discarded, err
			}},
			{"delete", func(within int) (int, error) {
				r, err := q.Discard(t.Context(), DiscardOptions{All: true, Delete: true, Within: within, Rate: 1000})
				return r.Discarded, err
			}},
		} {
			before := amqptest.Depth(t, q.Name())
			if moved, err := left.move(2); moved != 2 || err != nil || amqptest.Depth(t, q.Name()) != before-2 {
				t.Errorf("%s: %d, %v", left.name, moved, err)
			}
		}
		if left := list(t, q, ListOptions{}); len(left) != 2 || left[0].ID != id(n+later-2) {
			t.Errorf("left are %d, %+v", len(left), left)
		}
	})
}

// A quorum queue puts what a lost connection held behind all that was read before. So the first
// messages are not the first any more.
func TestAPlanDoesNotGrowWhenTheConnectionIsLost(t *testing.T) {
	t.Parallel()
	for _, holdFor := range []time.Duration{0, 600 * time.Millisecond} { // in one reading, and in rounds
		t.Run(fmt.Sprint(holdFor), func(t *testing.T) {
			for _, kind := range []topology.QueueType{topology.Quorum, topology.Classic} {
				t.Run(string(kind), func(t *testing.T) {
					t.Parallel()
					const n, within, cuts = 400, 200, 2
					queue := declare(t, kind)
					park(t, queue, n)
					list(t, open(t, Config{Queue: queue}), ListOptions{}) // so that all were delivered before
					proxy := amqptest.NewProxy(t, amqptest.URL(t))
					q := openThrough(t, proxy, Config{Queue: queue, HoldFor: holdFor, Wait: 20 * time.Second})
					cut, settled := 0, followed{}
					report, err := q.Redrive(t.Context(), RedriveOptions{All: true, Within: within, Window: 10, Rate: 200, Settled: settled.settle, Progress: func(p Progress) {
						if cut < cuts && p.Moved > 40*(cut+1) {
							cut++
							proxy.Cut()
						}
					}})
					if err != nil || cut != cuts || report.Read != within || len(settled.settled) > within {
						t.Errorf("%d cuts: %v, %+v", cut, err, report)
					}
					if depth := amqptest.Depth(t, q.Name()); depth != n-within {
						t.Errorf("%d are parked, want %d", depth, n-within)
					}
					seen := map[string]bool{}
					for _, d := range empty(t, queue) {
						seen[d.MessageId] = true
						if d.MessageId >= id(within) {
							t.Errorf("%s is moved, which is behind the first %d", d.MessageId, within)
						}
					}
					if len(seen) != within {
						t.Errorf("%d of %d are moved", len(seen), within)
					}
				})
			}
		})
	}
}

func TestAWatchedBatchTellsOfWhatIsParkedMeanwhile(t *testing.T) {
	t.Parallel()
	queue := declare(t, topology.Quorum)
	park(t, queue, 4)
	failing(t, queue, func(n int) bool { return n == 1 })
	q := open(t, Config{Queue: queue, DeliveryLimit: 100}) // known, so that no scout changes places
	var told followed
	redriveOK(t, q, RedriveOptions{All: true, Batches: []int{2, 10}, Watch: 1100 * time.Millisecond, Tolerate: 1, Observe: told.observe, Observed: told.ended, Settled: told.settle})
	// The survey, the first batch, what it has brought back, and the second one.
	if told.passes != 4 || !strings.HasPrefix(strings.Join(told.read, " "), id(2)) || len(told.settled) != 4 {
		t.Errorf("%+v", told)
	}
	// The first batch ends early, and the second one leaves out what has failed again.
	if !slices.Equal(told.whole, []int{4, 3}) {
		t.Errorf("readings of %v messages have come to their end", told.whole)
	}
}

// Each connection that the message ends brings others to the front of a quorum queue.
func TestAPlanDoesNotGrowOverAMessageThatTheBrokerCannotConvert(t *testing.T) {
	if amqptest.Major(t) < 4 {
		t.Skip("before RabbitMQ 4 AMQP 1.0 is a plugin, and converts what it takes")
	}
	t.Parallel()
	eachKind(t, func(t *testing.T, queue string) {
		const n, at, within, before = 60, 40, 50, 30
		parkAround(t, queue, n, at)
		q := open(t, Config{Queue: queue})
		if report := redriveOK(t, q, RedriveOptions{All: true, Within: before}); report.Moved != before {
			t.Errorf("in front of it: %+v", report)
		}
		report, err := q.Discard(t.Context(), DiscardOptions{All: true, Within: within - before})
		if _ = unreadable(t, "discard", err); report.Failed != 0 || report.Discarded > at-before {
			t.Errorf("%+v, %v", report, err)
		}
		inOrder(t, queue, before, nil)
		for _, d := range empty(t, queue+"-archive") {
			if d.MessageId >= id(within-1) {
				t.Errorf("%s is archived, which is behind the first %d", d.MessageId, within)
			}
		}
		left := n + 1 - before - report.Discarded
		amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, q.Name()) == left }, "%d are parked still, want %d", amqptest.Depth(t, q.Name()), left)
		t.Logf("%d of %d are archived", report.Discarded, at-before)
	})
}

func TestADiscardSaysWhenItHasReadTheWholeQueue(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, queue string) {
		const n = 12
		park(t, queue, n)
		q := open(t, Config{Queue: queue})
		some := terms(t, "id="+id(0)+","+id(1))
		for name, c := range map[string]struct {
			options DiscardOptions
			whole   []int
		}{
			"with a limit":  {DiscardOptions{Filter: some, DryRun: true, Limit: 1}, nil},
			"for some":      {DiscardOptions{Filter: some, DryRun: true}, []int{n}},
			"of the first":  {DiscardOptions{Filter: some, DryRun: true, Within: 3}, nil},
			"of what there": {DiscardOptions{Filter: some, DryRun: true, Within: n + 5}, []int{n}},
		} {
			var told followed
			c.options.Observe, c.options.Observed = told.observe, told.ended
			if _, err := q.Discard(t.Context(), c.options); err != nil || !slices.Equal(told.whole, c.whole) {
				t.Errorf("%s: readings of %v messages have come to their end, %v", name, told.whole, err)
			}
		}
		var told followed
		if _, err := q.Discard(t.Context(), DiscardOptions{Filter: some, Observe: told.observe, Observed: told.ended}); err != nil || !slices.Equal(told.whole, []int{n}) {
			t.Errorf("readings of %v messages have come to their end, %v", told.whole, err)
		}
	})
}

package sending_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
)

// bench is a pipeline in simulated time, and a broker with the queues "stuck" and "fine".
type bench struct {
	*testing.T
	broker *simulated.Broker
	app    *simulated.Process
	*sending.Pipeline
	ctx  context.Context // of what is sent to the stuck queue; it ends with the test
	sent sync.WaitGroup
}

// bubble runs a test of a pipeline with this window.
func bubble(t *testing.T, window int, faults func(simulated.Step) simulated.Fault, run func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, broker: simulated.New(simulated.Options{Latency: time.Millisecond, Faults: faults})}
		app := b.broker.Process("app")
		b.app = app
		var err error
		if b.Pipeline, err = sending.New(app, window, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		b.declare("stuck", "fine")
		ctx, cancel := context.WithCancel(t.Context())
		b.ctx = ctx
		defer func() {
			cancel()
			b.sent.Wait()
			ended, stop := context.WithTimeout(t.Context(), time.Second)
			defer stop()
			_ = b.Stop(ended)
			_ = app.Stop(t.Context())
			for _, e := range b.broker.Journal() {
				if e.Kind == simulated.Violation {
					t.Error(e)
				}
			}
		}()
		run(b)
	})
}

func (b *bench) declare(queues ...string) {
	s, err := b.app.Consuming().Session(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	ch, err := s.Channel(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, q := range queues {
		if _, err := ch.QueueDeclare(q, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
			b.Fatal(err)
		}
	}
}

// cut ends the TCP connection on which messages are published.
func (b *bench) cut() {
	s, err := b.app.Publishing().Session(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	s.Abort(errors.New("cut by the test"))
}

func envelope(queue, id string) sending.Envelope {
	return sending.Envelope{RoutingKey: queue, Publishing: amqp.Publishing{MessageId: id}}
}

// stick sends n messages to the stuck queue, which nobody waits for.
func (b *bench) stick(n int) {
	for i := range n {
		b.sent.Go(func() { _ = b.Send(b.ctx, envelope("stuck", fmt.Sprint("s", i))) })
	}
}

// takes sends one message that must be confirmed within limit.
func (b *bench) takes(id string, limit time.Duration) {
	b.Helper()
	b.takesBy("fine", id, limit)
}

func (b *bench) takesBy(queue, id string, limit time.Duration) {
	b.Helper()
	began := time.Now()
	if err := b.Send(b.Context(), envelope(queue, id)); err != nil {
		b.Errorf("%s: %v", id, err)
	}
	if took := time.Since(began); took > limit {
		b.Errorf("%s took %s, want at most %s", id, took, limit)
	}
}

// refuses sends a message that the broker refuses, and wants to know it within limit.
func (b *bench) refuses(id string, limit time.Duration) {
	b.sent.Go(func() {
		began := time.Now()
		err := b.Send(b.Context(), envelope("fine", id))
		var refused *sending.RefusedError
		if took := time.Since(began); !errors.As(err, &refused) || took > limit {
			b.Errorf("%s after %s: %v, want a refusal", id, took, err)
		}
	})
}

// copies is how often messages are in a queue beside the first time.
func (b *bench) copies(queue string) int {
	seen := map[string]bool{}
	all := b.broker.Messages(queue)
	for _, d := range all {
		seen[d.MessageId] = true
	}
	return len(all) - len(seen)
}

// refusing lets the broker close the channel for messages with one of these ids, and do what
// otherwise does with those to the stuck queue.
func refusing(otherwise simulated.Fault, ids ...string) func(simulated.Step) simulated.Fault {
	return func(s simulated.Step) simulated.Fault {
		if s.Kind != "publish" {
			return simulated.Fault{}
		}
		for _, id := range ids {
			if s.Message == id {
				return simulated.Fault{Kind: simulated.CloseChannel, Code: amqp.PreconditionFailed}
			}
		}
		if s.Queue == "stuck" {
			return otherwise
		}
		return simulated.Fault{}
	}
}

var (
	noMajority = simulated.Fault{Kind: simulated.NoConfirm}                          // that the channel has met before
	firstMet   = simulated.Fault{Kind: simulated.HoldChannel, For: 65 * time.Second} // that the channel meets for the first time
)

func TestOneRefusalBesideAQueueThatDoesNotConfirmHoldsUpNobody(t *testing.T) {
	for _, n := range []int{0, 10, 100, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, 1024, refusing(noMajority, "bad"), func(b *bench) {
				b.stick(n)
				time.Sleep(time.Second)
				b.takes("before", 100*time.Millisecond)
				b.refuses("bad", time.Second)
				time.Sleep(100 * time.Millisecond)
				b.takes("after", 100*time.Millisecond)
				time.Sleep(time.Second)
				if copies := b.copies("stuck"); copies != n { // their channel has ended, so each was sent again
					b.Errorf("%d copies of %d messages", copies, n)
				}
			})
		})
	}
}

// Nothing was confirmed behind the messages to the stuck queue, so any of them may be the one.
func TestAmongManySuspectsTheGuiltyOneIsFoundBesideTheOthers(t *testing.T) {
	bubble(t, 1024, refusing(noMajority, "bad"), func(b *bench) {
		b.stick(500)
		time.Sleep(time.Second)
		b.refuses("bad", 40*time.Second)
		time.Sleep(100 * time.Millisecond)
		for i := range 20 {
			b.takes(fmt.Sprint("after ", i), 100*time.Millisecond)
			time.Sleep(time.Second)
		}
	})
}

func TestSeveralGuiltyOnesAreAllFound(t *testing.T) {
	var bad []string
	for i := range 10 {
		bad = append(bad, fmt.Sprint("bad ", i))
	}
	bubble(t, 1024, refusing(simulated.Fault{}, bad...), func(b *bench) {
		for i := range 300 {
			if i%30 == 7 {
				b.refuses(bad[i/30], 10*time.Second)
				continue
			}
			b.sent.Go(func() { b.takes(fmt.Sprint(i), 10*time.Second) })
		}
		b.sent.Wait()
		if ready, _, _ := b.broker.Depth("fine"); ready-b.copies("fine") != 290 {
			b.Errorf("%d messages are there, with %d copies", ready, b.copies("fine"))
		}
	})
}

func TestTheFirstPublishToAQueueWithoutMajorityHoldsUpItsLaneOnly(t *testing.T) {
	bubble(t, 1024, refusing(firstMet, "bad"), func(b *bench) {
		b.stick(3)
		time.Sleep(time.Second)
		b.takes("before", 2*time.Second) // written behind it, and sent again elsewhere
		b.takes("then", 100*time.Millisecond)
		b.refuses("bad", time.Second)
		time.Sleep(100 * time.Millisecond)
		b.takes("after", 100*time.Millisecond)
		if copies := b.copies("fine"); copies != 0 { // the other one is still held
			b.Errorf("%d copies", copies)
		}
		time.Sleep(5 * time.Minute)
		b.sent.Wait() // the stuck ones are confirmed by now
		if ready, _, _ := b.broker.Depth("stuck"); ready != 3 {
			b.Errorf("%d messages in the stuck queue, want 3", ready)
		}
		if n := b.InFlight(); n != 0 {
			b.Errorf("%d in flight", n)
		}
	})
}

func TestAQueueThatDoesNotConfirmLeavesTheWindowToOthers(t *testing.T) {
	for name, fault := range map[string]simulated.Fault{"met before": noMajority, "met first": firstMet} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 100, refusing(fault), func(b *bench) {
				b.stick(1000)
				time.Sleep(5 * time.Second)
				for i := range 300 {
					b.takes(fmt.Sprint(i), 100*time.Millisecond)
				}
				if ready, _, _ := b.broker.Depth("stuck"); ready > 150 {
					b.Errorf("%d messages to the stuck queue are in flight, the window is 100", ready)
				}
			})
		})
	}
}

// dead is a queue without majority, for one of several.
func dead(i int) string { return fmt.Sprint("dead ", i) }

// deadOnes lets every channel be held by the first message to a dead queue, and the broker close it
// for a bad one.
func deadOnes(s simulated.Step) simulated.Fault {
	switch {
	case s.Kind != "publish":
	case s.Message == "bad":
		return simulated.Fault{Kind: simulated.CloseChannel, Code: amqp.PreconditionFailed}
	case strings.HasPrefix(s.Queue, "dead "):
		return firstMet
	}
	return simulated.Fault{}
}

// insist sends messages to a dead queue, with a patience of 3 s for each.
func (b *bench) insist(queue string) {
	b.sent.Go(func() {
		for n := 0; b.ctx.Err() == nil; n++ {
			ctx, cancel := context.WithTimeout(b.ctx, 3*time.Second)
			_ = b.Send(ctx, envelope(queue, fmt.Sprint(queue, " ", n)))
			cancel()
		}
	})
}

// stream sends messages to a healthy queue, one after the other, until the time is over.
func (b *bench) stream(queue string, all time.Duration) {
	b.sent.Go(func() {
		for end, n := time.Now().Add(all), 0; time.Now().Before(end); n++ {
			b.takesBy(queue, fmt.Sprint(queue, " ", n), 2*time.Second)
			time.Sleep(25 * time.Millisecond)
		}
	})
}

func TestManyQueuesWithoutMajorityDelayOthersByLessThanTwoSeconds(t *testing.T) {
	for _, n := range []int{1, 4, 64} {
		for _, once := range []bool{true, false} {
			if n == 64 && !once && testing.Short() {
				continue
			}
			t.Run(fmt.Sprintf("%d at once %t", n, once), func(t *testing.T) {
				bubble(t, 1024, deadOnes, func(b *bench) {
					const all = 2 * time.Minute
					b.declare("also fine")
					b.stream("fine", all)
					b.stream("also fine", all)
					for i := range n {
						if !once {
							time.Sleep(1500 * time.Millisecond)
						}
						b.declare(dead(i))
						b.insist(dead(i))
					}
					time.Sleep(10 * time.Second)
					b.refuses("bad", 2*time.Second)
					time.Sleep(10 * time.Second)
					b.cut()
					time.Sleep(10 * time.Second)
					b.refuses("bad", 2*time.Second)
					time.Sleep(time.Minute)
				})
			})
		}
	}
}

// Beyond the window's places only those wait whose key is stuck.
func TestADeadQueueTakesNoPlaceOfOthersForLong(t *testing.T) {
	bubble(t, 64, deadOnes, func(b *bench) {
		for range 300 {
			b.insist(dead(0))
			b.insist(dead(1))
		}
		time.Sleep(100 * time.Millisecond)
		b.takes("first", 2*time.Second)
		b.stream("fine", time.Minute)
		time.Sleep(time.Minute)
	})
}

// The lane's channel has met the dead queues before. The inquiry's channels are fresh, so these
// queues hold them.
func TestARefusalAmongHeldSuspectsIsFoundBesideThem(t *testing.T) {
	bubble(t, 1024, func(s simulated.Step) simulated.Fault {
		f := deadOnes(s)
		if f.Kind == simulated.HoldChannel && s.Purpose == "publish" {
			return noMajority
		}
		return f
	}, func(b *bench) {
		for i := range 20 {
			b.declare(dead(i))
			for n := range 5 {
				b.sent.Go(func() { _ = b.Send(b.ctx, envelope(dead(i), fmt.Sprint(i, "-", n))) })
			}
		}
		time.Sleep(100 * time.Millisecond)
		b.refuses("bad", time.Second)
		time.Sleep(50 * time.Millisecond)
		b.stream("fine", 30*time.Second)
		time.Sleep(30 * time.Second)
	})
}

// A message of the key of the wall is the guilty one, or one of another key: neither tests the
// messages of the wall one by one.
func TestAWallOfUnconfirmedMessagesIsNotTestedOneByOne(t *testing.T) {
	for name, fault := range map[string]simulated.Fault{"not confirmed": noMajority, "held": firstMet} {
		t.Run(name, func(t *testing.T) {
			channels, tests := 0, 0
			faults := refusing(fault, "bad")
			bubble(t, 1024, func(s simulated.Step) simulated.Fault {
				if s.Kind == "confirm.select" {
					channels++
				}
				if s.Kind == "publish" && s.Purpose == "publish suspects" {
					tests++
				}
				return faults(s)
			}, func(b *bench) {
				b.stick(900)
				time.Sleep(20 * time.Millisecond)
				b.refuses("bad", 3*time.Second)
				for i := range 100 {
					b.takes(fmt.Sprint("after ", i), 2*time.Second)
					time.Sleep(100 * time.Millisecond)
				}
				if channels > 30 || tests > 1000 {
					b.Errorf("%d channels were opened, %d messages tested", channels, tests)
				}
			})
		})
	}
}

// Otherwise a disk that is slow for a moment would double the work that it has to do.
func TestABrokerThatIsOnlySlowGetsNoCopies(t *testing.T) {
	slow := func(s simulated.Step) simulated.Fault {
		if s.Kind == "publish" {
			return simulated.Fault{Kind: simulated.LateConfirm, For: 6 * time.Second}
		}
		return simulated.Fault{}
	}
	bubble(t, 1024, slow, func(b *bench) {
		for i := range 200 {
			queue := "fine"
			if i%2 == 0 {
				queue = "stuck"
			}
			b.sent.Go(func() {
				if err := b.Send(b.Context(), envelope(queue, fmt.Sprint(i))); err != nil {
					b.Error(err)
				}
			})
		}
		b.sent.Wait()
		if copies := b.copies("fine") + b.copies("stuck"); copies > 1 {
			b.Errorf("%d copies of 200 messages", copies)
		}
	})
}

// Afterwards the channel has more to catch up with than a channel that is opened then.
func TestABrokerThatHangsForSecondsGetsNoCopies(t *testing.T) {
	hangs := func(s simulated.Step) simulated.Fault {
		if s.Kind == "publish" && s.N%100 == 50 {
			return simulated.Fault{Delay: 2 * time.Second, Kind: simulated.HoldChannel, For: 200 * time.Millisecond}
		}
		return simulated.Fault{}
	}
	bubble(t, 1024, hangs, func(b *bench) {
		for i := range 500 {
			b.sent.Go(func() {
				if err := b.Send(b.Context(), envelope([]string{"fine", "stuck"}[i%2], fmt.Sprint(i))); err != nil {
					b.Error(err)
				}
			})
			time.Sleep(20 * time.Millisecond)
		}
		b.sent.Wait()
		time.Sleep(time.Minute)
		if copies := b.copies("fine") + b.copies("stuck"); copies > 0 {
			b.Errorf("%d copies of 500 messages", copies)
		}
	})
}

func TestABrokerThatHangsDuringAnInquiryGetsNoCopies(t *testing.T) {
	fresh, hung := false, false // a test's channel is, the broker was
	otherwise := refusing(simulated.Fault{}, "bad")
	bubble(t, 1024, func(s simulated.Step) simulated.Fault {
		f := otherwise(s)
		switch {
		case s.Purpose != "publish suspects" || s.Kind != "confirm.select" && s.Kind != "publish":
		case s.Kind == "confirm.select":
			fresh = true
		case fresh && !hung && s.Message != "bad":
			hung, f.Delay = true, 1050*time.Millisecond
		default:
			fresh = false
		}
		return f
	}, func(b *bench) {
		for i := range 40 {
			if i == 20 {
				b.refuses("bad", 10*time.Second)
				continue
			}
			b.sent.Go(func() { b.takes(fmt.Sprint(i), 10*time.Second) })
		}
		b.sent.Wait()
		time.Sleep(time.Minute)
		if copies := b.copies("fine"); copies > 0 || !hung {
			b.Errorf("%d copies; the broker has hung: %t", copies, hung)
		}
	})
}

// A fresh channel's first message to a quorum queue waits for disks, and one to the next queue
// waits behind it.
func TestAChannelMayTakeLongerForItsFirstMessagesToManyQueues(t *testing.T) {
	slow := func(s simulated.Step) simulated.Fault {
		if s.Kind == "publish" && s.N == 1 {
			return simulated.Fault{Kind: simulated.HoldChannel, For: 1100 * time.Millisecond}
		}
		return simulated.Fault{}
	}
	bubble(t, 1024, slow, func(b *bench) {
		var queues []string
		for i := range 128 {
			queues = append(queues, fmt.Sprint("q", i))
		}
		b.declare(queues...)
		for _, queue := range queues {
			b.sent.Go(func() {
				if err := b.Send(b.Context(), envelope(queue, queue)); err != nil {
					b.Error(err)
				}
			})
		}
		b.sent.Wait()
		time.Sleep(time.Minute)
		for _, queue := range queues {
			if copies := b.copies(queue); copies > 0 {
				b.Errorf("%d copies in %s", copies, queue)
			}
		}
	})
}

func TestAStuckKeyKeepsItsOrder(t *testing.T) {
	held := false
	bubble(t, 1024, func(s simulated.Step) simulated.Fault {
		if s.Kind == "publish" && s.Queue == "stuck" && !held {
			held = true
			return firstMet
		}
		return simulated.Fault{}
	}, func(b *bench) {
		var last *sending.Message
		for i := range 100 {
			m, err := b.Begin(b.Context(), envelope("stuck", fmt.Sprintf("%03d", i)), true)
			if err != nil {
				b.Fatal(err)
			}
			last = m
			time.Sleep(100 * time.Millisecond)
		}
		<-last.Done()
		for i, d := range b.broker.Messages("stuck") {
			if d.MessageId != fmt.Sprintf("%03d", i) {
				b.Fatalf("number %d is %s", i, d.MessageId)
			}
		}
	})
}

// Callers give up at all moments, also while the messages are sent again, and use their buffers for
// something else at once.
func TestWhatACallerMakesOfItsBufferAfterACallIsNeverSent(t *testing.T) {
	bubble(t, 64, nil, func(b *bench) {
		var calls sync.WaitGroup
		for i := range 200 {
			calls.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				ctx, cancel := context.WithTimeout(b.Context(), time.Duration(i%40)*time.Millisecond/2)
				defer cancel()
				body := bytes.Repeat([]byte("a"), 1000)
				env := envelope("fine", fmt.Sprint(i))
				env.Body, env.Lent = body, true
				_ = b.SendBuilt(ctx, env)
				copy(body, bytes.Repeat([]byte("b"), 1000))
			})
		}
		for range 4 {
			time.Sleep(50 * time.Millisecond)
			b.cut()
		}
		calls.Wait()
		all := b.broker.Messages("fine")
		for _, d := range all {
			if bytes.Contains(d.Body, []byte("b")) {
				b.Errorf("message %s has what its caller wrote afterwards", d.MessageId)
			}
		}
		if len(all) < 20 {
			b.Errorf("only %d messages", len(all))
		}
	})
}

package simulated_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// lab is a simulated broker with a process, and one thing that goes wrong.
type lab struct {
	*rig
	broker  *simulated.Broker
	process *simulated.Process
}

// at lets a fault happen at the n-th step of a kind.
func at(kind string, n int, fault simulated.Fault) func(simulated.Step) simulated.Fault {
	return func(s simulated.Step) simulated.Fault {
		if s.Kind == kind && s.N == n {
			return fault
		}
		return simulated.Fault{}
	}
}

// bubble runs a test in simulated time.
func bubble(t *testing.T, faults func(simulated.Step) simulated.Fault, run func(*lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := simulated.New(simulated.Options{Latency: time.Millisecond, Faults: faults})
		p := b.Process("p")
		defer func() { _ = p.Stop(t.Context()) }()
		run(&lab{broker: b, process: p, rig: &rig{T: t, conn: p, link: p.Consuming(), prefix: "q", delete: b.Delete, depth: func(q string) int {
			ready, _, _ := b.Depth(q)
			return ready
		}}})
	})
}

func (l *lab) events(kind simulated.EventKind) (all []string) {
	for _, e := range l.broker.Journal() {
		if e.Kind == kind {
			all = append(all, e.Message)
		}
	}
	return all
}

// publish sends one message on a channel of its own link.
func (l *lab) publish(queue, id string) (transport.Channel, transport.Confirmation) {
	l.Helper()
	s, err := l.conn.Publishing().Session(l.Context())
	l.must(err)
	ch, err := s.Channel(l.Context())
	l.must(err)
	l.must(ch.Confirm(false))
	c, err := ch.Publish("", queue, true, amqp.Publishing{MessageId: id})
	l.must(err)
	return ch, c
}

func TestACutBeforeItTookEffectLosesTheMessageAndOneAfterwardsDoesNot(t *testing.T) {
	for _, after := range []bool{false, true} {
		bubble(t, at("publish", 1, simulated.Fault{Kind: simulated.Cut, After: after}), func(l *lab) {
			q := l.queue("", nil)
			ch, c := l.publish(q, "a")
			closed := notices(ch)
			<-c.Done()
			e := <-closed
			if c.Acked() || !ch.IsClosed() || e == nil || e.Server {
				l.Errorf("acked %v, %v", c.Acked(), e)
			}
			if got, want := l.depth(q), map[bool]int{false: 0, true: 1}[after]; got != want {
				l.Errorf("after %v: %d messages", after, got)
			}
		})
	}
}

func TestALostConfirmIsNoNackAndItsMessageIsThere(t *testing.T) {
	bubble(t, at("confirm", 1, simulated.Fault{Kind: simulated.Cut}), func(l *lab) {
		q := l.queue("", nil)
		_, c := l.publish(q, "a")
		<-c.Done()
		if c.Acked() || l.depth(q) != 1 {
			l.Errorf("acked %v, %d messages", c.Acked(), l.depth(q))
		}
	})
}

func TestADeadPeerIsNoticedLate(t *testing.T) {
	bubble(t, at("publish", 1, simulated.Fault{Kind: simulated.Cut, Client: 7 * time.Second, Broker: 3 * time.Second}), func(l *lab) {
		q := l.queue("", nil)
		ch, c := l.publish(q, "a")
		began := time.Now()
		for range 100 { // until the socket is full
			if _, err := ch.Publish("", q, true, amqp.Publishing{}); err != nil {
				break
			}
		}
		<-c.Done()
		if took := time.Since(began); took < 6*time.Second || took > 8*time.Second {
			l.Errorf("after %s", took)
		}
	})
}

func TestUnackedDeliveriesComeBackWhenTheBrokerNoticesACut(t *testing.T) {
	bubble(t, at("ack", 1, simulated.Fault{Kind: simulated.Cut, Broker: 3 * time.Second}), func(l *lab) {
		q := l.queue("", nil)
		l.put(q, "a", "b")
		s := l.session()
		ch, err := s.Channel(l.Context())
		l.must(err)
		in := l.consume(ch, q, "t", 2)
		l.take(in, "a", "b")
		l.must(ch.Ack(1, false)) // it does not arrive
		<-s.Done()
		if _, unacked, _ := l.broker.Depth(q); unacked != 2 {
			l.Errorf("%d unacked", unacked)
		}
		if err := ch.Ack(2, false); !errors.Is(err, amqp.ErrClosed) {
			l.Error(err)
		}
		l.session() // the link dials again
		time.Sleep(3 * time.Second)
		got := l.take(l.consume(l.open(), q, "u", 0), "a", "b")
		if !got[0].Redelivered || count(got[1]) != 1 {
			l.Errorf("%+v", got)
		}
	})
}

func TestALateConfirmComesAfterThoseBehindIt(t *testing.T) {
	bubble(t, at("publish", 1, simulated.Fault{Kind: simulated.LateConfirm, For: time.Second}), func(l *lab) {
		q := l.queue("", nil)
		ch, first := l.publish(q, "a")
		second, err := ch.Publish("", q, true, amqp.Publishing{MessageId: "b"})
		l.must(err)
		<-second.Done()
		select {
		case <-first.Done():
			l.Error("it was first")
		default:
		}
		<-first.Done()
		if !first.Acked() || !second.Acked() || !slices.Equal(l.events(simulated.Confirmed), []string{"b", "a"}) {
			l.Error(l.events(simulated.Confirmed))
		}
	})
}

func TestAMissingConfirmIsResolvedByTheEndOfItsChannel(t *testing.T) {
	bubble(t, at("publish", 1, simulated.Fault{Kind: simulated.NoConfirm}), func(l *lab) {
		q := l.queue("", nil)
		ch, c := l.publish(q, "a")
		time.Sleep(time.Hour)
		select {
		case <-c.Done():
			l.Error("it is done")
		default:
		}
		l.must(ch.Close())
		<-c.Done()
		if c.Acked() || l.depth(q) != 1 {
			l.Errorf("acked %v, %d messages", c.Acked(), l.depth(q))
		}
	})
}

func TestOnePublishIsNackedOrReturned(t *testing.T) {
	for _, kind := range []simulated.FaultKind{simulated.Nack, simulated.Unroutable} {
		bubble(t, at("publish", 1, simulated.Fault{Kind: kind}), func(l *lab) {
			q := l.queue("", nil)
			ch, _ := l.confirming()
			returns := ch.NotifyReturn(make(chan amqp.Return, 1))
			c, err := ch.Publish("", q, true, amqp.Publishing{MessageId: "a"})
			l.must(err)
			<-c.Done()
			if returned := len(returns) == 1; returned != (kind == simulated.Unroutable) || c.Acked() != returned || l.depth(q) != 0 {
				l.Errorf("acked %v, returned %v", c.Acked(), returned)
			}
		})
	}
}

func TestTheBrokerClosesAChannelOrTheConnection(t *testing.T) {
	for _, f := range []simulated.Fault{{Kind: simulated.CloseChannel, Code: 406}, {Kind: simulated.CloseChannel, Code: 404, After: true}, {Kind: simulated.CloseSession}} {
		bubble(t, at("ack", 1, f), func(l *lab) {
			q := l.queue("", nil)
			l.put(q, "a", "b")
			s := l.session()
			ch, err := s.Channel(l.Context())
			l.must(err)
			closed := notices(ch)
			l.take(l.consume(ch, q, "t", 1), "a")
			l.must(ch.Ack(1, false))
			code := f.Code
			if f.Kind == simulated.CloseSession {
				code = 541
				<-s.Done()
				l.is(s.Err(), 541, "")
			} else {
				defer func() { l.must(s.Err()) }()
			}
			l.refused(closed, code, "")
			if got, want := l.depth(q), map[bool]int{false: 2, true: 1}[f.After]; got != want {
				l.Errorf("%v: %d messages", f, got)
			}
		})
	}
}

func TestAnAlarmBlocksWhoPublishesUntilItEnds(t *testing.T) {
	bubble(t, nil, func(l *lab) {
		q := l.queue("", nil)
		s, err := l.conn.Publishing().Session(l.Context())
		l.must(err)
		ch, err := s.Channel(l.Context())
		l.must(err)
		l.must(ch.Confirm(false))
		l.broker.Alarm(time.Minute)
		_, blocked, change := s.Blocked()
		if blocked {
			l.Error("told before it publishes")
		}
		first, err := ch.Publish("", q, true, amqp.Publishing{})
		l.must(err)
		<-change
		reason, blocked, change := s.Blocked()
		if !blocked || reason == "" || l.conn.Publishing().Health().Blocked != reason {
			l.Errorf("blocked %v: %q", blocked, reason)
		}
		<-first.Done()
		began := time.Now()
		second, err := ch.Publish("", q, true, amqp.Publishing{})
		l.must(err)
		l.open() // the consuming connection is not blocked
		if took := time.Since(began); took > time.Second {
			l.Errorf("the other connection waited %s", took)
		}
		<-second.Done()
		if took := time.Since(began); took < 50*time.Second || !second.Acked() {
			l.Errorf("after %s", took)
		}
		<-change
		if _, blocked, _ := s.Blocked(); blocked {
			l.Error("still blocked")
		}
	})
}

func TestAnUnansweredRequestLosesTheSession(t *testing.T) {
	bubble(t, at("qos", 1, simulated.Fault{Delay: time.Hour}), func(l *lab) {
		s := l.session()
		ch, err := s.Channel(l.Context())
		l.must(err)
		began := time.Now()
		err = s.Do(l.Context(), "ask", func() error { return ch.Qos(1, 0, false) })
		if took := time.Since(began); !errors.Is(err, transport.ErrNoReply) || !errors.Is(s.Err(), transport.ErrNoReply) || took > 30*time.Second {
			l.Errorf("after %s: %v, %v", took, err, s.Err())
		}
	})
}

func TestDoEndsWithItsContext(t *testing.T) {
	bubble(t, at("qos", 1, simulated.Fault{Delay: time.Second}), func(l *lab) {
		s := l.session()
		ch, err := s.Channel(l.Context())
		l.must(err)
		ctx, cancel := context.WithTimeout(l.Context(), time.Millisecond)
		defer cancel()
		if err := s.Do(ctx, "ask", func() error { return ch.Qos(1, 0, false) }); !errors.Is(err, context.DeadlineExceeded) {
			l.Error(err)
		}
		l.must(s.Err())
	})
}

func TestAKilledProcessActsNoMore(t *testing.T) {
	bubble(t, nil, func(l *lab) {
		q := l.queue("", nil)
		l.put(q, "a")
		doomed := l.broker.Process("doomed")
		s, err := doomed.Consuming().Session(l.Context())
		l.must(err)
		ch, err := s.Channel(l.Context())
		l.must(err)
		l.must(ch.Qos(1, 0, false))
		in, err := ch.Consume(q, "t", false, false, false, false, nil)
		l.must(err)
		l.take(in, "a")
		doomed.Kill(2 * time.Second)
		<-doomed.Dead()
		if err := ch.Ack(1, false); !errors.Is(err, amqp.ErrClosed) {
			l.Error(err)
		}
		if _, err := doomed.Publishing().Session(l.Context()); !errors.Is(err, connection.ErrClosed) {
			l.Error(err)
		}
		if l.depth(q) != 0 {
			l.Error("the broker knows before it can")
		}
		time.Sleep(2 * time.Second)
		if d := l.take(l.consume(l.open(), q, "u", 0), "a")[0]; count(d) != 1 {
			l.Errorf("count %d", count(d))
		}
		l.must(doomed.Stop(l.Context()))
	})
}

func TestARestartKeepsMessagesAndRefusesDialsForAWhile(t *testing.T) {
	bubble(t, nil, func(l *lab) {
		q := l.queue("", nil)
		l.put(q, "a")
		l.broker.Restart(5 * time.Second)
		began := time.Now()
		in := l.consume(l.open(), q, "t", 0)
		if took := time.Since(began); took < 5*time.Second || took > 7*time.Second {
			l.Errorf("back after %s", took)
		}
		l.take(in, "a")
	})
}

func TestWhatWasInADeletedQueueIsKnown(t *testing.T) {
	bubble(t, at("publish", 2, simulated.Fault{Kind: simulated.DeleteQueue, Queue: "q"}), func(l *lab) {
		q := l.queue("", nil)
		l.put(q, "a")
		ch, returns := l.confirming()
		c, err := ch.Publish("", q, true, amqp.Publishing{MessageId: "b"})
		l.must(err)
		<-c.Done()
		if !c.Acked() || len(returns) != 1 || !l.broker.WentWithQueue("a") || l.broker.WentWithQueue("b") {
			l.Errorf("acked %v, %d returns", c.Acked(), len(returns))
		}
	})
}

func TestADeadLetterWithoutAPlaceIsTriedAgain(t *testing.T) {
	bubble(t, nil, func(l *lab) {
		q := l.queue("", deadLetterTo("q-error"))
		l.put(q, "a")
		ch := l.open()
		l.take(l.consume(ch, q, "t", 1), "a")
		l.must(ch.Nack(1, false, false))
		time.Sleep(time.Second)
		dead := l.queue("-error", nil)
		if _, _, dying := l.broker.Depth(q); dying != 1 || l.depth(dead) != 0 {
			l.Errorf("%d on their way", dying)
		}
		time.Sleep(180 * time.Second)
		if _, _, dying := l.broker.Depth(q); dying != 0 || l.depth(dead) != 1 {
			l.Errorf("%d on their way, %d there", dying, l.depth(dead))
		}
	})
}

func TestWhatMustNeverBeDoneIsAViolation(t *testing.T) {
	for name, do := range map[string]func(l *lab, ch transport.Channel, q string){
		"an ack twice": func(l *lab, ch transport.Channel, q string) {
			l.must(ch.Ack(1, false))
			l.must(ch.Ack(1, false))
		},
		"a foreign tag":         func(l *lab, ch transport.Channel, q string) { l.must(ch.Nack(7, false, true)) },
		"qos beside a consumer": func(l *lab, ch transport.Channel, q string) { l.must(ch.Qos(5, 0, false)) },
		"a tag twice": func(l *lab, ch transport.Channel, q string) {
			l.must(ch.Cancel("qt", false))
			l.consume(ch, q, "t", 1)
		},
		"two requests at once": func(l *lab, ch transport.Channel, q string) {
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() {
					_, _ = ch.QueueDeclarePassive(q, true, false, false, false, nil) // their answers may be swapped
				})
			}
			both.Wait()
		},
		"a listener without room": func(l *lab, ch transport.Channel, q string) {
			ch.NotifyReturn(make(chan amqp.Return))
			_, err := ch.Publish("", "q-none", true, amqp.Publishing{})
			l.must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(l *lab) {
				q := l.queue("", nil)
				l.put(q, "a")
				ch := l.open()
				l.take(l.consume(ch, q, "t", 1), "a")
				if n := len(l.events(simulated.Violation)); n != 0 {
					l.Fatalf("%d violations before", n)
				}
				do(l, ch, q)
				time.Sleep(time.Second)
				if n := len(l.events(simulated.Violation)); n != 1 {
					l.Errorf("%d violations", n)
				}
			})
		})
	}
}

func TestAChannelThatIsHeldHoldsUpNoOther(t *testing.T) {
	hold := simulated.Fault{Kind: simulated.HoldChannel, For: time.Minute}
	bubble(t, at("publish", 1, hold), func(l *lab) {
		q := l.queue("", nil)
		began := time.Now()
		ch, first := l.publish(q, "a")
		second, err := ch.Publish("", q, true, amqp.Publishing{MessageId: "b"})
		l.must(err)
		_, other := l.publish(q, "c")
		l.wait(other)
		if took := time.Since(began); took > time.Second {
			l.Errorf("another channel's confirm took %s", took)
		}
		l.must(ch.Close()) // behind what is held
		if took := time.Since(began); took < time.Minute || !first.Acked() || !second.Acked() {
			l.Errorf("after %s: %t, %t", took, first.Acked(), second.Acked())
		}
	})
}

func TestWhatTheClientCannotReadEndsItsConnection(t *testing.T) {
	bubble(t, at("deliver", 1, simulated.Fault{Kind: simulated.Unreadable}), func(l *lab) {
		q := l.queue("", nil)
		l.put(q, "a")
		s := l.session()
		ch, err := s.Channel(l.Context())
		l.must(err)
		in := l.consume(ch, q, "t", 1)
		<-s.Done()
		l.closed(in)
		if !errors.Is(s.Err(), transport.ErrUnreadable) || l.depth(q) != 1 {
			l.Errorf("%v, %d messages", s.Err(), l.depth(q))
		}
	})
}

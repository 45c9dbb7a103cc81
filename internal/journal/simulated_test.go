package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/journal"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// lab is a simulated broker with a stream, and processes that are stopped at the end.
type lab struct {
	t      *testing.T
	broker *simulated.Broker
	cfg    journal.Config
	ends   []func()
	faults atomic.Pointer[func(simulated.Step) simulated.Fault]
}

// fault sets what goes wrong from now on.
func (l *lab) fault(f func(simulated.Step) simulated.Fault) { l.faults.Store(&f) }

func inLab(t *testing.T, o simulated.Options, test func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, cfg: journal.Config{Stream: "s", Exchange: "x", Logger: slog.New(slog.DiscardHandler)}}
		o.Faults = func(s simulated.Step) simulated.Fault {
			if f := l.faults.Load(); f != nil {
				return (*f)(s)
			}
			return simulated.Fault{}
		}
		l.broker = simulated.New(o)
		defer func() {
			for _, end := range l.ends {
				end()
			}
		}()
		test(l)
	})
}

// journal is one of a process of its own.
func (l *lab) journal(process string) *journal.Journal {
	p := l.broker.Process(process)
	j, err := journal.New(p, l.cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	l.ends = append(l.ends, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = j.Stop(ctx)
		_ = p.Stop(ctx)
	})
	return j
}

// kept are the ids of the records that the broker has, marks aside.
func (l *lab) kept() (ids []string) {
	for _, d := range l.broker.Messages("s") {
		if !strings.HasPrefix(d.Type, "bunnicula.") {
			ids = append(ids, d.MessageId)
		}
	}
	return ids
}

// fold returns the ids that a Fold sees.
func fold(ctx context.Context, j *journal.Journal) (ids []string, next int64, err error) {
	next, err = j.Fold(ctx, func(r journal.Record) error { ids = append(ids, r.ID); return nil })
	return ids, next, err
}

func TestWhereverAConnectionIsCutEachRecordIsSeenOnce(t *testing.T) {
	for kind, steps := range map[string][]int{
		"publish": {1, 2, 6}, "confirm": {1, 2, 6}, "open": {1, 2}, "qos": {1, 2}, "consume": {1, 2}, "ack": {1}, "close": {1},
		"reply": {1, 2, 3, 4, 5, 6, 7}, "deliver": {1, 2, 100, 101, 105, 106, 107, 108, 112},
	} {
		for _, at := range steps {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/%t", kind, at, after), func(t *testing.T) {
					inLab(t, simulated.Options{Latency: time.Millisecond}, func(l *lab) {
						j := l.journal("p")
						ctx := within(l.t, time.Minute)
						must(t, j.Declare(ctx))
						must(t, j.Append(ctx, drafts("a", 0, 105)...))
						seen := 0
						l.fault(func(s simulated.Step) simulated.Fault {
							if s.Kind != kind {
								return simulated.Fault{}
							}
							if seen++; seen != at {
								return simulated.Fault{}
							}
							return simulated.Fault{Kind: simulated.Cut, After: after}
						})
						got, next, err := fold(ctx, j)
						must(t, err)
						follow, stop := context.WithCancel(ctx)
						done := make(chan error, 1)
						go func() {
							done <- j.Follow(follow, next, func(r journal.Record) error { got = append(got, r.ID); return nil })
						}()
						must(t, j.Append(ctx, drafts("b", 0, 5)...))
						time.Sleep(10 * time.Second)
						stop()
						if err := <-done; !errors.Is(err, context.Canceled) {
							t.Error(err)
						}
						if !slices.Equal(got, l.kept()) {
							t.Errorf("got  %v\nwant %v", got, l.kept())
						}
						var want []string
						for _, d := range append(drafts("a", 0, 105), drafts("b", 0, 5)...) {
							want = append(want, d.ID)
						}
						if first := firsts(got); !slices.Equal(first, want) {
							t.Errorf("confirmed, and not seen in order: %v", first)
						}
						if seen < at {
							t.Errorf("only %d steps of that kind: nothing was cut", seen)
						}
					})
				})
			}
		}
	}
}

// firsts leaves the first of those with the same id.
func firsts(ids []string) (all []string) {
	for _, id := range ids {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}

func TestAStreamThatIsDeletedEndsItsReaders(t *testing.T) {
	again := func(n int) func(*lab) {
		return func(l *lab) {
			l.fault(func(s simulated.Step) simulated.Fault { // so that the reader cannot see that the stream was not there
				if s.Kind == "dial" && s.Process == "p" {
					return simulated.Fault{Delay: 5 * time.Second}
				}
				return simulated.Fault{}
			})
			l.broker.Restart(0)
			l.broker.Delete("s")
			l.declare(n)
		}
	}
	for name, c := range map[string]struct {
		happens func(*lab)
		text    string
	}{
		"for good":                       {func(l *lab) { l.broker.Delete("s") }, "no queue 's'"},
		"and is declared again, shorter": {again(2), "it ends before offset 5"},
		"and is declared again, empty":   {again(0), "it ends before offset 5"},
		"and is declared again, longer":  {again(20), "another record at offset 5"},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, simulated.Options{}, func(l *lab) {
				j := l.journal("p")
				ctx := within(l.t, time.Minute)
				must(t, j.Declare(ctx))
				must(t, j.Append(ctx, drafts("a", 0, 5)...))
				_, next, err := fold(ctx, j)
				must(t, err)
				done := make(chan error, 1)
				go func() {
					done <- j.Follow(ctx, next, func(r journal.Record) error { t.Errorf("seen: %+v", r); return nil })
				}()
				time.Sleep(time.Second)
				c.happens(l)
				if err := <-done; !errors.Is(err, journal.ErrGone) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("%v, want %q", err, c.text)
				}
			})
		})
	}
}

// declare declares the stream, and publishes so many records.
func (l *lab) declare(n int) {
	l.t.Helper()
	ch := l.channel()
	_, err := ch.QueueDeclare("s", true, false, false, false, amqp.Table{"x-queue-type": "stream"})
	must(l.t, err)
	for i := range n {
		_, err := ch.Publish("", "s", true, amqp.Publishing{MessageId: fmt.Sprint(i), Timestamp: time.Now()})
		must(l.t, err)
	}
	must(l.t, ch.Close())
}

// channel is one of a process of its own.
func (l *lab) channel() transport.Channel {
	l.t.Helper()
	p := l.broker.Process("other")
	l.ends = append(l.ends, func() { _ = p.Stop(context.Background()) })
	s, err := p.Consuming().Session(l.t.Context())
	must(l.t, err)
	ch, err := s.Channel(l.t.Context())
	must(l.t, err)
	return ch
}

func TestAFoldEndsAlthoughItsMarkWentWithTheStream(t *testing.T) {
	inLab(t, simulated.Options{}, func(l *lab) {
		j := l.journal("p")
		ctx := within(l.t, time.Minute)
		must(t, j.Declare(ctx))
		once := false
		l.fault(func(s simulated.Step) simulated.Fault { // between the mark and the reading
			if s.Kind == "consume" && s.Process == "p" && !once {
				once = true
				return simulated.Fault{Delay: 2 * time.Second}
			}
			return simulated.Fault{}
		})
		time.AfterFunc(time.Second, func() { l.broker.Delete("s"); l.declare(3) })
		got, _, err := fold(ctx, j)
		if err != nil || !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// A broker that stops or starts may say for a moment that there is no such stream.
func TestAStreamThatIsMissingForAMomentIsNotGone(t *testing.T) {
	for away, gone := range map[time.Duration]bool{2 * time.Second: false, 10 * time.Second: true} {
		inLab(t, simulated.Options{}, func(l *lab) {
			j := l.journal("p")
			ctx := within(l.t, time.Minute)
			must(t, j.Declare(ctx))
			l.broker.Delete("s")
			ended := make(chan error, 1)
			go func() { ended <- j.Append(ctx, drafts("a", 0, 3)...) }()
			time.Sleep(away)
			must(t, j.Declare(ctx))
			if err := <-ended; errors.Is(err, journal.ErrGone) != gone || !gone && err != nil {
				t.Errorf("away for %s: %v", away, err)
			}
		})
	}
}

func TestARecordThatTheBrokerDoesNotTakeIsAnError(t *testing.T) {
	inLab(t, simulated.Options{}, func(l *lab) {
		j := l.journal("p")
		ctx := within(l.t, time.Minute)
		must(t, j.Declare(ctx))
		l.broker.Full("s", time.Second)
		if err := j.Append(ctx, drafts("a", 0, 3)...); err == nil || !strings.Contains(err.Error(), `append to stream "s": 3 of 3 records are not confirmed`) {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		must(t, j.Append(ctx, drafts("b", 0, 3)...))
		if got, _, err := fold(ctx, j); err != nil || !slices.Equal(got, []string{"b0", "b1", "b2"}) {
			t.Error(got, err)
		}
		l.broker.Delete("s")
		if err := j.Append(ctx, drafts("c", 0, 1)...); !errors.Is(err, journal.ErrGone) {
			t.Error(err)
		}
	})
}

func TestARecordThatEndsTheConnectionHurtsNoConsumerForLong(t *testing.T) {
	inLab(t, simulated.Options{}, func(l *lab) {
		j := l.journal("p")
		ctx := within(l.t, 10*time.Minute)
		must(t, j.Declare(ctx))
		must(t, j.Append(ctx, drafts("a", 0, 5)...))
		shared, own := 0, 0
		l.fault(func(s simulated.Step) simulated.Fault {
			if s.Kind != "deliver" || s.Message != "a3" {
				return simulated.Fault{}
			}
			if s.Purpose == "consume" {
				shared++
			} else {
				own++
			}
			return simulated.Fault{Kind: simulated.Unreadable}
		})
		got, _, err := fold(ctx, j)
		if !errors.Is(err, transport.ErrUnreadable) || !strings.Contains(err.Error(), "a record behind offset 2") || !slices.Equal(got, []string{"a0", "a1", "a2"}) {
			t.Errorf("%v, %v", got, err)
		}
		if shared != 1 || own < 3 || own > 5 {
			t.Errorf("it was lost %d times, and %d on a link of its own", shared, own)
		}
		for range 3 { // whoever reads again meets it apart
			if _, _, err := fold(ctx, j); !errors.Is(err, transport.ErrUnreadable) {
				t.Error(err)
			}
		}
		if shared != 1 {
			t.Errorf("the shared connection was lost %d times", shared)
		}
	})
}

func TestASlowReaderHoldsNoMoreThanThePrefetch(t *testing.T) {
	inLab(t, simulated.Options{}, func(l *lab) {
		j := l.journal("p")
		ctx := within(l.t, time.Hour)
		must(t, j.Declare(ctx))
		must(t, j.Append(ctx, drafts("a", 0, 2000)...))
		n := 0
		_, err := j.Fold(ctx, func(journal.Record) error {
			time.Sleep(10 * time.Millisecond)
			if _, unacked, _ := l.broker.Depth("s"); unacked > 400 {
				return fmt.Errorf("%d are on their way", unacked)
			}
			n++
			return nil
		})
		if err != nil || n != 2000 {
			t.Error(n, err)
		}
	})
}

func TestAReaderEndsForItsOwnReasons(t *testing.T) {
	inLab(t, simulated.Options{}, func(l *lab) {
		j := l.journal("p")
		must(t, j.Declare(l.t.Context()))
		must(t, j.Append(l.t.Context(), drafts("a", 0, 2)...))
		enough := errors.New("enough")
		if _, err := j.Fold(l.t.Context(), func(journal.Record) error { return enough }); !errors.Is(err, enough) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancelCause(l.t.Context())
		time.AfterFunc(time.Second, func() { cancel(enough) })
		if err := j.Follow(ctx, 0, func(journal.Record) error { return nil }); !errors.Is(err, enough) {
			t.Error(err)
		}
		if n := l.broker.Consumers("s"); n != 0 {
			t.Errorf("%d subscriptions are left", n)
		}
	})
}

func TestAQueueThatIsNoStreamIsNotRead(t *testing.T) {
	inLab(t, simulated.Options{}, func(l *lab) {
		_, err := l.channel().QueueDeclare("s", true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
		must(t, err)
		j := l.journal("p")
		must(t, j.Declare(l.t.Context())) // what exists is left as it is
		if _, _, err := fold(l.t.Context(), j); !errors.Is(err, journal.ErrNoStream) {
			t.Error(err)
		}
	})
}

func TestWhatIsTooOldIsNotSeen(t *testing.T) {
	inLab(t, simulated.Options{}, func(l *lab) {
		l.cfg.MaxAge, l.cfg.Segment = time.Minute, 1000
		j := l.journal("p")
		must(t, j.Declare(l.t.Context()))
		must(t, j.Append(l.t.Context(), drafts("a", 0, 50)...))
		time.Sleep(2 * time.Minute)
		must(t, j.Append(l.t.Context(), drafts("b", 0, 50)...))
		var got []string
		follow, stop := context.WithCancel(l.t.Context())
		time.AfterFunc(time.Minute, stop)
		if err := j.Follow(follow, 3, func(r journal.Record) error { got = append(got, r.ID); return nil }); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if len(got) < 50 || len(got) > 70 || !slices.Equal(got, l.kept()) {
			t.Errorf("%v, want %v", got, l.kept())
		}
	})
}

func TestAConfigThatIsWrongIsRefused(t *testing.T) {
	inLab(t, simulated.Options{}, func(l *lab) {
		p := l.broker.Process("p")
		_, err := journal.New(p, journal.Config{MaxAge: time.Millisecond, Segment: -1, Exchange: strings.Repeat("x", 256)})
		for _, want := range []string{
			"journal: Stream is 0 bytes long, want 1 to 255", "journal: Exchange is 256 bytes long, AMQP allows 255", "journal: MaxAge is 1ms, want 1s or more",
			"journal: Segment is -1 bytes, want 1 to 3000000000",
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		if _, err := journal.New(nil, journal.Config{Stream: "s"}); err == nil || err.Error() != "journal: the connection is nil" {
			t.Error(err)
		}
	})
}

func TestAFoldEndsAlthoughItsMarkIsNeverConfirmed(t *testing.T) {
	inLab(t, simulated.Options{}, func(l *lab) {
		j := l.journal("p")
		ctx := within(l.t, time.Minute)
		must(t, j.Declare(ctx))
		must(t, j.Append(ctx, drafts("a", 0, 3)...))
		l.fault(func(s simulated.Step) simulated.Fault {
			if s.Kind == "publish" && s.Process == "p" {
				return simulated.Fault{Kind: simulated.NoConfirm}
			}
			return simulated.Fault{}
		})
		if got, _, err := fold(ctx, j); err != nil || !slices.Equal(got, []string{"a0", "a1", "a2"}) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// Two fold at once: the mark of the other, which comes first, ends neither of them too early.
func TestAMarkOfAnotherDoesNotEndAFold(t *testing.T) {
	inLab(t, simulated.Options{}, func(l *lab) {
		j, other := l.journal("p"), l.journal("q")
		ctx := within(l.t, time.Minute)
		must(t, j.Declare(ctx))
		must(t, j.Append(ctx, drafts("a", 0, 2)...))
		_, _, err := fold(ctx, other) // its mark stays
		must(t, err)
		must(t, j.Append(ctx, drafts("b", 0, 2)...))
		_, _, err = fold(ctx, j) // and one of an earlier Fold of the same Journal
		must(t, err)
		must(t, j.Append(ctx, drafts("c", 0, 2)...))
		if got, next, err := fold(ctx, j); err != nil || next != 9 || !slices.Equal(got, []string{"a0", "a1", "b0", "b1", "c0", "c1"}) {
			t.Errorf("%v up to %d, %v", got, next, err)
		}
	})
}

// A broker that has just started returns records, although the stream is there.
func TestWhatIsNotRoutedForAMomentIsSentAgain(t *testing.T) {
	inLab(t, simulated.Options{}, func(l *lab) {
		j := l.journal("p")
		ctx := within(l.t, time.Minute)
		must(t, j.Declare(ctx))
		returns := 0
		l.fault(func(s simulated.Step) simulated.Fault {
			if s.Kind == "publish" && s.Message == "a3" && returns < 3 {
				returns++
				return simulated.Fault{Kind: simulated.Unroutable}
			}
			return simulated.Fault{}
		})
		must(t, j.Append(ctx, drafts("a", 0, 6)...))
		want := []string{"a0", "a1", "a2", "a4", "a5", "a4", "a5", "a4", "a5", "a3", "a4", "a5"}
		if got := l.kept(); returns != 3 || !slices.Equal(got, want) {
			t.Errorf("after %d returns %v, want %v", returns, got, want)
		}
		l.fault(func(s simulated.Step) simulated.Fault {
			if s.Kind == "publish" {
				return simulated.Fault{Kind: simulated.Unroutable}
			}
			return simulated.Fault{}
		})
		began := time.Now()
		if err := j.Append(ctx, drafts("b", 0, 2)...); !errors.Is(err, journal.ErrGone) || time.Since(began) > 40*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		began = time.Now()
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		if err := j.Append(short, drafts("b", 0, 2)...); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, journal.ErrGone) || time.Since(began) > 3*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestEverythingEndsWithItsContextWhileTheBrokerIsAway(t *testing.T) {
	inLab(t, simulated.Options{}, func(l *lab) {
		j := l.journal("p")
		must(t, j.Declare(l.t.Context()))
		must(t, j.Append(l.t.Context(), drafts("a", 0, 2)...))
		nothing := func(journal.Record) error { return nil }
		calls := map[string]func(context.Context) error{
			"append":  func(ctx context.Context) error { return j.Append(ctx, drafts("b", 0, 2)...) },
			"declare": j.Declare,
			"fold":    func(ctx context.Context) error { _, err := j.Fold(ctx, nothing); return err },
			"follow":  func(ctx context.Context) error { return j.Follow(ctx, 1, nothing) },
		}
		ended := make(chan string, len(calls))
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(l.t.Context())
		l.broker.Restart(time.Hour)
		for name, call := range calls {
			go func() {
				if err := call(ctx); !errors.Is(err, enough) {
					t.Errorf("%s: %v", name, err)
				}
				ended <- name
			}()
		}
		time.Sleep(time.Minute)
		if len(ended) > 0 {
			t.Errorf("%s has ended before its context", <-ended)
		}
		cancel(enough)
		synctest.Wait()
		if len(ended) != len(calls) {
			t.Errorf("only %d of %d have ended", len(ended), len(calls))
		}
	})
}

func TestAStreamThatIsDeletedWhileItIsFolded(t *testing.T) {
	for name, again := range map[string]bool{"for good": false, "and is declared again": true} {
		t.Run(name, func(t *testing.T) {
			inLab(t, simulated.Options{Latency: time.Millisecond}, func(l *lab) {
				j := l.journal("p")
				ctx := within(l.t, time.Minute)
				must(t, j.Declare(ctx))
				must(t, j.Append(ctx, drafts("a", 0, 1000)...))
				n := 0
				_, err := j.Fold(ctx, func(r journal.Record) error {
					if n++; n == 10 {
						l.broker.Delete("s")
						if again {
							l.declare(1500)
						}
					}
					if !strings.HasPrefix(r.ID, "a") {
						t.Errorf("seen: %s", r.ID)
					}
					return nil
				})
				if !errors.Is(err, journal.ErrGone) {
					t.Errorf("after %d records: %v", n, err)
				}
			})
		})
	}
}

// A broker that stops returns records, and then it is away for longer than it may take to settle.
func TestWhatABrokerReturnsAsItStopsIsSentAgain(t *testing.T) {
	inLab(t, simulated.Options{Latency: time.Millisecond}, func(l *lab) {
		j := l.journal("p")
		ctx := within(l.t, 10*time.Minute)
		must(t, j.Declare(ctx))
		returned := false
		l.fault(func(s simulated.Step) simulated.Fault {
			switch {
			case s.Kind == "publish" && !returned:
				returned = true
				return simulated.Fault{Kind: simulated.Unroutable}
			case s.Kind == "declare" && returned:
				l.fault(func(simulated.Step) simulated.Fault { return simulated.Fault{} })
				return simulated.Fault{Kind: simulated.Restart, For: time.Minute}
			}
			return simulated.Fault{}
		})
		must(t, j.Append(ctx, drafts("a", 0, 1)...))
		if got := l.kept(); !returned || !slices.Equal(got, []string{"a0"}) {
			t.Errorf("%v, %v", returned, got)
		}
	})
}

package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// speed measures how long it takes until a pause, and a resume, is obeyed everywhere: since the
// order was written, and since the call.
func (s *stage) speed(rounds int) (since, called []time.Duration) {
	s.t.Helper()
	for range rounds {
		s.publish(len(s.names)) // handlers run meanwhile
		began := time.Now()
		r := s.pause(s.command(0, "import"))
		last := s.reaches("import", paused, 10*time.Second)
		since, called = append(since, last.Sub(r.Orders[0].At)), append(called, last.Sub(began))
		s.resume("import")
		s.reaches("import", free, 10*time.Second)
	}
	slices.Sort(since)
	slices.Sort(called)
	s.t.Logf("a pause reaches %d processes, %d rounds: median %s, max %s; from the call on: median %s, max %s", len(s.names), rounds,
		ms(since[rounds/2]), ms(since[rounds-1]), ms(called[rounds/2]), ms(called[rounds-1]))
	return since, called
}

func ms(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// holds looks whether orders hold while something happens to the processes.
func (s *stage) holds(what string, happen func()) {
	s.t.Helper()
	began := time.Now()
	s.pause(s.command(0, "import"))
	s.limit(1, s.command(0, "mail"))
	s.reaches("import", paused, 10*time.Second)
	s.reaches("mail", limited(1), 10*time.Second)
	s.publish(10)
	happened := time.Now()
	happen()
	s.publish(10 * len(s.names))
	s.reaches("import", paused, 30*time.Second)
	s.reaches("mail", limited(1), 30*time.Second)
	s.handled("mail", "index") // the others work on
	all := s.entries()
	for name, first := range all.firsts(s.consumer("import"), happened) {
		if first.text != paused {
			s.t.Errorf("%s: %s came up %s", what, name, first.text)
		}
	}
	for _, e := range all {
		if e.what == begun && e.consumer == s.consumer("import") && e.at.After(happened) {
			s.t.Errorf("%s: %s has begun %s, and import is paused", what, e.process, e.text)
			break
		}
	}
	if n := all.most(s.consumer("mail"), happened); n != 1 {
		s.t.Errorf("%s: %d handlers of mail run at once, want 1", what, n)
	}
	s.resume("import", "mail")
	s.reaches("import", free, 10*time.Second)
	s.reaches("mail", free, 10*time.Second)
	s.handled(kinds...)
	s.t.Logf("orders hold: %s (%s)", what, ms(time.Since(began)))
}

// firsts returns by process the first state of a consumer after a moment.
func (all entries) firsts(consumer string, after time.Time) map[string]entry {
	first := map[string]entry{}
	for _, e := range all {
		if _, ok := first[e.process]; !ok && e.what == state && e.consumer == consumer && e.at.After(after) {
			first[e.process] = e
		}
	}
	return first
}

// restart starts all processes anew.
func (s *stage) restart(kill bool) {
	s.t.Helper()
	n := len(s.names)
	s.end(kill)
	s.start(n, s.url)
}

// killBroker kills the broker, which comes back, and waits until all consumers work again.
func (s *stage) killBroker() {
	s.t.Helper()
	s.broker.Settle()
	s.broker.Kill()
	s.broker.Start()
}

// ends looks whether a pause ends by itself, when it says so.
func (s *stage) ends(after time.Duration) {
	s.t.Helper()
	r := s.pause(s.command(after, "import"))
	s.reaches("import", paused, 10*time.Second)
	s.publish(len(s.names))
	until := r.Orders[0].Until
	s.reaches("import", free, after+30*time.Second)
	early, late := time.Duration(0), time.Duration(0)
	for _, e := range s.entries().states(s.consumer("import")) {
		if !slices.Contains(s.names, e.process) {
			continue
		}
		early, late = max(early, until.Sub(e.at)), max(late, e.at.Sub(until))
	}
	s.t.Logf("a pause of %s ends by itself, the last process is %s late", after, ms(late))
	if early > 10*time.Millisecond || late > 2*time.Second {
		s.t.Errorf("a pause of %s ends %s early and %s late", after, early, late)
	}
	s.handled(kinds...)
	if left := s.orders(); len(left) != 0 {
		s.t.Errorf("orders that have ended still stand: %+v", left)
	}
}

// contradicts has two operators give orders at the same moment. Afterwards all processes do the
// same, and it is what stands.
func (s *stage) contradicts(rounds int) {
	s.t.Helper()
	others := s.newFleet(s.connect("another operator"))
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Minute)
	defer cancel()
	won := map[string]int{}
	for round := range rounds {
		c := s.command(time.Hour, "index")
		var both sync.WaitGroup
		var errs [2]error
		both.Go(func() { _, errs[0] = s.fleet.Pause(ctx, c) })
		both.Go(func() {
			if round%2 == 0 {
				_, errs[1] = others.Limit(ctx, 2, c)
				return
			}
			c := c
			c.For = 0
			_, errs[1] = others.Resume(ctx, c)
		})
		both.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			s.t.Fatal(err)
		}
		want := free
		for _, o := range s.orders() {
			switch {
			case o.Consumer != s.consumer("index"):
			case o.Paused:
				want = paused
			default:
				want = limited(o.Limit)
			}
		}
		won[want]++
		s.reaches("index", want, 10*time.Second)
	}
	s.t.Logf("two operators, %d rounds: %v", rounds, won)
	if rounds > 10 && len(won) < 2 {
		s.t.Errorf("one of two operators has won always: %v", won)
	}
	s.resume("index")
	s.reaches("index", free, 10*time.Second)
}

// refuses looks whether orders that cannot be carried out are refused, and change nothing.
func (s *stage) refuses() {
	s.t.Helper()
	ctx := s.t.Context()
	before := fmt.Sprint(s.orders())
	var tooMany *control.LimitError
	if _, err := s.fleet.Limit(ctx, concurrency+1, s.command(0, "import")); !errors.As(err, &tooMany) || tooMany.Concurrency != concurrency {
		s.t.Errorf("a limit above the Concurrency: %v", err)
	}
	var unknown *control.UnknownError
	if _, err := s.fleet.Pause(ctx, s.command(0, "import", "nobody")); !errors.As(err, &unknown) || !slices.Equal(unknown.Consumers, []string{s.consumer("nobody")}) {
		s.t.Errorf("a consumer that nobody has: %v", err)
	}
	for name, c := range map[string]control.Command{
		"For":       {Consumers: []string{s.consumer("import")}},
		"Consumers": {For: time.Hour},
	} {
		if _, err := s.fleet.Pause(ctx, c); err == nil || !strings.Contains(err.Error(), name) {
			s.t.Errorf("a pause without %s: %v", name, err)
		}
	}
	if after := fmt.Sprint(s.orders()); after != before {
		s.t.Errorf("what stands has changed from %s to %s", before, after)
	}
}

// deletes has the stream deleted. Consumers do what they did, and say so; a process that starts
// then knows the orders.
func (s *stage) deletes() {
	s.t.Helper()
	s.pause(s.command(0, "import"))
	s.reaches("import", paused, 10*time.Second)
	ch, err := amqptest.DialURL(s.t, s.url).Channel()
	if err != nil {
		s.t.Fatal(err)
	}
	deleted := time.Now()
	if _, err := ch.QueueDelete(s.prefix, false, false, false); err != nil {
		s.t.Fatal(err)
	}
	s.publish(5 * len(s.names))
	for _, p := range s.running {
		p.Await("orders may be missed", 30*time.Second)
	}
	s.handled("mail", "index")
	var why string
	amqptest.Eventually(s.t, 30*time.Second, func() (ok bool) { ok, why = s.stands("import"); return ok }, "nobody has written the order again: %v", &why)
	s.t.Logf("the order is there again %s after its stream was deleted", ms(time.Since(deleted)))
	s.restart(true)
	s.reaches("import", paused, 30*time.Second)
	s.obedient()
	s.resume("import")
	s.reaches("import", free, 10*time.Second)
	s.handled(kinds...)
}

// forbids starts a process whose user has no permission for the stream. It works, and says so.
func (s *stage) forbids() {
	s.t.Helper()
	queues := "^" + s.prefix + "-.*"
	s.broker.Ctl("add_user", "worker", "secret-of-worker")
	s.broker.Ctl("set_permissions", "-p", "bunnicula", "worker", queues, queues+"|^amq.default$", queues)
	s.end(false)
	s.start(1, strings.Replace(s.url, "bunnicula:bunnicula@", "worker:secret-of-worker@", 1))
	s.publish(10)
	s.handled(kinds...)
	line := s.running[0].Await("orders may be missed", 30*time.Second)
	if !strings.Contains(line, s.prefix) || !strings.Contains(line, "level=WARN") || strings.Contains(s.running[0].Output(), "secret-of-worker") {
		s.t.Errorf("it says %s", line)
	}
	s.t.Logf("without permission: %s", line)
	s.end(false)
}

// left reads what is in the queues at the end: nothing.
func (s *stage) left() {
	s.t.Helper()
	ch, err := amqptest.DialURL(s.t, s.url).Channel()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, kind := range kinds {
		for _, q := range []string{s.consumer(kind), s.consumer(kind) + "-error"} {
			var got amqp.Queue
			if got, err = ch.QueueDeclarePassive(q, false, false, false, false, nil); err != nil {
				s.t.Fatal(err)
			}
			if got.Messages != 0 {
				s.t.Errorf("%d messages are left in %s", got.Messages, q)
			}
		}
	}
}

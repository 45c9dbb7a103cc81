package oncetest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// twice delivers two copies of a message at once. The first one to run takes long, and returns r.
// It returns what becomes of the other one, which is the first to return if the handler takes very
// long.
func (s script) twice(long time.Duration, r consumer.Result) (one, other *consumertest.Run, runs int32) {
	s.t.Helper()
	var ran atomic.Int32
	began := make(chan struct{})
	q := s.queue(func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
		if ran.Add(1) > 1 { // the transaction of the first has ended, or it would wait
			return writes(consumer.Ack())(ctx, tx, m)
		}
		writes(r)(ctx, tx, m)
		close(began)
		time.Sleep(long)
		return r
	})
	var both sync.WaitGroup
	both.Go(func() { one = q.Deliver("order", id("m1")) })
	<-began
	both.Go(func() { other = q.Deliver("order", id("m1")) })
	both.Wait()
	return one, other, ran.Load()
}

var copies = map[string]func(s script){
	"of two copies at once one is handled": func(s script) {
		one, other, runs := s.twice(300*time.Millisecond, consumer.Ack())
		one.AssertAcked()
		other.AssertAcked()
		if runs != 1 {
			s.t.Errorf("the handler ran %d times", runs)
		}
		s.wants(1, 1)
	},
	"a copy is handled when the other has failed": func(s script) {
		one, other, runs := s.twice(300*time.Millisecond, consumer.Retry(errAPI))
		one.AssertRetriedFor(monitoring.ReasonRetry, time.Minute).AssertError(errAPI)
		other.AssertAcked()
		if runs != 2 {
			s.t.Errorf("the handler ran %d times", runs)
		}
		s.wants(1, 1)
	},
	"a copy does not wait for SQLite without end": func(s script) {
		if !s.SQLite {
			return // a copy waits as long as the other is handled
		}
		began := time.Now()
		one, other, runs := s.twice(20*time.Second, consumer.Ack())
		one.AssertAcked()
		if other.Settlement.Action != monitoring.Snoozed || runs != 1 || time.Since(began) > 21*time.Second {
			s.t.Errorf("after %s and %d runs: %s", time.Since(began), runs, other)
		}
		s.wants(1, 1)
	},
	"handlers of many messages at once all commit": func(s script) {
		q := s.queue(func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
			r := writes(consumer.Ack())(ctx, tx, m)
			time.Sleep(time.Millisecond)
			return r
		})
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() { q.Deliver("order", id(string(rune('a'+i%20)))).AssertAcked() })
		}
		all.Wait()
		s.wants(20, 20)
	},
}

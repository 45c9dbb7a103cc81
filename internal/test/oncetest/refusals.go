package oncetest

import (
	"context"
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/outbox"
)

const day = 24 * time.Hour

// delayed gives a delivery the header of one that was published with a delay.
func delayed(due time.Time) consumertest.Option {
	return consumertest.Properties(func(d *amqp.Delivery) {
		d.Headers = amqp.Table{"bunnicula-due": due.UTC().Format(time.RFC3339)}
	})
}

var refusals = map[string]func(s script){
	"a message of unknown age or identity is parked": func(s script) {
		now := time.Now()
		for i, test := range []struct {
			opts []consumertest.Option
			why  string // "" is handled
			any  bool   // AnyAge has it handled
		}{
			{opts: nil},
			{opts: with(id("")), why: "the message has no message id of its publisher"},
			{opts: with(id("a\xff")), why: "the message id is not UTF-8, or has a zero byte"},
			{opts: with(id("a\x00")), why: "the message id is not UTF-8, or has a zero byte"},
			{opts: with(published(now.Add(-7*day + time.Minute)))},
			{opts: with(published(now.Add(-7*day - time.Minute))), why: "longer ago than Config.Keep (168h0m0s)", any: true},
			{opts: with(published(now.Add(-7*day-time.Minute)), redriven()), why: "longer ago than Config.Keep (168h0m0s)", any: true},
			{opts: with(published(now.Add(-8*day)), delayed(now.Add(-time.Minute)))},
			{opts: with(published(now), redriven())},
			{opts: with(published(now.Add(23 * time.Hour)))},
			{opts: with(published(now.Add(25 * time.Hour)))},
			{opts: with(published(now.Add(25*time.Hour)), redriven()), why: "its timestamp does not tell when it was published", any: true},
			{opts: with(published(time.Unix(now.UnixMilli(), 0)), redriven()), why: "its timestamp does not tell when it was published", any: true},
			{opts: with(published(time.Time{}))},
			{opts: with(published(time.Time{}), redriven()), why: "its timestamp does not tell when it was published", any: true},
		} {
			h, runs := counted(writes(consumer.Ack()))
			run := s.queue(h).Deliver("order", append(with(id("m"+string(rune('a'+i)))), test.opts...)...)
			if test.why == "" {
				run.AssertAcked()
			} else if run.AssertParked(monitoring.ReasonError); *runs != 0 || !strings.Contains(fmt.Sprint(run.Settlement.Err), test.why) {
				s.t.Errorf("case %d ran %d times: %v", i, *runs, run.Settlement.Err)
			}
			if !test.any {
				continue
			}
			if !strings.Contains(fmt.Sprint(run.Settlement.Err), "outbox.AnyAge handles it all the same") {
				s.t.Errorf("case %d: %v", i, run.Settlement.Err)
			}
			s.queue(h, nil, outbox.AnyAge()).Deliver("order", append(with(id("any"+string(rune('a'+i)))), test.opts...)...).AssertAcked()
		}
		s.wants(12, 12)
	},
	"AnyAge does not have a message handled twice": func(s script) {
		q := s.queue(writes(consumer.Ack()), outbox.AnyAge())
		for range 2 {
			q.Deliver("order", id("m1"), published(time.Now().Add(-100*day)), redriven()).AssertAcked()
		}
		s.wants(1, 1)
	},
	"a database without the tables is no reason to lose a message": func(s script) {
		s.exec("ALTER TABLE bunnicula_inbox RENAME TO away")
		q := s.queue(func(context.Context, Tx, consumer.Message[string]) consumer.Result { panic("it ran") })
		run := q.Deliver("order", id("m1")).AssertRetriedFor(monitoring.ReasonRetry, time.Minute)
		if err := fmt.Sprint(run.Settlement.Err); !strings.HasPrefix(err, "outbox.Once: ") {
			s.t.Error(err)
		}
		s.exec("ALTER TABLE away RENAME TO bunnicula_inbox")
		s.queue(writes(consumer.Ack())).Next(run).AssertAcked()
		s.wants(1, 1)
	},
}

func with(opts ...consumertest.Option) []consumertest.Option { return opts }

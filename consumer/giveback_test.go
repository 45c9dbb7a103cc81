package consumer_test

import (
	"context"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
)

// What pauses and restarts give back comes back to its queue, on RabbitMQ before 4.3 with a higher
// delivery count. Nobody died over it, so at most one in a hundred may be handled alone.
func TestPausesAndRestartsMakeNoInnocentMessageLookLikeAKiller(t *testing.T) {
	const messages, each = 600, 100 * time.Millisecond
	for _, version := range []simulated.Version{simulated.RabbitMQ3, simulated.RabbitMQ4, simulated.RabbitMQ43} {
		for name, disturb := range map[string]func(l *lab, start func(string) *consumer.Consumer, running []*consumer.Consumer){
			"two pauses": func(_ *lab, _ func(string) *consumer.Consumer, running []*consumer.Consumer) {
				for range 2 {
					for _, c := range running {
						c.Pause()
					}
					time.Sleep(500 * time.Millisecond)
					for _, c := range running {
						c.Resume()
					}
					time.Sleep(50 * time.Millisecond)
				}
			},
			"two rolling restarts": func(l *lab, start func(string) *consumer.Consumer, running []*consumer.Consumer) {
				for range 2 {
					for i, c := range running {
						l.stop(c)
						running[i] = start("again")
					}
				}
			},
		} {
			t.Run(version.String()+", "+name, func(t *testing.T) {
				inLab(t, simulated.Options{Version: version}, func(l *lab) { // frames take no time: a full socket would hold the acks up
					var did tally
					start := func(process string) *consumer.Consumer {
						return l.start(l.process(process), consumer.Spec{
							Queue: "orders", Concurrency: 10, Prefetch: 100,
							Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result { return did.handle(ctx, d, each) },
						})
					}
					running := []*consumer.Consumer{start("p1"), start("p2")}
					l.publishMany("orders", messages)
					l.wait(time.Minute, "begun", func() bool { return did.messages("") >= 20 })
					disturb(l, start, running)
					began, before := time.Now(), did.messages("")
					l.wait(10*time.Minute, "handled", func() bool { return did.messages("") == messages })
					if before > messages-100 {
						l.Fatalf("%d were handled before it was over, which leaves too few to tell", before)
					}
					least := time.Duration(messages-before) * each / 20
					if took := time.Since(began); took > 2*least+time.Second {
						l.Errorf("the last %d messages took %s, at full speed %s", messages-before, took, least)
					}
					if n := l.events(simulated.Delivered, "orders-quarantine"); n > messages/100 {
						l.Errorf("%d of %d messages were handled alone", n, messages)
					}
					l.wantDepths(map[string]int{"orders-error": 0, "orders-quarantine": 0})
				})
			})
		}
	}
}

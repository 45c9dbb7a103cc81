package consumer_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// What a process lost hours before a message was published says nothing about that message.
func TestMaxCrashesBoundsTheDeathsOfProcessesThatLostTheirLinksLongAgo(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		var deaths atomic.Int64
		running := map[string]*consumer.Consumer{}
		start := func(name string) *consumer.Consumer {
			p := l.process(name)
			return l.start(p, consumer.Spec{Queue: "orders", MaxCrashes: 3, Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
				if d.MessageID == "killer" {
					deaths.Add(1)
					p.Kill(0)
					<-ctx.Done()
				}
				return consumer.Ack()
			}})
		}
		for i := range 12 {
			name := fmt.Sprint("p", i)
			running[name] = start(name)
		}
		for range 12 {
			for name, c := range running {
				l.loseLink(name, c)
				time.Sleep(time.Second)
			}
		}
		time.Sleep(2 * time.Hour)
		l.publish("orders", "killer")
		time.Sleep(10 * time.Minute)
		if n := deaths.Load(); n > 3 {
			l.Errorf("%d processes died, MaxCrashes is 3", n)
		}
	})
}

// A process that has lost its link before, and waits for its token, may clear only what it has
// survived itself.
func TestAProcessThatOnlyLostItsLinkBeforeClearsNoKiller(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		var deaths atomic.Int64
		old := l.process("old")
		handler := func(p interface{ Kill(time.Duration) }) consumer.Handler {
			return func(ctx context.Context, d consumer.Delivery) consumer.Result {
				switch d.MessageID {
				case "killer":
					deaths.Add(1)
					p.Kill(0)
					<-ctx.Done()
				case "long":
					time.Sleep(2 * time.Hour)
				}
				return consumer.Ack()
			}
		}
		c := l.start(old, consumer.Spec{Queue: "orders", Handler: handler(old)})
		for range 10 {
			l.loseLink("old", c)
			time.Sleep(time.Second)
		}
		l.start(old, consumer.Spec{Queue: "invoices", Timeout: 3 * time.Hour, Handler: handler(old)})
		l.publish("invoices-quarantine", "long") // holds the token of its process
		time.Sleep(time.Minute)
		go func() { // a process that is started again when it has died
			for i := range 60 {
				p := l.process(fmt.Sprint("p", i))
				l.start(p, consumer.Spec{Queue: "orders", Handler: handler(p)})
				select {
				case <-p.Dead():
				case <-time.After(time.Hour):
					return
				}
				time.Sleep(time.Second)
			}
		}()
		time.Sleep(20 * time.Second)
		l.publish("orders-quarantine", "killer")
		time.Sleep(time.Hour)
		if n := deaths.Load(); n > 10 {
			l.Errorf("%d processes died, MaxCrashes is 10", n)
		}
		time.Sleep(2 * time.Hour)
	})
}

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// mailer keeps what it has sent, once it works.
type mailer struct {
	works atomic.Bool
	sent  chan int
}

func (m *mailer) Send(_ context.Context, _ string, number int) error {
	if !m.works.Load() {
		return errors.New("no connection to the mail server")
	}
	m.sent <- number
	return nil
}

// shop starts the app as a process of the broker.
func shop(t *testing.T, p *brokertest.Process, s Settings, b Bank, m Mailer) (publisher.Publisher, *fxtest.App) {
	t.Helper()
	var pub publisher.Publisher
	app := fxtest.New(t, app(), fx.Supply(s), fx.Provide(func() Bank { return b }, func() Mailer { return m }),
		fx.Populate(&pub), fx.NopLogger, p.Option())
	app.RequireStart()
	t.Cleanup(app.RequireStop)
	return pub, app
}

// whole is the test of the whole app. It is the same for both brokers.
func whole(t *testing.T, b *brokertest.Broker, s Settings) {
	orders, emails := s.Prefix+"-orders", s.Prefix+"-emails"
	worker := b.Process("worker")
	charges := 0
	charge := bank(func(int) error {
		switch charges++; charges {
		case 1:
			return errors.New("the bank is busy")
		case 2:
			worker.Kill() // the order is charged, and the process dies before it says so
		}
		return nil
	})
	mail := &mailer{sent: make(chan int, 10)}
	pub, _ := shop(t, worker, s, charge, mail)

	if err := pub.Publish(t.Context(), orders, Order{7, "a@example.com"}); err != nil {
		t.Fatal(err)
	}
	if err := pub.Publish(t.Context(), s.Prefix+"-order", Order{}); !errors.Is(err, publisher.ErrUnroutable) {
		t.Errorf("a mistyped queue: %v", err)
	}
	b.Until(2*s.Retry, "the process dies", func() bool { return b.Consumers(orders) == 0 })
	b.Want(orders, brokertest.Status{Ready: 1}) // the message is back

	shop(t, b.Process("worker"), s, charge, mail) // the next one handles it
	b.Settle(time.Minute)
	b.Want(orders, brokertest.Status{})
	b.Want(emails, brokertest.Status{Parked: 1})
	if m := b.Parked(emails)[0]; m.Reason != "error" || m.Error != "no connection to the mail server" || m.Attempts != 1 {
		t.Errorf("parked: %s: %s, after %d attempts", m.Reason, m.Error, m.Attempts)
	}

	mail.works.Store(true)
	b.Redrive(emails, `error~"mail server"`)
	b.Settle(time.Minute)
	b.Want(emails, brokertest.Status{})
	if sent := len(mail.sent); sent != 1 || charges != 3 {
		t.Errorf("%d sent, %d charges", sent, charges)
	}
}

func TestTheWholeAppInMemory(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		whole(t, b, Settings{Prefix: "shop", Retry: time.Minute}) // which costs no time
	})
}

func TestTheWholeAppOnARealBroker(t *testing.T) {
	url := os.Getenv("AMQP_URL")
	if url == "" {
		t.Skip("AMQP_URL is not set: there is no real broker to test with")
	}
	brokertest.RunReal(t, url, func(t *testing.T, b *brokertest.Broker) {
		whole(t, b, Settings{Prefix: "test-" + strings.ToLower(rand.Text()[:8]), Retry: time.Second})
	})
}

// An order is not lost while the bank, the broker and the queue all have a bad hour.
func TestABadHour(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		var charged atomic.Int32
		mail := &mailer{sent: make(chan int, 1)}
		mail.works.Store(true)
		pub, _ := shop(t, b.Process("worker"), Settings{"shop", 20 * time.Minute}, bank(func(int) error {
			if charged.Add(1) < 3 {
				return errors.New("the bank is closed")
			}
			return nil
		}), mail)
		if err := pub.Publish(t.Context(), "shop-orders", Order{7, "a@example.com"}); err != nil {
			t.Fatal(err)
		}
		b.Full("shop-emails", 50*time.Minute) // the confirmation finds no place
		b.Until(time.Hour, "it waits", func() bool { return b.Status("shop-orders").Waiting == 1 })
		b.Restart(10 * time.Minute)
		b.Settle(3 * time.Hour)
		b.Want("shop-orders", brokertest.Status{})
		if got := <-mail.sent; got != 7 {
			t.Errorf("sent: %d", got)
		}
	})
}

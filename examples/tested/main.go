// Tested is an app of two consumers, and its tests at each level: of a handler, of a consumer, and
// of the whole app, in memory and on a real broker. docs/TESTING.md is about them.
package main

import (
	"context"
	"errors"
	"log"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func main() {
	fx.New(app(), fx.Supply(Settings{Prefix: "shop", Retry: time.Minute}), fx.Provide(func() Bank { return logged{} }, func() Mailer { return logged{} })).Run()
}

func app() fx.Option {
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module,
		fx.Provide(connection.ConfigFromEnv),
		consumer.Provide(Orders, Emails),
		fx.StopTimeout(90*time.Second),
	)
}

// Settings are what differs between production and tests.
type Settings struct {
	Prefix string        // of the queues' names
	Retry  time.Duration // the delay of each retry
}

// Order is what is bought.
type Order struct {
	Number int
	Email  string
}

// Bank charges an order, once, whatever how often it is asked.
type Bank interface {
	Charge(ctx context.Context, number int) error
}

// Mailer sends an email.
type Mailer interface {
	Send(ctx context.Context, to string, number int) error
}

// Orders charges an order, and has its confirmation sent.
func Orders(s Settings, bank Bank, pub publisher.Publisher) consumer.Spec {
	return consumer.Spec{
		Queue: s.Prefix + "-orders", MaxRetries: 3, Backoff: []time.Duration{s.Retry},
		Handler: consumer.JSON(Charging{bank, pub, s.Prefix + "-emails"}.Handle),
	}
}

// Charging is the handler of Orders.
type Charging struct {
	Bank   Bank
	Pub    publisher.Publisher
	Emails string // the queue
}

// Handle is a plain function of a message.
func (c Charging) Handle(ctx context.Context, msg consumer.Message[Order]) consumer.Result {
	if msg.Payload.Email == "" {
		return consumer.Error(errors.New("order has no email"))
	}
	if err := c.Bank.Charge(ctx, msg.Payload.Number); err != nil {
		return consumer.Retry(err)
	}
	if err := c.Pub.Publish(ctx, c.Emails, msg.Payload, publisher.MessageID(msg.MessageID)); err != nil {
		return consumer.Retry(err)
	}
	return consumer.Ack()
}

// Emails sends what was charged.
func Emails(s Settings, mailer Mailer) consumer.Spec {
	return consumer.Spec{
		Queue: s.Prefix + "-emails", MaxRetries: 3, Backoff: []time.Duration{s.Retry},
		Handler: consumer.JSON(func(ctx context.Context, msg consumer.Message[Order]) consumer.Result {
			if err := mailer.Send(ctx, msg.Payload.Email, msg.Payload.Number); err != nil {
				return consumer.Error(err)
			}
			return consumer.Ack()
		}),
	}
}

// logged stands for a bank and for a mailer.
type logged struct{}

func (logged) Charge(_ context.Context, number int) error {
	log.Print("charged: ", number)
	return nil
}

func (logged) Send(_ context.Context, to string, number int) error {
	log.Print("sent to ", to, ": ", number)
	return nil
}

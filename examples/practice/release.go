package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// release is a version of the shop, and what it does differently.
type release struct {
	version  string
	numbers  bool // it reads no total that is text, as phones send it
	currency bool // it wants a currency, which old carts do not have
}

var releases = []release{
	{version: "1.41.0"},
	{version: "1.42.0", numbers: true, currency: true},
	{version: "1.42.1", currency: true},
	{version: "1.42.2"},
}

func releaseOf(version string) (release, error) {
	known := make([]string, len(releases))
	for i, r := range releases {
		if known[i] = r.version; r.version == version {
			return r, nil
		}
	}
	return release{}, fmt.Errorf("there is no version %q, only %s", version, strings.Join(known, ", "))
}

// amount reads 12.5 and "12.50".
type amount float64

// UnmarshalJSON takes a number, or one as text.
func (a *amount) UnmarshalJSON(text []byte) error {
	n, err := strconv.ParseFloat(strings.Trim(string(text), `"`), 64)
	*a = amount(n)
	return err
}

// orders is the handler of orders in this release.
func (r release) orders() consumer.Handler {
	if r.numbers {
		type Order struct {
			Number         int
			Total          float64
			Currency, Card string
		}
		return consumer.JSON(func(_ context.Context, msg consumer.Message[Order]) consumer.Result {
			return r.charge(msg.Payload.Currency, msg.Payload.Card)
		})
	}
	type Order struct {
		Number         int
		Total          amount
		Currency, Card string
	}
	return consumer.JSON(func(_ context.Context, msg consumer.Message[Order]) consumer.Result {
		return r.charge(msg.Payload.Currency, msg.Payload.Card)
	})
}

func (r release) charge(currency, card string) consumer.Result {
	switch {
	case card == "expired":
		return consumer.Error(errors.New("charge: the card has expired"))
	case currency == "" && r.currency:
		return consumer.Error(errors.New("charge: the order has no currency"))
	}
	return consumer.Ack()
}

// mails needs an API that refuses for a while and recovers.
func mails(refuses func() bool) consumer.Handler {
	type Mail struct{ To string }
	return consumer.JSON(func(context.Context, consumer.Message[Mail]) consumer.Result {
		if refuses() {
			return consumer.Retry(errors.New("mail API: 503 Service Unavailable"))
		}
		return consumer.Ack()
	})
}

// invoices takes a millisecond for each page: some invoices are longer than the Timeout allows.
func invoices() consumer.Handler {
	type Invoice struct{ Order, Pages int }
	return consumer.JSON(func(ctx context.Context, msg consumer.Message[Invoice]) consumer.Result {
		select {
		case <-time.After(time.Duration(msg.Payload.Pages) * time.Millisecond):
			return consumer.Ack()
		case <-ctx.Done():
			return consumer.Retry(fmt.Errorf("print the invoice: %w", ctx.Err()))
		}
	})
}

// specs are the consumers of this release.
func (r release) specs(prefix string, refuses func() bool) []consumer.Spec {
	all := []consumer.Spec{
		{Name: "orders", Handler: r.orders(), Timeout: 5 * time.Second},
		{Name: "mails", Handler: mails(refuses), Timeout: 5 * time.Second},
		{Name: "invoices", Handler: invoices(), Timeout: 300 * time.Millisecond},
	}
	for i := range all {
		s := &all[i]
		s.Queue, s.MaxRetries, s.Backoff, s.Concurrency = prefix+s.Name, 1, []time.Duration{time.Second}, 8
	}
	return all
}

package main

import (
	"context"
	"fmt"

	"github.com/bunnicula-go/bunnicula/publisher"
)

// goods are the messages of the shop. One goroutine uses them.
type goods struct {
	pub    publisher.Publisher
	prefix string
	number int // of the last message
}

func (g *goods) publish(ctx context.Context, queue, body string) error {
	return g.pub.Publish(ctx, g.prefix+queue, []byte(body),
		publisher.MessageID(fmt.Sprintf("%s-%05d", queue, g.number)), publisher.ContentType("application/json"))
}

// The kinds of messages: those that never fail, and each kind that does.
func (g *goods) order(ctx context.Context) error {
	g.number++
	return g.publish(ctx, "orders", fmt.Sprintf(`{"number": %d, "total": %d.5, "currency": "EUR", "card": "good"}`, g.number, g.number%90))
}

// phoneOrder has a total that is text. Each ninth one is from an old cart, without a currency.
func (g *goods) phoneOrder(ctx context.Context, nth int) error {
	g.number++
	currency := `"currency": "EUR", `
	if nth%9 == 5 {
		currency = ""
	}
	return g.publish(ctx, "orders", fmt.Sprintf(`{"number": %d, "total": "%d.50", %s"card": "good", "from": "phone"}`, g.number, g.number%90, currency))
}

func (g *goods) expiredOrder(ctx context.Context) error {
	g.number++
	return g.publish(ctx, "orders", fmt.Sprintf(`{"number": %d, "total": %d.5, "currency": "EUR", "card": "expired"}`, g.number, g.number%90))
}

// brokenOrder can never be decoded.
func (g *goods) brokenOrder(ctx context.Context) error {
	g.number++
	return g.publish(ctx, "orders", fmt.Sprintf(`{"number": %d, "tot`, g.number))
}

func (g *goods) mail(ctx context.Context) error {
	g.number++
	return g.publish(ctx, "mails", fmt.Sprintf(`{"to": "customer-%d@example.com", "order": %d}`, g.number, g.number))
}

func (g *goods) invoice(ctx context.Context, pages int) error {
	g.number++
	return g.publish(ctx, "invoices", fmt.Sprintf(`{"order": %d, "pages": %d}`, g.number, pages))
}

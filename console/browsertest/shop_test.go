package browsertest_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func number(n int) string { return strconv.Itoa(n) }

// failure is a kind of failure of a shop's consumer, and how many messages it has parked.
type failure struct {
	reason, text, kind, stack string
	version                   string
	count                     int
	from, to                  time.Duration // before now: the first and the last of them
	rise                      float64       // above 1 there are more and more of them
	attempts                  int
	body                      func(n int) any
}

func order(n int) any {
	return map[string]any{
		"order": 204_000 + n, "customer": 7_100 + n*37%900, "currency": "EUR", "total": json.Number(fmt.Sprintf("%d.%02d", 12+n*31%400, n*7%100)),
		"articles": []any{
			map[string]any{"article": fmt.Sprintf("A-%05d", 20_000+n*13%4_000), "count": 1 + n%3},
			map[string]any{"article": fmt.Sprintf("A-%05d", 20_000+n*29%4_000), "count": 1},
		},
		"payment": map[string]any{"method": "card", "reference": json.Number(strconv.FormatInt(9_007_199_254_740_993+int64(n), 10))},
	}
}

func oldOrder(n int) any {
	return map[string]any{"order": 190_000 + n, "customer": 6_100 + n, "currency": "EUR", "total": fmt.Sprintf("%d.00", 20+n)}
}

const panicked = `goroutine 214 [running]:
shop/orders.(*Discounts).best(...)
	/app/orders/discounts.go:88 +0x1f4
shop/orders.(*Handler).price(0xc0001b2c80, {0xc000512a00, 0x3, 0x4})
	/app/orders/price.go:41 +0x2a8
shop/orders.(*Handler).Handle(0xc0001b2c80, {0x9f2e40, 0xc00041a6e0}, 0xc000390d20)
	/app/orders/handler.go:63 +0x3c5
`

// parkedOrders are what stands in the error queue of orders: a version that made a rare failure
// frequent, and others beside it.
var parkedOrders = []failure{
	{reason: "undecodable", text: "json: cannot unmarshal string into Go struct field Order.total of type float64", kind: "*json.UnmarshalTypeError",
		version: "1.38.2", count: 37, from: 5 * time.Hour, to: 4 * time.Hour, rise: 1, attempts: 1, body: oldOrder},
	{reason: "retries-exhausted", text: "payment service: dial tcp 10.20.0.7:8443: connect: connection refused", kind: "*net.OpError",
		version: "1.41.0", count: 62, from: 5 * time.Hour, to: 95 * time.Minute, rise: 1, attempts: 4, body: order},
	{reason: "error", text: "article A-20417 is not for sale any more", kind: "*orders.NotForSale",
		version: "1.41.0", count: 14, from: 4 * time.Hour, to: 100 * time.Minute, rise: 1, attempts: 1, body: order},
	{reason: "retries-exhausted", text: "payment service: dial tcp 10.20.0.7:8443: connect: connection refused", kind: "*net.OpError",
		version: "1.42.0", count: 1_222, from: 92 * time.Minute, to: 2 * time.Minute, rise: 2, attempts: 4, body: order},
	{reason: "panic", text: "panic: runtime error: index out of range [3] with length 3", kind: "runtime.boundsError", stack: panicked,
		version: "1.42.0", count: 9, from: 88 * time.Minute, to: 11 * time.Minute, rise: 1, attempts: 1, body: order},
	{reason: "timeout", text: "the handler ran past its timeout: context deadline exceeded", kind: "context.deadlineExceededError",
		version: "1.42.0", count: 26, from: 70 * time.Minute, to: 6 * time.Minute, rise: 1, attempts: 4, body: order},
}

func letter(n int) any {
	return map[string]any{"letter": "order-confirmed", "order": 203_000 + n, "language": "en"}
}

var parkedMail = []failure{
	{reason: "error", text: "mail server: 554 5.7.1 the address does not exist", kind: "*textproto.Error",
		version: "1.41.0", count: 6, from: 5 * time.Hour, to: 90 * time.Minute, rise: 1, attempts: 1, body: letter},
}

// parked makes the messages of a consumer's failures, as the consumer would park them, with times
// before now.
func parked(queue, app string, now time.Time, failures ...failure) (all []amqp.Publishing) {
	for _, f := range failures {
		for i := range f.count {
			all = append(all, f.message(queue, app, now, i, len(all)))
		}
	}
	return all
}

// message makes the message i of a kind of failure, which is message n of all.
func (f failure) message(queue, app string, now time.Time, i, n int) amqp.Publishing {
	share := math.Pow(float64(i+1)/float64(f.count), 1/f.rise)
	at := now.Add(-f.from + time.Duration(share*float64(f.from-f.to))).Truncate(time.Second)
	host := fmt.Sprintf("worker-%d", 1+n%3)
	waits := []time.Duration{0, 10 * time.Second, time.Minute, 10 * time.Minute}
	var history []map[string]any
	began := at
	for k := f.attempts - 1; k >= 0; k-- {
		reason := "retry"
		if k == f.attempts-1 {
			reason = f.reason
		}
		history = append([]map[string]any{{
			"at": began.Format(time.RFC3339), "attempt": k + 1, "reason": reason, "error": f.text, "host": fmt.Sprintf("worker-%d", 1+(n+k)%3), "ms": 31 + (n*7+k)%40,
		}}, history...)
		began = began.Add(-waits[min(k, len(waits)-1)])
	}
	first := history[0]["at"]
	past, _ := json.Marshal(history)
	body, _ := json.Marshal(f.body(n))
	headers := amqp.Table{
		"bunnicula-reason": f.reason, "bunnicula-error": f.text, "bunnicula-error-type": f.kind, "bunnicula-error-group": groupOf(f),
		"bunnicula-history": string(past), "bunnicula-failed-at": at.Format(time.RFC3339), "bunnicula-first-failed-at": first,
		"bunnicula-queue": queue, "bunnicula-consumer": queue, "bunnicula-app": app, "bunnicula-app-version": f.version, "bunnicula-host": host,
		"bunnicula-original-exchange": "shop-events", "bunnicula-original-routing-key": "order.placed", "retry-attempts": int64(f.attempts - 1),
		"tenant": []string{"north", "south", "west"}[n%3], "traceparent": fmt.Sprintf("00-%032x-%016x-01", n+4096, n+256),
	}
	if f.stack != "" {
		headers["bunnicula-stack"] = f.stack
	}
	return amqp.Publishing{
		MessageId: fmt.Sprintf("order-%d", 204_000+n), ContentType: "application/json", Type: "order.placed", AppId: app, Body: body,
		CorrelationId: fmt.Sprintf("request-%d", 88_000+n), Timestamp: began.Add(-200 * time.Millisecond), Headers: headers,
	}
}

func groupOf(f failure) string { return fmt.Sprintf("%016x", len(f.text)*7919+len(f.kind)) }

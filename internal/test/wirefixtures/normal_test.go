package wirefixtures_test

import (
	"os"
	"regexp"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// What differs at each run has one value in the files.
var (
	then     = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	moment   = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z`)
	ms       = regexp.MustCompile(`"ms":\d+`)
	uuid     = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	hostname = func() string { name, _ := os.Hostname(); return name }()
)

const newID = "019b7c3e-1a08-7000-8000-000000000001"

// normal gives a delivery these values. base is the name of its queue, which becomes "orders".
func normal(d *amqp.Delivery, base string) {
	d.Exchange, d.RoutingKey = normalText(d.Exchange, base), normalText(d.RoutingKey, base)
	if uuid.MatchString(d.MessageId) {
		d.MessageId = newID
	}
	if !d.Timestamp.IsZero() {
		d.Timestamp = then
	}
	delete(d.Headers, "x-delivery-count")
	delete(d.Headers, "x-acquired-count")
	for name, v := range d.Headers {
		d.Headers[name] = normalValue(v, base)
	}
	if d.Headers["bunnicula-stack"] != nil {
		d.Headers["bunnicula-stack"] = "goroutine 7 [running]: ..."
	}
	if d.Headers["bunnicula-redrive-id"] != nil {
		d.Headers["bunnicula-redrive-id"] = newID
	}
}

func normalValue(v any, base string) any {
	switch v := v.(type) {
	case string:
		return normalText(v, base)
	case time.Time:
		return then
	case []any:
		for i := range v {
			v[i] = normalValue(v[i], base)
		}
	case amqp.Table:
		for name := range v {
			v[name] = normalValue(v[name], base)
		}
	}
	return v
}

func normalText(text, base string) string {
	text = moment.ReplaceAllStringFunc(text, func(s string) string {
		if strings.Contains(s, ".") {
			return "2026-01-02T03:04:05.000Z"
		}
		return "2026-01-02T03:04:05Z"
	})
	text = ms.ReplaceAllString(text, `"ms":5`)
	return strings.ReplaceAll(strings.ReplaceAll(text, base, "orders"), hostname, "worker-1")
}

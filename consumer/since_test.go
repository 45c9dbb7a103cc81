package consumer

import (
	"maps"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
)

func TestTheAgeOfAMessageCountsFromItsPublishFromWhenItWasDueOrFromItsRedrive(t *testing.T) {
	published := time.Unix(1_700_000_000, 0).UTC()
	at := func(d time.Duration) string { return published.Add(d).Format("2006-01-02T15:04:05.000Z") }
	for name, c := range map[string]struct {
		timestamp time.Time
		headers   amqp.Table
		want      time.Time
	}{
		"published":                        {published, nil, published},
		"published with headers":           {published, amqp.Table{"tenant": "a"}, published},
		"published by nobody knows when":   {},
		"published in milliseconds":        {timestamp: time.Unix(published.UnixMilli(), 0)},
		"published in the future":          {published.AddDate(100, 0, 0), nil, published.AddDate(100, 0, 0)},
		"due":                              {published, amqp.Table{wire.Due: at(time.Hour)}, published.Add(time.Hour)},
		"due, published nobody knows":      {time.Time{}, amqp.Table{wire.Due: at(time.Hour)}, published.Add(time.Hour)},
		"due, published in milliseconds":   {time.Unix(published.UnixMilli(), 0), amqp.Table{wire.Due: at(time.Hour)}, published.Add(time.Hour)},
		"due before it was published":      {published, amqp.Table{wire.Due: at(-time.Hour)}, published},
		"due as bytes":                     {published, amqp.Table{wire.Due: []byte(at(time.Hour))}, published.Add(time.Hour)},
		"due at no time":                   {published, amqp.Table{wire.Due: "tomorrow"}, published},
		"due at a number":                  {published, amqp.Table{wire.Due: int64(1_800_000_000)}, published},
		"redriven":                         {published, amqp.Table{wire.RedrivenAt: "2023-11-15T22:13:20Z"}, published.Add(24 * time.Hour)},
		"redriven, published nobody knows": {time.Time{}, amqp.Table{wire.RedrivenAt: "2023-11-15T22:13:20Z"}, published.Add(24 * time.Hour)},
		"redriven after it was due":        {published, amqp.Table{wire.Due: at(time.Hour), wire.RedrivenAt: "2023-11-15T22:13:20Z"}, published.Add(24 * time.Hour)},
		"redriven before it is due again":  {published, amqp.Table{wire.Due: at(48 * time.Hour), wire.RedrivenAt: "2023-11-15T22:13:20Z"}, published.Add(48 * time.Hour)},
		"that it snoozes does not count":   {published, amqp.Table{wire.NotBefore: at(-time.Hour)}, published},
		"about another queue":              {published, amqp.Table{wire.Queue: "emails", wire.Due: at(time.Hour), wire.RedrivenAt: "2023-11-15T22:13:20Z"}, published},
		"about this queue":                 {published, amqp.Table{wire.Queue: "orders", wire.Due: at(time.Hour)}, published.Add(time.Hour)},
	} {
		raw := delivery(c.headers)
		raw.Timestamp = c.timestamp
		if got := handled(t, spec(nil), raw).Since; !got.Equal(c.want) {
			t.Errorf("%s: the age counts from %s, want %s", name, got, c.want)
		}
	}
}

// A message without a timestamp gets one with its first copy, so its age counts from that.
func TestEachCopyKeepsTheTimeAtWhichAMessageWasDue(t *testing.T) {
	const due = "2023-11-14T23:13:20.000Z"
	headers := amqp.Table{wire.Due: due, wire.NotBefore: due}
	crashed := amqp.Table{"x-delivery-count": int64(2)}
	maps.Copy(crashed, headers)
	for name, c := range map[string]struct {
		result  Result
		headers amqp.Table
		change  func(*amqp.Delivery)
	}{
		"retried":         {Retry(errBoom), headers, nil},
		"retried later":   {RetryAfter(25*time.Second, errBoom), headers, nil},
		"snoozed":         {Snooze(25 * time.Second), headers, nil},
		"parked":          {Error(errBoom), headers, nil},
		"come early":      {Ack(), amqp.Table{wire.Due: due, wire.NotBefore: time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)}, nil},
		"set aside":       {Ack(), crashed, func(d *amqp.Delivery) { d.Redelivered = true }},
		"known elsewhere": {Retry(errBoom), amqp.Table{wire.Due: due, wire.Queue: "orders"}, nil},
	} {
		raw := delivery(c.headers)
		if c.change != nil {
			c.change(&raw)
		}
		s := process(t, patient(func(s *Spec) { s.Handler = returns(c.result) }), raw)
		if s.Copy == nil || s.Copy.Headers[wire.Due] != due {
			t.Errorf("%s: the copy has %+v", name, s.Copy)
			continue
		}
		if again := handled(t, patient(nil), back(onTime(s))); !again.Since.Equal(time.Unix(1_700_003_600, 0)) {
			t.Errorf("%s: the copy's age counts from %s", name, again.Since)
		}
	}
	for name, header := range map[string]any{"a number": int64(7), "too long": string(make([]byte, 300))} {
		s := process(t, patient(func(s *Spec) { s.Handler = returns(Retry(errBoom)) }), delivery(amqp.Table{wire.Due: header}))
		if _, there := s.Copy.Headers[wire.Due]; there {
			t.Errorf("%s is kept", name)
		}
	}
}

// onTime returns the settlement with a copy that has waited.
func onTime(s Settlement) Settlement {
	c := *s.Copy
	c.Headers = maps.Clone(c.Headers)
	delete(c.Headers, wire.NotBefore)
	s.Copy = &c
	return s
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// How long before the start what happened.
const (
	nightBegan = 6 * time.Hour
	mailsDown  = 4 * time.Hour
	mailsUp    = 3*time.Hour + 30*time.Minute
	newVersion = 2 * time.Hour // 1.42.0 was deployed
	nightEnded = time.Minute
)

// night makes the failures of a night. Consumers of both versions park them within seconds; then
// their times are set back.
func (s *shop) night(ctx context.Context) error {
	b, err := dial(s.url, s.options.prefix)
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.forget(); err != nil {
		return err
	}
	s.mailsRefused.Store(true)
	defer s.mailsRefused.Store(false)

	if err := s.deploy(ctx, "1.41.0"); err != nil {
		return err
	}
	parked := map[string]int{"orders": 13, "mails": 64, "invoices": 8}
	if err := s.publishAll(ctx, 10, 3, 0, 64, 8); err != nil {
		return err
	}
	if err := b.wait(ctx, parked); err != nil {
		return err
	}
	if err := s.deploy(ctx, "1.42.0"); err != nil {
		return err
	}
	parked["orders"] += 200
	parked["invoices"] += 12
	if err := s.publishAll(ctx, 18, 2, 180, 0, 12); err != nil {
		return err
	}
	if err := b.wait(ctx, parked); err != nil {
		return err
	}
	now := time.Now()
	for queue := range parked {
		if err := b.setBack(ctx, queue, now); err != nil {
			return err
		}
	}
	return nil
}

func (s *shop) publishAll(ctx context.Context, expired, broken, phones, mails, long int) error {
	for _, kind := range []struct {
		times   int
		publish func(nth int) error
	}{
		{expired, func(int) error { return s.expiredOrder(ctx) }},
		{broken, func(int) error { return s.brokenOrder(ctx) }},
		{phones, func(nth int) error { return s.phoneOrder(ctx, nth) }},
		{mails, func(int) error { return s.mail(ctx) }},
		{long, func(int) error { return s.invoice(ctx, tooMany) }},
	} {
		for nth := range kind.times {
			if err := kind.publish(nth); err != nil {
				return err
			}
		}
	}
	return nil
}

// during returns when messages of a queue and a version failed, as ages.
func during(queue, version string) (from, to time.Duration) {
	switch {
	case queue == "mails":
		return mailsDown, mailsUp
	case version == "1.41.0":
		return nightBegan, newVersion
	}
	return newVersion, nightEnded
}

// spread gives each message a time, and returns them in the order of their times. Those of one kind
// are in the order in which they were published, and their times even, but for some chance. So each
// start is the same: the sixth phone order is the first without a currency.
func spread(all []amqp.Delivery, queue string, now time.Time) ([]amqp.Publishing, error) {
	kind := func(d amqp.Delivery) string { return fmt.Sprint(d.Headers[appVersion], d.Headers[group]) }
	slices.SortFunc(all, func(a, b amqp.Delivery) int { return strings.Compare(a.MessageId, b.MessageId) })
	count, seen := map[string]int{}, map[string]int{}
	for _, d := range all {
		count[kind(d)]++
	}
	chance := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
	aged := make([]amqp.Publishing, len(all))
	for i, d := range all {
		version, _ := d.Headers[appVersion].(string)
		from, to := during(queue, version)
		part := (float64(seen[kind(d)]) + chance.Float64()) / float64(count[kind(d)])
		seen[kind(d)]++
		var err error
		if aged[i], err = setBack(d, now.Add(-from+time.Duration(part*float64(from-to)))); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(aged, func(a, b amqp.Publishing) int { return a.Timestamp.Compare(b.Timestamp) })
	return aged, nil
}

// The headers of a parked message that have to do with its time: docs/wire.
const (
	appVersion    = "bunnicula-app-version"
	group         = "bunnicula-error-group"
	failedAt      = "bunnicula-failed-at"
	firstFailedAt = "bunnicula-first-failed-at"
	history       = "bunnicula-history"
)

// setBack makes the message again as if it had failed at a time.
func setBack(d amqp.Delivery, at time.Time) (amqp.Publishing, error) {
	text, _ := d.Headers[failedAt].(string)
	was, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return amqp.Publishing{}, err
	}
	by := at.Sub(was)
	for _, name := range []string{failedAt, firstFailedAt} {
		if text, ok := d.Headers[name].(string); ok {
			d.Headers[name] = moved(text, by)
		}
	}
	if text, ok := d.Headers[history].(string); ok {
		var attempts []map[string]any
		if err := json.Unmarshal([]byte(text), &attempts); err != nil {
			return amqp.Publishing{}, err
		}
		for _, a := range attempts {
			at, _ := a["at"].(string)
			a["at"] = moved(at, by)
		}
		changed, err := json.Marshal(attempts)
		if err != nil {
			return amqp.Publishing{}, err
		}
		d.Headers[history] = string(changed)
	}
	return amqp.Publishing{
		Headers: d.Headers, ContentType: d.ContentType, DeliveryMode: amqp.Persistent, MessageId: d.MessageId,
		Timestamp: at.Add(-2 * time.Second), Body: d.Body,
	}, nil
}

func moved(text string, by time.Duration) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return t.Add(by).UTC().Format(time.RFC3339)
}

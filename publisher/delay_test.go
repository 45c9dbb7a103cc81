package publisher_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// The clock of a bubble begins at midnight UTC of 1 January 2000.
func TestAMessageWithADelayWaitsInTheLongestQueueThatFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		utc := time.FixedZone("elsewhere", 7200)
		for _, c := range []struct {
			name   string
			option publisher.Option
			queue  string
			due    string // in both headers
		}{
			{"a nanosecond", publisher.Delay(1), "emails-retry-250ms", "2000-01-01T00:00:00.001Z"},
			{"less than the shortest", publisher.Delay(200 * time.Millisecond), "emails-retry-250ms", "2000-01-01T00:00:00.200Z"},
			{"the shortest", publisher.Delay(250 * time.Millisecond), "emails-retry-250ms", "2000-01-01T00:00:00.250Z"},
			{"almost the next", publisher.Delay(5*time.Second - 1), "emails-retry-1s", "2000-01-01T00:00:05.000Z"},
			{"the next", publisher.Delay(5 * time.Second), "emails-retry-5s", "2000-01-01T00:00:05.000Z"},
			{"an hour and a half", publisher.Delay(90 * time.Minute), "emails-retry-1h", "2000-01-01T01:30:00.000Z"},
			{"a part of a millisecond", publisher.Delay(20*time.Second + time.Microsecond), "emails-retry-15s", "2000-01-01T00:00:20.001Z"},
			{"three days", publisher.At(now.Add(72 * time.Hour)), "emails-retry-24h", "2000-01-04T00:00:00.000Z"},
			{"a time elsewhere", publisher.At(now.Add(time.Minute).In(utc)), "emails-retry-1m", "2000-01-01T00:01:00.000Z"},
			{"ten years", publisher.Delay(topology.MaxDelay), "emails-retry-24h", "2009-12-29T00:00:00.000Z"},
			{"until in ten years", publisher.At(now.Add(topology.MaxDelay)), "emails-retry-24h", "2009-12-29T00:00:00.000Z"},
		} {
			env, err := publisher.Config{}.Build("emails", 1, publisher.Header("tenant", "a"), c.option)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			want := amqp.Table{"tenant": "a", "bunnicula-due": c.due, "bunnicula-not-before": c.due}
			if env.Exchange != "" || env.RoutingKey != c.queue || !maps.Equal(env.Headers, want) || env.Delayed.Queue != "emails" {
				t.Errorf("%s: to %q with %v", c.name, env.RoutingKey, env.Headers)
			}
			if !env.Timestamp.Equal(now) || env.Expiration != "" || env.NotMandatory {
				t.Errorf("%s: %+v", c.name, env)
			}
		}
	})
}

func TestADelayThatIsNoneLeavesTheMessageAsItIs(t *testing.T) {
	past := time.Now().Add(-time.Minute)
	for name, options := range map[string][]publisher.Option{
		"Delay(0)":                  {publisher.Delay(0)},
		"At of the past":            {publisher.At(past)},
		"At of year 1":              {publisher.At(time.Unix(-60_000_000_000, 0))},
		"the last one counts":       {publisher.Delay(time.Hour), publisher.At(past)},
		"the last one counts again": {publisher.At(time.Now().Add(time.Hour)), publisher.Delay(0)},
	} {
		if env := build(t, 1, options...); env.RoutingKey != "q" || env.Headers != nil || env.Delayed != nil {
			t.Errorf("%s: %+v", name, env)
		}
	}
	if env := build(t, 1, publisher.Delay(0), publisher.Delay(time.Hour)); env.RoutingKey != "q-retry-1h" {
		t.Errorf("the last one counts: %+v", env)
	}
}

// The options of a message are also wrong where it has no delay: At fails at once, and not only for
// the times to come.
func TestADelayThatCannotBeKeptIsAnErrorThatNamesTheQueue(t *testing.T) {
	long := strings.Repeat("x", 247) // and -retry-1s has 9
	for name, c := range map[string]struct {
		cfg     publisher.Config
		queue   string
		options []publisher.Option
		want    string
	}{
		"negative":                {options: []publisher.Option{publisher.Delay(-time.Second)}, want: "the delay is -1s, want 0 to 87600h0m0s"},
		"above the longest":       {options: []publisher.Option{publisher.Delay(topology.MaxDelay + 1)}, want: "the delay is 87600h0m0.000000001s, want 0 to 87600h0m0s"},
		"a zero time":             {options: []publisher.Option{publisher.At(time.Time{})}, want: "the time of At is zero"},
		"a time too far away":     {options: []publisher.Option{publisher.At(time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC))}, want: "the message is due at 2400-01-01T00:00:00Z, want at most 87600h0m0s from now"},
		"a time out of range":     {options: []publisher.Option{publisher.At(time.Unix(1<<60, 0))}, want: "the message is due at 1152921504606846976, want at most"},
		"an exchange":             {options: []publisher.Option{publisher.Delay(1), publisher.Exchange("events")}, want: `a message for exchange "events" cannot have a delay`},
		"an exchange, no delay":   {options: []publisher.Option{publisher.Exchange("events"), publisher.Delay(0)}, want: `a message for exchange "events" cannot have a delay`},
		"the Config's exchange":   {cfg: publisher.Config{Exchange: "events"}, options: []publisher.Option{publisher.Delay(1)}, want: `through the default exchange (publisher.Exchange(""))`},
		"an expiration":           {options: []publisher.Option{publisher.Delay(1), publisher.Expiration(time.Hour)}, want: "a message with an Expiration cannot have a delay"},
		"an expiration, no delay": {options: []publisher.Option{publisher.At(time.Unix(1, 0)), publisher.Expiration(0)}, want: "a message with an Expiration cannot have a delay"},
		"not mandatory":           {options: []publisher.Option{publisher.NotMandatory(), publisher.Delay(1)}, want: "a message with NotMandatory cannot have a delay"},
		"a copy":                  {options: []publisher.Option{publisher.Header("CC", []string{"audit"}), publisher.Delay(1)}, want: "a message with the header CC cannot have a delay"},
		"a blind copy":            {options: []publisher.Option{publisher.Header("BCC", []any{"audit"}), publisher.Delay(1)}, want: "a message with the header BCC cannot have a delay"},
		"no queue":                {queue: "-", options: []publisher.Option{publisher.Delay(1)}, want: "a message with a delay needs the name of a queue"},
		"a reply":                 {queue: "amq.rabbitmq.reply-to.g1h2AA", options: []publisher.Option{publisher.Delay(1)}, want: `a queue of the broker's ("amq.")`},
		"a long name":             {queue: long, options: []publisher.Option{publisher.Delay(time.Second)}, want: "the name of the queue's retry queue is 256 bytes long, AMQP allows 255"},
	} {
		queue := map[string]string{"": "emails", "-": ""}[c.queue]
		if len(c.queue) > 1 {
			queue = c.queue
		}
		_, err := c.cfg.Build(queue, 1, c.options...)
		where := fmt.Sprintf("publisher: publish to queue %q: ", queue[:min(60, len(queue))])
		if strings.Contains(name, "exchange") {
			where = fmt.Sprintf("publisher: publish to exchange %q, key %q: ", "events", queue)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || queue != long && !strings.HasPrefix(err.Error(), where) {
			t.Errorf("%s: %v, want %s%s", name, err, where, c.want)
		}
	}
	if _, err := (publisher.Config{Exchange: "events"}).Build("emails", 1, publisher.Delay(time.Second), publisher.Exchange("")); err != nil {
		t.Errorf("through the default exchange after all: %v", err)
	}
	if env, err := (publisher.Config{}).Build(long[1:], 1, publisher.Delay(time.Second)); err != nil || len(env.RoutingKey) != 255 {
		t.Errorf("the longest name: %v", err)
	}
}

func TestABatchWithABadDelayIsNotSentAndTheOthersSaySo(t *testing.T) {
	_, errs := publisher.Config{}.BuildBatch(
		publisher.Message{RoutingKey: "emails", Options: []publisher.Option{publisher.Delay(time.Hour)}},
		publisher.Message{RoutingKey: "letters", Options: []publisher.Option{publisher.Delay(-1)}},
		publisher.Message{RoutingKey: "parcels"},
	)
	if errs[1] == nil || !strings.Contains(errs[1].Error(), `queue "letters": the delay is -1ns`) {
		t.Errorf("the bad one: %v", errs[1])
	}
	for i, where := range map[int]string{0: `publish to queue "emails" with a delay, through "emails-retry-1h": `, 2: `publish to queue "parcels": `} {
		if !errors.Is(errs[i], publisher.ErrNotSent) || !strings.Contains(errs[i].Error(), where) {
			t.Errorf("message %d: %v", i, errs[i])
		}
	}
}

// Also a queue name that looks like that of another queue is just a name.
func TestWhereNoConsumerHasTheLadderADelayIsUnroutableAndTheErrorSaysWhatIsMissing(t *testing.T) {
	q := queue(t, amqp.Table{"x-queue-type": "quorum"})
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	check := func(err error, queue string) {
		t.Helper()
		for _, want := range []string{
			fmt.Sprintf("publish to queue %q with a delay, through %q: there is no such queue: ", queue, queue+"-retry-5s"), ": its consumer needs topology.Ladder in Spec.Delays",
		} {
			if !errors.Is(err, publisher.ErrUnroutable) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want ErrUnroutable with %q", err, want)
			}
		}
	}
	for _, name := range []string{q, q + "-retry-5s", q + "-error", "no such queue"} {
		check(pub.Publish(soon(t), name, 1, publisher.Delay(7*time.Second)), name)
	}
	c, err := pub.PublishAsync(soon(t), q, 1, publisher.At(time.Now().Add(7*time.Second)))
	if err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	check(c.Err(), q)
	err = pub.PublishBatch(soon(t), publisher.Message{RoutingKey: q}, publisher.Message{RoutingKey: q, Options: []publisher.Option{publisher.Delay(7 * time.Second)}})
	var batch *publisher.BatchError
	if !errors.As(err, &batch) || len(batch.Errs) != 1 {
		t.Fatalf("a batch: %v", err)
	}
	check(batch.Errs[1], q)
	if n := amqptest.Depth(t, q); n != 1 {
		t.Errorf("%d messages are in the queue, want the one without a delay", n)
	}
	if err := pub.Publish(soon(t), "no such queue", 1); err == nil || strings.Contains(err.Error(), "Ladder") {
		t.Errorf("without a delay: %v", err)
	}
}

// The header fits in beside those of the user as those of a retry do.
func TestTheHeadersOfADelayAreAmongThoseThatMustFit(t *testing.T) {
	const room = 4 << 10
	full := publisher.Header("h", strings.Repeat("x", 131_064-room-sizeOf(t)))
	if _, err := (publisher.Config{}).Build("q", 1, full); err != nil {
		t.Fatalf("it fits without a delay: %v", err)
	}
	if _, err := (publisher.Config{}).Build("q", 1, full, publisher.Delay(time.Second)); !errors.Is(err, publisher.ErrTooLarge) {
		t.Errorf("with a delay: %v", err)
	}
}

// sizeOf is how many bytes a message has beside the text of its header h.
func sizeOf(t *testing.T) int {
	t.Helper()
	env := build(t, 1, publisher.Header("h", ""))
	return env.PropertiesSize() + 14
}

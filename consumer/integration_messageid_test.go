package consumer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Other languages publish without a message id. What the log, the monitor and the handler have of
// the first attempt is the id of the parked copy, and of the message when it is redriven.
func TestAMessageWithoutAnIDIsFoundInTheErrorQueueByTheIDOfItsFirstAttempt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "nameless")
	var mu sync.Mutex
	var ids []string // that the handler and the monitor have seen
	saw := func(d consumer.Delivery) {
		mu.Lock()
		defer mu.Unlock()
		if !d.MessageIDGiven {
			t.Errorf("attempt %d has the id %q, which is not marked as given", d.Attempt, d.MessageID)
		}
		ids = append(ids, d.MessageID)
	}
	spec := consumer.Spec{
		Queue: queue, MaxRetries: 1, Backoff: []time.Duration{100 * time.Millisecond},
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			saw(d)
			return consumer.Retry(errors.New("mail server is down"))
		},
	}
	var lines bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&lines, nil))
	monitor := monitoring.Multi(r.ended, monitoring.Log{Logger: log}, monitoring.Callbacks{
		OnException: func(_ context.Context, d monitoring.Delivery, _ monitoring.Outcome) { saw(d) },
	})
	c, err := consumer.New(r.conn, spec, monitor, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(r.ctx); err != nil {
		t.Fatal(err)
	}
	amqptest.Publish(t, "", queue, amqp.Publishing{Body: []byte(`{"order":17}`)})
	r.outcomes(2)
	r.stop(c)

	depths(t, map[string]int{queue: 0, queue + "-retry-100ms": 0, queue + "-error": 1})
	parked := amqptest.Get(t, queue+"-error")
	id := parked.MessageId
	wantHeaders(t, parked, amqp.Table{"bunnicula-message-id-given": true, "bunnicula-reason": "retries-exhausted"})
	if len(ids) != 4 || id == "" || slices.ContainsFunc(ids, func(other string) bool { return other != id }) {
		t.Errorf("the parked copy has the id %q, and the attempts had %q", id, ids)
	}
	var logged []string
	for line := range strings.Lines(lines.String()) {
		var record struct {
			ID string `json:"message_id"`
		}
		if json.Unmarshal([]byte(line), &record) == nil && record.ID != "" {
			logged = append(logged, record.ID)
		}
	}
	if !slices.Equal(logged, []string{id, id}) {
		t.Errorf("the log has the ids %q, want %q twice", logged, id)
	}

	amqptest.Publish(t, "", queue+"-error", amqp.Publishing{MessageId: parked.MessageId, Headers: parked.Headers, Body: parked.Body})
	q, err := errorqueue.Open(r.ctx, r.conn, errorqueue.Config{Queue: queue}, log)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(r.ctx)
	if _, err := q.Redrive(r.ctx, errorqueue.RedriveOptions{Filter: errorqueue.Filter{IDs: []string{id}}}); err != nil {
		t.Fatal(err)
	}
	if again := amqptest.Get(t, queue); again.MessageId != id || again.Headers["bunnicula-message-id-given"] != true {
		t.Errorf("the redriven message has the id %q and the headers %v", again.MessageId, again.Headers)
	}
}

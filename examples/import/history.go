package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/examples/import/api"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// PageJob asks for one page of the history.
type PageJob struct {
	Page int `json:"page"`
}

// ID is the job's message id. It is the same each time that the job is published.
func (j PageJob) ID() string { return "page-" + strconv.Itoa(j.Page) }

// History is the consumer that lists the conversations, one page at a time. It has many retries,
// because without a page none of its conversations would be imported.
func History(o Options, lister Lister) consumer.Spec {
	return consumer.Spec{
		Queue:       o.HistoryQueue(),
		MaxRetries:  20,
		Backoff:     o.Backoff[:1],
		Delays:      snoozes,
		Concurrency: 1,
		Timeout:     o.HandlerTimeout(),
		OnFatal:     lister.tally.Fail,
		Handler:     consumer.JSON(lister.Handle),
	}
}

// snoozes are the delays of jobs that the API turned away (429).
var snoozes = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second}

// Lister turns a page into a job for each of its conversations, and a job for the next page. A long
// history is many small jobs, so that an interrupted import does not begin again at the first page.
type Lister struct {
	queues Options
	client Client
	pub    publisher.Publisher
	ledger *Ledger
	tally  *Tally
}

// NewLister makes a Lister.
func NewLister(o Options, c Client, pub publisher.Publisher, l *Ledger, t *Tally) Lister {
	return Lister{o, c, pub, l, t}
}

// Handle acks a page when all of its jobs are confirmed and the ledger has noted it. If the process
// dies before, the jobs are published again with the same ids, and what was imported meanwhile is
// skipped.
func (l Lister) Handle(ctx context.Context, msg consumer.Message[PageJob]) consumer.Result {
	if l.ledger.HasPage(msg.Payload.Page) {
		return consumer.Ack()
	}
	page, err := l.client.Page(ctx, msg.Payload.Page)
	if err != nil {
		return resultOf(err)
	}
	if err := l.pub.PublishBatch(ctx, l.jobs(page)...); err != nil {
		return consumer.Retry(err)
	}
	if err := l.ledger.AddPage(page); err != nil {
		return consumer.Retry(err)
	}
	l.tally.Published(page)
	return consumer.Ack()
}

func (l Lister) jobs(page api.Page) []publisher.Message {
	var jobs []publisher.Message
	for _, id := range page.IDs {
		jobs = append(jobs, publisher.Message{
			RoutingKey: l.queues.ConversationQueue(), Payload: ConversationJob{id},
			Options: []publisher.Option{publisher.MessageID(id)},
		})
	}
	if page.Next != 0 {
		next := PageJob{page.Next}
		jobs = append(jobs, publisher.Message{
			RoutingKey: l.queues.HistoryQueue(), Payload: next,
			Options: []publisher.Option{publisher.MessageID(next.ID())},
		})
	}
	return jobs
}

// Begin publishes the first page's job when the consumers have started, unless an earlier start
// did.
func Begin(lc fx.Lifecycle, o Options, pub publisher.Publisher, ledger *Ledger) {
	first := PageJob{1}
	lc.Append(fx.StartHook(func(ctx context.Context) error {
		if ledger.HasPage(first.Page) {
			return nil
		}
		return pub.Publish(ctx, o.HistoryQueue(), first, publisher.MessageID(first.ID()))
	}))
}

// resultOf is what a job returns after an error of the Client.
func resultOf(err error) consumer.Result {
	var status *StatusError
	if errors.As(err, &status) {
		return status.Result()
	}
	return consumer.Retry(err)
}

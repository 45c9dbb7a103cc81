package main

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/examples/import/api"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
)

// History is the consumer that lists the conversations, page by page. It has many retries, because
// without a page none of its conversations would be imported.
func History(o Options, limits use.Limiter, lister Lister) consumer.Spec {
	return consumer.Spec{
		Queue:       o.HistoryQueue(),
		MaxRetries:  20,
		Backoff:     o.Backoff[:1],
		Delays:      topology.Ladder,
		Concurrency: listing,
		Timeout:     o.HandlerTimeout(),
		OnFatal:     lister.tally.Fail,
		Handler:     consumer.JSON(use.PerKey(limits, listedAccount, lister.Handle)),
	}
}

// listing is how many pages are listed at once: the next one is, while the jobs of one are
// published.
const listing = 4

// Lister turns a page into a job for each of its conversations, and a job for the next page. A long
// history is many small jobs, so that an interrupted import does not begin again at the first page.
type Lister struct {
	options Options
	client  Client
	pub     publisher.Publisher
	ledger  *Ledger
	tally   *Tally
}

// NewLister makes a Lister.
func NewLister(o Options, c Client, pub publisher.Publisher, l *Ledger, t *Tally) Lister {
	return Lister{o, c, pub, l, t}
}

// Handle acks a page when all of its jobs are confirmed and the ledger has noted it. If the process
// dies before, the jobs are published again with the same ids, and what was imported meanwhile is
// skipped.
func (l Lister) Handle(ctx context.Context, msg consumer.Message[ListPage]) consumer.Result {
	job := msg.Payload
	if l.ledger.HasPage(job.Account, job.Page) {
		return consumer.Ack()
	}
	page, err := l.client.Page(ctx, job)
	if err != nil {
		return use.HTTPResult(err)
	}
	if page.Account != job.Account || page.Number != job.Page {
		return consumer.Error(fmt.Errorf("asked for page %d of %s, got %d of %q", job.Page, job.Account, page.Number, page.Account))
	}
	if err := l.publish(ctx, page); err != nil {
		return consumer.Retry(err)
	}
	if err := l.ledger.AddPage(page); err != nil {
		return consumer.Retry(err)
	}
	l.tally.Published(page)
	return consumer.Ack()
}

// publish publishes the job for the next page, and then those for the conversations of this one.
// The other way round, the next page would line up behind all of them for its request.
func (l Lister) publish(ctx context.Context, page api.Page) error {
	if page.Next != 0 {
		if err := publish(ctx, l.pub, ListPage{page.Account, page.Next}.Message(l.options)); err != nil {
			return err
		}
	}
	var jobs []publisher.Message
	for _, id := range page.IDs {
		jobs = append(jobs, ImportConversation{page.Account, id}.Message(l.options))
	}
	return l.pub.PublishBatch(ctx, jobs...)
}

// Begin publishes the job for the first page of each account when the consumers have started,
// unless an earlier start did. The small account comes a little later than the big one, and so
// behind it.
func Begin(lc fx.Lifecycle, o Options, pub publisher.Publisher, ledger *Ledger) {
	lc.Append(fx.StartHook(func(ctx context.Context) error {
		for i, account := range o.Accounts() {
			if ledger.HasPage(account, 1) {
				continue
			}
			later := publisher.Delay(time.Duration(i) * o.Later)
			if err := publish(ctx, pub, ListPage{account, 1}.Message(o, later)); err != nil {
				return err
			}
		}
		return nil
	}))
}

func publish(ctx context.Context, pub publisher.Publisher, m publisher.Message) error {
	return pub.Publish(ctx, m.RoutingKey, m.Payload, m.Options...)
}

package main

import (
	"context"
	"fmt"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
)

// Conversations is the consumer that imports, a few conversations at a time. One whose account has
// no request left for now snoozes until its turn, so it is not in the way of other accounts.
func Conversations(o Options, limits use.Limiter, importer Importer) consumer.Spec {
	retries := o.Retries
	if retries == 0 {
		retries = consumer.NoRetries
	}
	return consumer.Spec{
		Queue:       o.ConversationQueue(),
		MaxRetries:  retries,
		Backoff:     o.Backoff,
		Delays:      topology.Ladder,
		Concurrency: o.Concurrency,
		Timeout:     o.HandlerTimeout(),
		Use:         []consumer.Middleware{Crash(o.CrashRate, o.Seed)},
		OnFatal:     importer.tally.Fail,
		Handler:     consumer.JSON(use.PerKey(limits, importedAccount, importer.Handle)),
	}
}

// Importer fetches a conversation and writes it into the ledger.
type Importer struct {
	client Client
	ledger *Ledger
	tally  *Tally
}

// NewImporter makes an Importer.
func NewImporter(c Client, l *Ledger, t *Tally) Importer { return Importer{c, l, t} }

// Handle imports one conversation. It acks one that is imported already: the process or its
// connection died between the import and the ack.
func (i Importer) Handle(ctx context.Context, msg consumer.Message[ImportConversation]) consumer.Result {
	job := msg.Payload
	if i.ledger.Imported(job.Account, job.ID) {
		i.tally.Duplicate()
		return consumer.Ack()
	}
	conv, err := i.client.Conversation(ctx, job)
	if err != nil {
		return use.HTTPResult(err)
	}
	if conv.ID != job.ID || conv.Account != job.Account {
		return consumer.Error(fmt.Errorf("asked for %s of %s, got %q of %q", job.ID, job.Account, conv.ID, conv.Account))
	}
	added, err := i.ledger.Import(conv)
	if err != nil {
		return consumer.Retry(err)
	}
	if !added { // by another handler, just now
		i.tally.Duplicate()
	}
	return consumer.Ack()
}

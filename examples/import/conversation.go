package main

import (
	"context"
	"fmt"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// ConversationJob asks for one conversation to be imported. Its message id is the
// conversation's.
type ConversationJob struct {
	ID string `json:"id"`
}

// Conversations is the consumer that imports, a few conversations at a time.
func Conversations(o Options, importer Importer) consumer.Spec {
	retries := o.Retries
	if retries == 0 {
		retries = consumer.NoRetries
	}
	return consumer.Spec{
		Queue:       o.ConversationQueue(),
		MaxRetries:  retries,
		Backoff:     o.Backoff,
		Delays:      snoozes,
		Concurrency: o.Concurrency,
		Timeout:     o.HandlerTimeout(),
		Use:         []consumer.Middleware{Crash(o.CrashRate, o.Seed)},
		OnFatal:     importer.tally.Fail,
		Handler:     consumer.JSON(importer.Handle),
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
func (i Importer) Handle(ctx context.Context, msg consumer.Message[ConversationJob]) consumer.Result {
	id := msg.Payload.ID
	if i.ledger.Imported(id) {
		i.tally.Duplicate()
		return consumer.Ack()
	}
	conv, err := i.client.Conversation(ctx, id)
	if err != nil {
		return resultOf(err)
	}
	if conv.ID != id {
		return consumer.Error(fmt.Errorf("asked for %s, got %q", id, conv.ID))
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

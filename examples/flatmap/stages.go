package main

import (
	"context"
	"database/sql"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
)

// Branch is an item of the job: a list of accounts.
type Branch struct {
	Number int `json:"number"`
}

// Statement is an account's list of transactions, from a line on.
type Statement struct {
	Account string `json:"account"`
	From    int    `json:"from"`
}

// Row is one transaction.
type Row struct {
	Account string `json:"account"`
	Line    int    `json:"line"`
	Date    string `json:"date"`
	Cents   int    `json:"cents"`
	Text    string `json:"text"`
}

// spec is what the consumers have in common. The bank fails often, so each message has many
// retries.
func spec(queue string, concurrency int, tell Teller, h consumer.Handler) consumer.Spec {
	return consumer.Spec{
		Queue: queue, Handler: h, Concurrency: concurrency,
		MaxRetries: 100, Backoff: []time.Duration{250 * time.Millisecond}, Delays: topology.Ladder,
		Use: []consumer.Middleware{tell.took(queue)},
	}
}

// Accounts is the first stage: a branch becomes a message for each of its accounts.
func Accounts(o Options, bank *pipeline.Pipeline, c Client, tell Teller) consumer.Spec {
	return spec(o.AccountsQueue(), 2, tell, pipeline.Stage(bank, o.TransactionsQueue(),
		func(ctx context.Context, in consumer.Message[Branch], emit pipeline.Emit[Statement]) consumer.Result {
			for account, err := range c.Accounts(ctx, in.Payload.Number) {
				if err != nil {
					return use.HTTPResult(err)
				}
				if err := emit(Statement{Account: account, From: 1}); err != nil {
					return consumer.Retry(err)
				}
			}
			return consumer.Ack()
		}))
}

// Transactions is the second stage: a statement becomes a message for each of its rows. After
// -page rows it goes on in a continuation. The number of rows decides that, and not the time, so
// each run of a message ends at the same row.
func Transactions(o Options, bank *pipeline.Pipeline, c Client, tell Teller) consumer.Spec {
	return spec(o.TransactionsQueue(), 4, tell, pipeline.Stage(bank, o.RowsQueue(),
		func(ctx context.Context, in consumer.Message[Statement], emit pipeline.Emit[Row]) consumer.Result {
			rows := 0
			for row, err := range c.Transactions(ctx, in.Payload, o.Page) {
				if err != nil {
					return use.HTTPResult(err)
				}
				if err := emit(row); err != nil {
					return consumer.Retry(err)
				}
				rows++
			}
			if rows == o.Page { // there may be more
				next := Statement{Account: in.Payload.Account, From: in.Payload.From + rows}
				if err := emit.Again(next); err != nil {
					return consumer.Retry(err)
				}
			}
			return consumer.Ack()
		}))
}

// Rows is the sink: a row is written once, however often its message comes.
func Rows(o Options, bank *pipeline.Pipeline, box *outbox.Box, doom *Doom, tell Teller) consumer.Spec {
	save := func(ctx context.Context, tx *sql.Tx, in consumer.Message[Row]) consumer.Result {
		err := insert(ctx, tx, in.Payload)
		doom.Meet()
		return consumer.ResultOf(err)
	}
	return spec(o.RowsQueue(), 16, tell, pipeline.Sink(bank, outbox.Once(box, save)))
}

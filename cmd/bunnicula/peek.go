package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/effective"
)

const (
	peeked   = 10   // messages that peek shows by default
	mostPeek = 1000 // messages; consumers do not get them meanwhile
	// Messages that are taken before the first is shown.
	mostAtOnce = 250
)

func peekCommand(a *app) *cobra.Command {
	var limit, deliveryLimit int
	cmd := &cobra.Command{
		Use:   "peek QUEUE",
		Short: "Show the first messages of any queue, and leave them there",
		Long: `Shows the messages at the head of a queue: how long ago they were published, which
attempt is next, how often the queue had them back, their id, size and body. QUEUE
is the queue's own name: a main queue, a retry queue, or one of somebody else. With
--json each line is a message, as errors ls prints it, with the history of a retried
one and why it failed.

AMQP cannot show a message without delivering it. So peek takes the messages, and
gives them back in their order; consumers do not get them meanwhile. It sees neither
those that consumers have in hand, nor one that is far behind the head. The next
delivery of each message is marked as redelivered.

Before RabbitMQ 4.3 a quorum queue counts that as a delivery. A consumer sets a
message aside that came back twice, and handles it alone; and a queue drops what is
above its delivery limit. So there peek wants to know the limit, by --management-url
or --delivery-limit: 100 is that of a consumer's main queue.`,
		Example: `  bunnicula peek orders
  bunnicula peek orders-retry-10s --limit 100
  bunnicula peek orders --json | jq -r .id`,
		Args: want(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > mostPeek {
				return usage(fmt.Errorf("--limit is %d, want 1 to %d", limit, mostPeek))
			}
			return a.peek(cmd, errorqueue.Config{ErrorQueue: args[0], DeliveryLimit: deliveryLimit, Window: min(limit, mostAtOnce)}, limit)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.IntVar(&limit, "limit", peeked, fmt.Sprintf("how many at most, up to %d", mostPeek))
	flags.IntVar(&deliveryLimit, "delivery-limit", 0, "how often the queue lets a message be given back, by its\nargument and policies")
	return cmd
}

func (a *app) peek(cmd *cobra.Command, cfg errorqueue.Config, limit int) error {
	if cfg.ErrorQueue == "" {
		return usage(errors.New("QUEUE is empty, want the name of a queue"))
	}
	p := a.progress("read")
	p.quiet = true
	err := a.openQueue(cmd, cfg, p, func(ctx context.Context, conn *connection.Connection, q *errorqueue.Queue) error {
		if err := mayLook(ctx, conn, cfg); err != nil {
			return err
		}
		var text bytes.Buffer
		lines := peekLines{columns{out: &text, width: a.width(), heads: []string{">AGE", ">NEXT", ">RETURNED", "ID", ">BYTES", "BODY"}}, time.Now(), a.json}
		var failed error
		for m, err := range q.List(ctx, errorqueue.ListOptions{Limit: limit}) {
			if err == nil {
				err = lines.add(&m)
			}
			failed = err
		}
		lines.flush()
		if _, err := text.WriteTo(a.out); failed == nil {
			failed = err
		}
		return failed
	})
	if errors.Is(err, errorqueue.ErrNoQueue) {
		return fmt.Errorf("there is no queue %q", cfg.ErrorQueue)
	}
	return err
}

// mayLook returns an error if each look counts, and it is not known when the queue drops what was
// given back. Reading would find out then, and cost the first message some more deliveries.
func mayLook(ctx context.Context, conn *connection.Connection, cfg errorqueue.Config) error {
	s, err := conn.Transport().Consuming().Session(ctx)
	if err != nil {
		return err
	}
	if cfg.DeliveryLimit > 0 || !s.Peer().NackCounts() {
		return nil
	}
	if _, err := conn.Transport().Effective(ctx, cfg.ErrorQueue); err == nil {
		return nil
	} else if !errors.Is(err, effective.ErrUnknown) {
		return err
	}
	return usage(fmt.Errorf("RabbitMQ %s counts each look as a delivery, and the queue's delivery limit is not known: "+
		"give --management-url, or --delivery-limit (100 is that of a consumer's main queue; peek --help says what it costs)", s.Peer().Version))
}

// peekLines prints one line for each message.
type peekLines struct {
	columns
	now  time.Time
	json bool
}

func (l *peekLines) add(m *errorqueue.Message) error {
	if l.json {
		text, err := jsonLine(m, true)
		l.out.Write(text)
		return err
	}
	body, _, _ := m.Decoded() // as it came, if it cannot be decoded
	returned := ""
	if m.Deliveries > 0 {
		returned = strconv.Itoa(m.Deliveries)
	}
	l.columns.add(age(l.now, known(m.Timestamp)), strconv.Itoa(max(m.Attempts, 1)), returned, m.ID, strconv.Itoa(m.BodySize), string(body[:min(len(body), maxLine)]))
	return nil
}

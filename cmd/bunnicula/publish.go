package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/publisher"
)

type publishOptions struct {
	exchange    string
	key         string
	headers     []string
	body        string
	contentType string
	messageID   string
	count       int
	due         due
}

func publishCommand(a *app) *cobra.Command {
	var o publishOptions
	cmd := &cobra.Command{
		Use:   "publish QUEUE | --exchange EXCHANGE --key KEY",
		Short: "Publish a message, and wait until the broker has it in a queue",
		Long: `Publishes a message to a queue, or to an exchange with a routing key, and prints its
message id when the broker has confirmed it and put it into a queue. A message that no
queue is bound for is exit code 1.

With --delay or --at it is handled then, and not before. It waits in a retry queue of
its queue, so the consumer of the queue must have Delays: topology.Ladder. A time
without an offset is of the local time zone; one that has passed is refused. When the
message is due is printed on stderr.`,
		Example: `  bunnicula publish orders --body '{"number": 1}'
  bunnicula publish --exchange events --key order.created --body @order.json
  date | bunnicula publish orders --body - --header source=cron --count 10
  bunnicula publish emails --body @mail.json --delay 90s
  bunnicula publish emails --body @mail.json --at "tomorrow 9:00"
  bunnicula publish emails --body @mail.json --at 2026-12-01T09:00:00+01:00`,
		Args: want(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.target(cmd, args); err != nil {
				return usage(err)
			}
			if err := o.due.check(cmd, time.Now()); err != nil {
				return usage(err)
			}
			options, body, err := a.message(cmd, o)
			if err != nil {
				return err
			}
			if err := a.mayChange("publish"); err != nil {
				return err
			}
			return a.connected(cmd.Context(), func(conn *connection.Connection) error {
				return a.publish(cmd.Context(), conn, o, body, options)
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.exchange, "exchange", "", "an exchange, in place of a queue")
	flags.StringVar(&o.key, "key", "", "the routing key for it")
	flags.StringVar(&o.body, "body", "", "the body: TEXT, @FILE, or - for standard input")
	flags.StringArrayVar(&o.headers, "header", nil, "a header, NAME=TEXT; may be given several times")
	flags.StringVar(&o.contentType, "content-type", "", "its content type (default application/json if it is JSON,\ntext/plain if it is text, else application/octet-stream)")
	flags.StringVar(&o.messageID, "message-id", "", "its message id (default a new one)")
	flags.IntVar(&o.count, "count", 1, "publish it this many times")
	o.due.addTo(cmd)
	return cmd
}

// target decides where the message goes.
func (o *publishOptions) target(cmd *cobra.Command, args []string) error {
	exchange, key := cmd.Flags().Changed("exchange"), cmd.Flags().Changed("key")
	switch {
	case len(args) == 1 && (exchange || key):
		return fmt.Errorf("both the queue %q and --exchange or --key are given, want one of them", args[0])
	case len(args) == 1 && args[0] == "":
		return errors.New("the queue is empty, want its name")
	case len(args) == 1:
		o.key = args[0]
	case !exchange:
		return errors.New("where to? Want the name of a queue, or --exchange and --key")
	case !key:
		return fmt.Errorf("--key is missing, want the routing key for exchange %q ('' for none)", o.exchange)
	}
	if o.count < 1 {
		return fmt.Errorf("--count is %d, want 1 or more", o.count)
	}
	if o.count > 1 && o.messageID != "" {
		return fmt.Errorf("--message-id %q is for one message, and --count is %d", o.messageID, o.count)
	}
	return nil
}

func (a *app) message(cmd *cobra.Command, o publishOptions) ([]publisher.Option, []byte, error) {
	if !cmd.Flags().Changed("body") {
		return nil, nil, usage(errors.New("--body is missing, want TEXT, @FILE, or - for standard input"))
	}
	var body []byte
	var err error
	switch file, isFile := strings.CutPrefix(o.body, "@"); {
	case o.body == "-":
		// One byte more than the limit, which a too large body has.
		body, err = io.ReadAll(io.LimitReader(a.in, sending.DefaultMaxBody+1))
	case isFile:
		body, err = os.ReadFile(file)
	default:
		body = []byte(o.body)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("--body: %w", err)
	}
	options := []publisher.Option{publisher.Exchange(o.exchange), publisher.ContentType(contentType(o.contentType, body))}
	if o.messageID != "" {
		options = append(options, publisher.MessageID(o.messageID))
	}
	for _, h := range o.headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return nil, nil, usage(fmt.Errorf("--header is %q, want NAME=TEXT", h))
		}
		options = append(options, publisher.Header(name, value))
	}
	return options, body, nil
}

func contentType(given string, body []byte) string {
	switch {
	case given != "":
		return given
	case json.Valid(body):
		return "application/json"
	case utf8.Valid(body):
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// published is what --json prints for each message.
type published struct {
	MessageID  string `json:"message_id"`
	Exchange   string `json:"exchange"`
	RoutingKey string `json:"routing_key"`
	// When it is due; zero at once. RoutingKey then names the queue that it is for, and not the one
	// in which it waits.
	Due time.Time `json:"due,omitzero"`
}

func (a *app) publish(ctx context.Context, conn *connection.Connection, o publishOptions, body []byte, options []publisher.Option) error {
	if err := a.answers(ctx, conn.Transport().Publishing()); err != nil {
		return err
	}
	pub, err := publisher.New(conn, publisher.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		_ = pub.Stop(stop) // every message is confirmed or reported by now
	}()
	return a.within(ctx, func(ctx context.Context) error {
		at := o.due.from(time.Now())
		if !at.IsZero() {
			options = append(options, publisher.At(at))
		}
		waiting := make(chan publisher.Confirmation, sending.DefaultWindow)
		ended := make(chan error, 1) // how sending ended
		go func() {
			defer close(waiting)
			for range o.count {
				c, err := pub.PublishAsync(ctx, o.key, body, options...)
				if err != nil {
					ended <- err
					return
				}
				waiting <- c
			}
			ended <- nil
		}()
		done, failed := a.printConfirmed(waiting, published{Exchange: o.exchange, RoutingKey: o.key, Due: at.UTC()})
		if err := <-ended; failed == nil {
			failed = err
		}
		if done > 0 && !at.IsZero() && !a.json {
			fmt.Fprintf(a.err, "due %s\n", at.Local().Format(time.RFC3339))
		}
		if failed == nil {
			return nil
		}
		if o.count > 1 {
			failed = fmt.Errorf("%d of %d are in a queue: %w", done, o.count, failed)
		}
		return a.advised(ctx, conn, failed, o)
	})
}

// printConfirmed prints each message that is in a queue, and counts them. It returns the first
// error. It reads waiting to its end, so that the sender is not blocked.
func (a *app) printConfirmed(waiting <-chan publisher.Confirmation, p published) (done int, failed error) {
	for c := range waiting {
		<-c.Done()
		switch p.MessageID = c.MessageID(); {
		case c.Err() == nil:
			done++
			if err := a.printPublished(p); err != nil && failed == nil {
				failed = err
			}
		case failed == nil:
			failed = fmt.Errorf("message %s: %w", c.MessageID(), c.Err())
		}
	}
	return done, failed
}

func (a *app) printPublished(p published) error {
	if a.json {
		return a.printJSON(p, true)
	}
	_, err := fmt.Fprintln(a.out, p.MessageID)
	return err
}

// advised adds a hint to the error of a message that was not confirmed.
func (a *app) advised(ctx context.Context, conn *connection.Connection, err error, o publishOptions) error {
	switch {
	case errors.Is(err, publisher.ErrUnroutable) && o.exchange != "":
		return fmt.Errorf("%w; bind a queue to exchange %q with a key that matches %q", err, o.exchange, o.key)
	case errors.Is(err, publisher.ErrUnroutable) && o.due.isZero():
		return fmt.Errorf("%w; there is no queue %q: start its consumer, or declare it with topology apply", err, o.key)
	case errors.Is(err, publisher.ErrUnroutable):
		return fmt.Errorf("%w; %s", err, whyNoRung(ctx, inspect.New(conn.Transport().Consuming()), o.key))
	case errors.Is(err, publisher.ErrUnconfirmed):
		return fmt.Errorf("%w; publish it again with --message-id if it must not be missing", err)
	}
	return err
}

// whyNoRung says what else is known of a queue that takes no delay.
func whyNoRung(ctx context.Context, b *inspect.Broker, queue string) string {
	switch there, err := exists(ctx, b, queue); {
	case err == nil && there:
		return fmt.Sprintf("the queue is there without that retry queue: bunnicula status %s --delays ladder shows those that it has", queue)
	case err == nil:
		return fmt.Sprintf("there is no queue %q either: start its consumer, or declare both with topology apply", queue)
	default:
		return fmt.Sprintf("whether queue %q is there cannot be told: %v", queue, err)
	}
}

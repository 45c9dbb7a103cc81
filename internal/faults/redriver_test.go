package faults_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// redriveConfig makes a worker process move what is parked back to its queue, until SIGTERM.
type redriveConfig struct {
	From, To string
	Window   int // messages in hand at once
}

// redrive is the main function of such a process.
func (w *worker) redrive() int {
	terminated, ignore := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer ignore()
	conn, err := connection.New(connection.Config(w.config.Connection.plainConfig), slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err == nil {
		err = moveBack(terminated, conn, *w.config.Redrive)
		stop, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = conn.Stop(stop) // all that it has moved is acked, or will be moved again
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "redrive:", err)
		return exitStop
	}
	return 0
}

// moveBack publishes each parked message to its queue again, as if nobody had tried it, and acks it when that is
// confirmed. Whatever ends it in between, the message is in one of the two queues, or in both.
func moveBack(ctx context.Context, conn *connection.Connection, c redriveConfig) error {
	sender, err := publisher.NewSender(conn, c.Window, nil)
	if err != nil {
		return err
	}
	defer func() { _ = sender.Stop(context.Background()) }() // nothing is in flight
	session, err := conn.Consuming().Session(ctx)
	if err != nil {
		return err
	}
	ch, err := session.Channel(ctx)
	if err != nil {
		return err
	}
	if err := ch.Qos(c.Window, 0, false); err != nil {
		return err
	}
	const tag = "redrive"
	parked, err := ch.Consume(c.From, tag, false, false, false, false, nil)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = ch.Cancel(tag, false) })() // then parked is closed, behind what has come
	var moving sync.WaitGroup                                            // at most a window of them
	defer moving.Wait()
	for d := range parked {
		moving.Go(func() {
			sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := sender.Send(sending, afresh(d, c.To)); err != nil {
				slog.Warn("not moved", "err", err)
				return // it is parked still
			}
			_ = d.Ack(false) // if that fails it is there twice
		})
	}
	return session.Err()
}

// afresh is a parked message as it was first published.
func afresh(d amqp.Delivery, to string) publisher.Envelope {
	headers := maps.Clone(d.Headers)
	maps.DeleteFunc(headers, func(name string, _ any) bool {
		return wire.IsOurs(name) || wire.IsBrokers(name) || wire.IsRouting(name)
	})
	return publisher.Envelope{RoutingKey: to, Publishing: amqp.Publishing{
		Headers: headers, Body: d.Body, DeliveryMode: amqp.Persistent,
		ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, Priority: d.Priority,
		CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, AppId: d.AppId,
	}}
}

// Command worker is a process of a rolling upgrade. It is compiled against two versions, and uses
// what both export.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"sync"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/upgrade/order"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func main() {
	w := &worker{version: os.Getenv("UPGRADE_VERSION"), log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if err := w.run(os.Getenv("AMQP_URL"), os.Getenv("UPGRADE_BASE"), os.Getenv("UPGRADE_JOURNAL")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type worker struct {
	version string
	log     *slog.Logger
	pub     *publisher.Client
	journal *os.File // each entry is one write at its end: what is written survives the process
	snoozed sync.Map // message ids
}

func (w *worker) run(url, base, journal string) (err error) {
	terminated, ignore := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer ignore()
	if w.journal, err = os.OpenFile(journal, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
		return err
	}
	conn, err := connection.New(connection.Config{URL: url, Name: "worker-" + w.version}, w.log)
	if err != nil {
		return err
	}
	if w.pub, err = publisher.New(conn, publisher.Config{}, w.log); err != nil {
		return err
	}
	var consumers []*consumer.Consumer
	for _, spec := range order.Specs(base) {
		spec.Handler = consumer.JSON(w.handle)
		c, err := consumer.New(conn, spec, nil, w.log)
		if err != nil {
			return err
		}
		consumers = append(consumers, c)
	}
	group, err := consumer.NewGroup(consumers...)
	if err != nil {
		return err
	}
	start, cancel := context.WithTimeout(terminated, 30*time.Second)
	defer cancel()
	if err := group.Start(start); err != nil && terminated.Err() == nil {
		return err
	}
	fmt.Println("ready")
	<-terminated.Done()
	stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(group.Stop(stop), w.pub.Stop(stop), conn.Stop(stop))
}

// handle does what the message says, and keeps the journal.
func (w *worker) handle(ctx context.Context, msg consumer.Message[order.Order]) consumer.Result {
	entry := order.Entry{Order: msg.Payload, Version: w.version, Attempt: msg.Attempt, Altered: altered(msg)}
	w.write(entry)
	result := w.do(ctx, msg)
	entry.Said = result.String()
	w.write(entry)
	return result
}

func (w *worker) write(e order.Entry) {
	e.At = time.Now()
	line, err := json.Marshal(e)
	if err == nil {
		_, err = w.journal.Write(append(line, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (w *worker) do(ctx context.Context, msg consumer.Message[order.Order]) consumer.Result {
	switch msg.Payload.Do {
	case order.Retry:
		if msg.Attempt <= 2 {
			return consumer.Retry(errors.New("not yet"))
		}
	case order.Always:
		return consumer.Retry(errors.New("never"))
	case order.Error:
		return consumer.Error(errors.New("cannot work"))
	case order.Snooze:
		if _, again := w.snoozed.LoadOrStore(msg.MessageID, true); !again {
			return consumer.Snooze(300 * time.Millisecond)
		}
	case order.Slow:
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
			return consumer.Retry(ctx.Err())
		}
	case order.Forward:
		if err := w.forward(ctx, msg); err != nil {
			return consumer.Retry(err)
		}
	case order.Kill:
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill()
		}
		select {} // until the signal is there
	}
	return consumer.Ack()
}

func (w *worker) forward(ctx context.Context, msg consumer.Message[order.Order]) error {
	o := order.Order{Lane: msg.Payload.Lane, N: msg.Payload.N + order.Forwarded, Do: order.Ack}
	return w.pub.Publish(ctx, msg.Queue, o, publisher.MessageID(fmt.Sprintf("%s-%d", o.Lane, o.N)), publisher.Headers(order.Headers(o.N)))
}

// altered says what of a message is not as it was published.
func altered(msg consumer.Message[order.Order]) string {
	switch want := fmt.Sprintf("%s-%d", msg.Payload.Lane, msg.Payload.N); {
	case msg.MessageID != want:
		return fmt.Sprintf("its id is %q", msg.MessageID)
	case msg.RoutingKey != msg.Queue || msg.Exchange != "":
		return fmt.Sprintf("it came from exchange %q with key %q", msg.Exchange, msg.RoutingKey)
	case !reflect.DeepEqual(amqp.Table(msg.Headers), order.Headers(msg.Payload.N)):
		return fmt.Sprintf("its headers are %#v", msg.Headers)
	}
	return ""
}

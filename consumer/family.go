package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
)

// ErrOtherPartitions is the error of Start, for errors.Is, if messages wait in the partitions of
// another n: consumed with this n, some would be handled after later ones of their key, and some
// would never be handled.
var ErrOtherPartitions = errors.New("consumer: messages wait in the partitions of another n")

// family is the partitions of one queue in one process. Before the first of them is declared it
// looks which ones the broker has, and then it declares all, once.
type family struct {
	// Immutable.
	queue string
	n     int
	errs  []error // what is wrong with the arguments of Partitioned; nil if nothing is

	turn chan struct{} // a Go channel with one place: who is in it is in ready

	// Who is in turn reads and writes these.
	done    bool      // the partitions are those of this n
	refused error     // what the last look has found
	looked  time.Time // when that was
}

// sameAnswer is how long the error of a look answers the other partitions, which ask for the same.
const sameAnswer = 3 * time.Second

// secondLook is how long after the first one another look must find the same to be believed: a
// process that declares its partitions at the moment has not declared all.
var secondLook = 2 * time.Second

// ready returns nil when the partitions at the broker are those of this n. own is the topology of
// the partition that asks. The error is an ErrOtherPartitions, or what has kept it from looking.
func (f *family) ready(ctx context.Context, link transport.Session, own topology.Topology, log *slog.Logger) error {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	switch {
	case f.done:
		return nil
	case f.refused != nil && time.Since(f.looked) < sameAnswer:
		return f.refused
	}
	err := f.look(ctx, link, own, log)
	f.done = err == nil
	if f.refused = nil; errors.Is(err, ErrOtherPartitions) {
		f.refused, f.looked = err, time.Now()
	}
	return err
}

// look looks at the partitions, and declares them where that is wanted.
func (f *family) look(ctx context.Context, link transport.Session, own topology.Topology, log *slog.Logger) error {
	there, err := f.surely(ctx, link)
	if err == nil && there.refusal(f.n) != nil {
		select {
		case <-time.After(secondLook):
			there, err = f.surely(ctx, link)
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	switch {
	case errors.Is(err, topology.ErrUnchecked):
		log.Info("it is not checked whether the partitions are those of another n", "queue", f.queue, "partitions", f.n, "err", err)
		return nil
	case err != nil:
		return err
	}
	if err := there.refusal(f.n); err != nil {
		return fmt.Errorf("partitions of queue %q: %w", f.queue, err)
	}
	if there.others(f.n) {
		log.Warn("the number of partitions has changed; publishers must use the new one, and queues that are left over can be deleted",
			"queue", f.queue, "partitions", f.n, "before", there.count(), "left_over", there.leftOver(f.n), "with_consumers", there.consumers)
	}
	main := own.Queues[0]
	if main.Existing || there.complete(f.n) {
		return nil
	}
	return f.declare(ctx, link, main)
}

// declare declares the partitions from the last to the first. Whoever sees the first one sees all.
func (f *family) declare(ctx context.Context, link transport.Session, main topology.Queue) error {
	ch, err := link.Channel(ctx)
	if err != nil {
		return err
	}
	for i := f.n - 1; i >= 0 && err == nil; i-- {
		if err = context.Cause(ctx); err != nil {
			break
		}
		q := main
		q.Name = topology.PartitionQueue(f.queue, i)
		err = link.Do(context.Background(), "declare a partition", func() error {
			return topology.Topology{Queues: []topology.Queue{q}}.Declare(ch)
		})
	}
	closeChannel(link, ch)
	return err
}

// silence is how long a look waits for a partition that does not tell the broker what it has.
const silence = 5 * time.Second

// surely surveys until it is known what it has to decide. Who wants the n that is there waits for
// nothing: a queue without a majority tells nobody how many messages it has.
func (f *family) surely(ctx context.Context, link transport.Session) (there found, err error) {
	for end := time.Now().Add(silence); ; {
		there, err = f.survey(ctx, link)
		switch {
		case err != nil, !there.unsure(f.n):
			return there, err
		case time.Now().After(end):
			return there, fmt.Errorf("look for queue %q: %w", there.silent, transport.ErrUncounted)
		case !backoff.Wait(ctx, 20*time.Millisecond):
			return there, context.Cause(ctx)
		}
	}
}

// survey looks at the partitions from the first to the first that is not there, and at the last of
// this n, which is the first that a process declares.
func (f *family) survey(ctx context.Context, link transport.Session) (found, error) {
	var there found
	ch, err := link.Channel(ctx)
	if err != nil {
		return there, err
	}
	for i := range topology.MaxPartitions {
		var q counted
		var ok bool
		if q, ok, err = f.at(ctx, link, ch, i); err != nil || !ok {
			break
		}
		if !q.sure {
			there.silent = q.Name
		}
		there.waiting = append(there.waiting, q.Messages)
		if i >= f.n && q.Consumers > 0 {
			there.consumers++
		}
	}
	closeChannel(link, ch)
	if err != nil || there.count() == 0 || there.count() >= f.n {
		return there, err
	}
	if ch, err = link.Channel(ctx); err != nil { // a queue that is not there has closed the other one
		return there, err
	}
	_, there.last, err = f.at(ctx, link, ch, f.n-1)
	closeChannel(link, ch)
	return there, err
}

// counted is a queue with the broker's count of its messages, and whether that is sure.
type counted struct {
	amqp.Queue

	sure bool
}

// at looks at one partition. The channel is closed if it is not there.
func (f *family) at(ctx context.Context, link transport.Session, ch transport.Channel, i int) (counted, bool, error) {
	if ctx.Err() != nil {
		return counted{}, false, context.Cause(ctx)
	}
	name := topology.PartitionQueue(f.queue, i)
	got := make(chan counted, 1)
	err := link.Do(context.Background(), "look for a partition", func() error {
		q, sure, err := transport.LookOnce(ch, name)
		got <- counted{q, sure}
		return err
	})
	var refused *amqp.Error
	switch {
	case err == nil:
		return <-got, true, nil
	case errors.As(err, &refused) && refused.Code == amqp.NotFound:
		return counted{}, false, nil
	case errors.As(err, &refused) && refused.Code == amqp.AccessRefused:
		return counted{}, false, fmt.Errorf("%w for queue %q: %w", topology.ErrUnchecked, name, err)
	}
	return counted{}, false, fmt.Errorf("look for queue %q: %w", name, err)
}

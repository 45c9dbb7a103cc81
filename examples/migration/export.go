package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/bunnicula-go/bunnicula/publisher"
)

// batch is how many records are published before the position is written. Of a killed export so
// many are published twice.
const batch = 50

// export publishes the records behind the position. When ctx ends it leaves the batch in hand: the
// next export publishes it again, with the same ids.
func export(ctx context.Context, o Options, pub publisher.Publisher, out io.Writer) error {
	at, err := readPosition(positionFile(o))
	if err != nil {
		return err
	}
	if at.Records > 0 {
		_, _ = fmt.Fprintf(out, "goes on behind %d records\n", at.Records)
	}
	old, err := openOld(o.Source, at.Bytes)
	if err != nil {
		return err
	}
	defer old.Close()
	told := time.Now()
	for {
		some, end, err := old.Next(batch)
		if err != nil {
			return fmt.Errorf("%s behind record %d: %w", o.Source, at.Records, err)
		}
		if len(some) == 0 {
			_, _ = fmt.Fprintf(out, "published %d records, all there are\n", at.Records)
			return nil
		}
		if err := publish(ctx, o, pub, some); err != nil {
			return err
		}
		at = Position{at.Records + len(some), end}
		if err := at.write(positionFile(o)); err != nil {
			return err
		}
		if time.Since(told) >= time.Second {
			told = time.Now()
			_, _ = fmt.Fprintf(out, "published %d records\n", at.Records)
		}
	}
}

// publish returns nil when all records are confirmed, and as much time is over as Rate wants.
func publish(ctx context.Context, o Options, pub publisher.Publisher, some []Customer) error {
	pause := time.NewTimer(time.Second * time.Duration(len(some)) / time.Duration(o.Rate))
	defer pause.Stop()
	all := make([]publisher.Message, len(some))
	for i, c := range some {
		all[i] = publisher.Message{RoutingKey: o.Queue, Payload: c, Options: []publisher.Option{publisher.MessageID(c.MessageID())}}
	}
	if err := pub.PublishBatch(ctx, all...); err != nil {
		return err
	}
	select {
	case <-pause.C:
	case <-ctx.Done(): // after the position was written
	}
	return nil
}

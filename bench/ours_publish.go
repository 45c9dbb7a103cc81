package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// quiet returns a log at level info, as in production, that discards its lines.
func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// goodbye bounds a Stop.
func goodbye() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 20*time.Second)
}

// connected calls f with a Connection of this library, and stops the Connection.
func (r *run) connected(f func(*connection.Connection) error) error {
	conn, err := connection.New(connection.Config{URL: r.URL, Name: "bench"}, quiet())
	if err != nil {
		return err
	}
	err = f(conn)
	ctx, cancel := goodbye()
	defer cancel()
	return errors.Join(err, conn.Stop(ctx))
}

// publishing calls f with a started Client of this library, and stops the Client.
func (r *run) publishing(ctx context.Context, f func(*publisher.Client) error) error {
	return r.connected(func(conn *connection.Connection) error {
		pub, err := publisher.New(conn, publisher.Config{}, quiet())
		if err != nil {
			return err
		}
		if err := pub.Start(ctx); err != nil {
			return err
		}
		err = f(pub)
		stopping, cancel := goodbye()
		defer cancel()
		return errors.Join(err, pub.Stop(stopping))
	})
}

// publishOurs publishes one message at a time in each of so many goroutines.
func publishOurs(callers int) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		return r.publishing(ctx, func(pub *publisher.Client) error {
			return r.Share(callers, func() error { return pub.Publish(ctx, r.Queue, r.Body) })
		})
	}
}

// publishAsyncOurs has one goroutine that publishes, and one that waits for the confirmations.
func publishAsyncOurs(options ...publisher.Option) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		return r.publishing(ctx, func(pub *publisher.Client) error {
			sent := make(chan publisher.Confirmation, sending.DefaultWindow)
			waited := make(chan error, 1)
			go func() { waited <- r.confirmations(sent) }()
			var err error
			for range r.Meter.All() {
				var c publisher.Confirmation
				if c, err = pub.PublishAsync(ctx, r.Queue, r.Body, options...); err != nil {
					break
				}
				sent <- c
			}
			close(sent)
			return errors.Join(err, <-waited)
		})
	}
}

// confirmations receives all confirmations, even after an error.
func (r *run) confirmations(sent <-chan publisher.Confirmation) (err error) {
	for c := range sent {
		<-c.Done()
		if err == nil {
			err = c.Err()
		}
		r.Meter.Tick()
	}
	return err
}

// publishBatchOurs publishes batches of this size.
func publishBatchOurs(size int64) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		return r.publishing(ctx, func(pub *publisher.Client) error {
			for left := r.Meter.All(); left > 0; {
				batch := make([]publisher.Message, min(size, left))
				for i := range batch {
					batch[i] = publisher.Message{RoutingKey: r.Queue, Payload: r.Body}
				}
				if err := pub.PublishBatch(ctx, batch...); err != nil {
					return err
				}
				for range batch {
					r.Meter.Tick()
				}
				left -= int64(len(batch))
			}
			return nil
		})
	}
}

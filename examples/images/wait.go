package main

import (
	"context"
	"time"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
)

// enough is how long nothing may change until a run gives up. A picture that kills its workers has
// the longest pause: its hearing of 10 s.
const enough = 30 * time.Second

// settle waits until each request has its result or is parked, and stops the workers. A request may
// be in the hands of a worker that nobody sees, so only when all have stopped it is known that the
// queues are empty; if they are not, the workers go on. It gives up when nothing changes any more.
// Then the account says what is missing.
func settle(ctx context.Context, broker Broker, fleet *Fleet, results Results, tally *Tally) error {
	for {
		gaveUp, err := finished(ctx, broker, fleet, results, tally)
		if err != nil || gaveUp {
			return err
		}
		fleet.Stop()
		var s drill.State
		err = drill.Every(ctx, func() (bool, error) { // the connections of dead workers may linger
			s, err = broker.Look(ctx)
			return s.Consumers == 0, err
		})
		if err != nil || s.Waiting == 0 {
			return err
		}
		fleet.Start()
	}
}

// finished waits until the queues look empty and no request is open.
func finished(ctx context.Context, broker Broker, fleet *Fleet, results Results, tally *Tally) (gaveUp bool, err error) {
	still := drill.Stillness{}
	err = drill.Every(ctx, func() (bool, error) {
		select {
		case err := <-fleet.Failed():
			return false, err
		default:
		}
		s, err := broker.Look(ctx)
		if err != nil {
			return false, err
		}
		counts := tally.Counts()
		open := 0
		for id := range counts.Published {
			if !results.Has(id) {
				open++
			}
		}
		gaveUp = still.Since(counts.String()) > enough
		return gaveUp || s.Waiting == 0 && open <= s.Parked, nil
	})
	return gaveUp, err
}

// noticed waits until the requester has taken all notices. If it does not, the account says so.
func noticed(ctx context.Context, o Options, broker Broker) error {
	until := time.Now().Add(patience)
	return drill.Every(ctx, func() (bool, error) {
		q, err := broker.Count(ctx, o.NoticeQueue())
		return q.Messages == 0 || time.Now().After(until), err
	})
}

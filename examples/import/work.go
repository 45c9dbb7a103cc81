package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/topology"
)

// prepare finds out what earlier starts have done.
func prepare(ctx context.Context, o Options, broker Broker, tally *Tally) (*Ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := broker.Lock(ctx, o.Prefix+"-lock"); err != nil {
		return nil, err
	}
	if o.Fresh {
		if err := broker.Delete(ctx, o.Queues()...); err != nil {
			return nil, err
		}
		if err := os.Remove(o.State); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	ledger, err := OpenLedger(o.State, o.Source())
	if err != nil {
		return nil, err
	}
	if ledger.New {
		// Messages that the ledger does not know may be somebody else's.
		n, err := broker.Waiting(ctx, o.Queues()...)
		if err == nil && n > 0 {
			err = fmt.Errorf("the queues %s-* hold %d messages of another import: -fresh deletes them, -queue-prefix uses others", o.Prefix, n)
		}
		if err != nil {
			return nil, errors.Join(err, ledger.Remove())
		}
	}
	parked, err := broker.Parked(ctx, topology.ErrorQueue(o.ConversationQueue()))
	if err != nil {
		return nil, errors.Join(err, ledger.Close())
	}
	tally.GoOn(ledger.Books(), parked)
	return ledger, nil
}

// work runs the app until all jobs are settled, or ctx ends.
func work(ctx context.Context, o Options, app *fx.App, broker Broker, tally *Tally) error {
	starting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := app.Start(starting); err != nil {
		return stoppedOr(ctx, err)
	}
	waited := wait(ctx, o, broker, tally)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return errors.Join(waited, app.Stop(stopping))
}

// wait waits until all jobs are settled. It gives up when the queues are empty and nothing was
// settled for a while. Then messages are missing, and the account will say which.
func wait(ctx context.Context, o Options, broker Broker, tally *Tally) error {
	moves, since := tally.Moves(), time.Now()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return errStopped
		case <-tally.Done():
			return tally.Err()
		case <-look.C:
			now := tally.Moves()
			if n, err := broker.Waiting(ctx, o.workQueues()...); err != nil || n > 0 || now != moves {
				moves, since = now, time.Now()
			}
			if time.Since(since) > 5*time.Second+2*o.Timeout {
				return nil
			}
		}
	}
}

func stoppedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.Join(errStopped, err)
	}
	return err
}

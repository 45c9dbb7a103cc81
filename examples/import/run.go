package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/examples/import/api"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitStopped = 130 // as a shell says it of ^C
)

// patience bounds what should take no time: to connect, and to stop.
const patience = 15 * time.Second

var (
	errStopped = errors.New("stopped")
	errMissing = errors.New("not every conversation is accounted for")
)

// run is main, for tests too.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		fmt.Fprintf(stderr, "import: %v (-h shows all flags)\n", err)
		return exitUsage
	}
	err = importAll(ctx, o, stdout, stderr)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errStopped):
		fmt.Fprintf(stderr, "stopped; the same command goes on from here (-fresh begins anew)\n")
		return exitStopped
	}
	fmt.Fprintf(stderr, "import: %v\n", err)
	return exitFailed
}

// importAll is one import, or the rest of one, from start to summary.
func importAll(ctx context.Context, o Options, stdout, stderr io.Writer) error {
	began := time.Now()
	cfg, err := config(o)
	if err != nil {
		return err
	}
	server, client, err := serve(o)
	if err != nil {
		return err
	}
	defer server.Close()
	tally := NewTally(o.ConversationQueue())
	screen := newScreen(stderr, tally)
	defer screen.Close()
	log := slog.New(slog.NewTextHandler(screen, &slog.HandlerOptions{Level: slog.LevelWarn}))
	broker, err := NewBroker(cfg, log)
	if err != nil {
		return err
	}
	defer broker.Close(context.WithoutCancel(ctx))

	ledger, err := prepare(ctx, o, broker, tally)
	if err != nil {
		return stoppedOr(ctx, err)
	}
	defer ledger.Close()
	worked := work(ctx, o, app(o, cfg, client, ledger, tally, log), broker, tally)
	screen.Close()
	if errors.Is(worked, errStopped) {
		return worked
	}

	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	parked, err := broker.Parked(ending, topology.ErrorQueue(o.ConversationQueue()))
	if err != nil {
		return errors.Join(worked, err)
	}
	report := Report{Account: account(ledger.Books(), parked), Counts: tally.Counts(), Parked: parked, Elapsed: time.Since(began)}
	report.Print(stdout)
	switch {
	case worked != nil:
		return worked
	case !report.Account.OK():
		return errMissing
	case o.Keep:
		fmt.Fprintf(stderr, "kept: the queues %s-*, and what was imported in %s\n", o.Prefix, o.State)
		return nil
	}
	return errors.Join(broker.Delete(ending, o.Queues()...), ledger.Remove())
}

// prepare finds out what an earlier start has done.
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
		// Messages of which the ledger knows nothing may be somebody's.
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

// work runs the app until all is settled, or ctx ends.
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

// wait waits until all is settled. It gives up when nothing has moved for long and nothing waits in
// the queues: then messages are missing, and the account will say which.
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

// config is where the broker is.
func config(o Options) (connection.Config, error) {
	cfg, err := connection.ConfigFromEnv()
	if o.URL != "" {
		cfg, err = connection.Config{URL: o.URL}, nil
	}
	cfg.Name = "import"
	return cfg, err
}

// serve starts the API, and makes a Client of it.
func serve(o Options) (*http.Server, Client, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, Client{}, err
	}
	server := &http.Server{
		ReadHeaderTimeout: patience,
		Handler: api.NewServer(api.Config{
			Conversations: messages()[:o.Conversations], Rate: o.Rate, FailureRate: o.FailureRate, Seed: o.Seed,
		}),
	}
	go func() { _ = server.Serve(listener) }() // ends at server.Close
	transport := &http.Transport{MaxIdleConnsPerHost: o.Concurrency + 1}
	client := Client{URL: "http://" + listener.Addr().String(), HTTP: &http.Client{Transport: transport}, Timeout: o.Timeout}
	server.RegisterOnShutdown(transport.CloseIdleConnections)
	return server, client, nil
}

func stoppedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.Join(errStopped, err)
	}
	return err
}

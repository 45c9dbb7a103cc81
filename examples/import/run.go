package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitStopped = 130 // what a shell reports after ^C
)

// patience limits connecting and stopping, each of which should take a moment.
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

// importAll runs one import, or the rest of an interrupted one, from start to summary.
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
	tally := NewTally(o)
	screen := newScreen(stderr, tally, o.Accounts())
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
	report := newReport(o, ledger.Books(), parked, tally, server.API, began)
	report.Print(stdout)
	switch {
	case worked != nil:
		return worked
	case !report.Audit.OK():
		return errMissing
	case o.Keep:
		fmt.Fprintf(stderr, "kept: the queues %s-*, and what was imported in %s\n", o.Prefix, o.State)
		return nil
	}
	return errors.Join(broker.Delete(ending, o.Queues()...), ledger.Remove())
}

// config says where the broker is.
func config(o Options) (connection.Config, error) {
	cfg, err := connection.ConfigFromEnv()
	if o.URL != "" {
		cfg, err = connection.Config{URL: o.URL}, nil
	}
	cfg.Name = "import"
	return cfg, err
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitStopped = 130 // what a shell reports after ^C
)

var errIncomplete = errors.New("not every record is accounted for")

// run is main, for tests too.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		_, _ = fmt.Fprintf(stderr, "migration: %v (-h shows all flags)\n", err)
		return exitUsage
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	switch o.Command {
	case exporting:
		err = runExport(ctx, o, stdout, log)
	case importing:
		err = runImport(ctx, o, stdout, log)
	case accounting:
		err = runAccount(ctx, o, stdout, log)
	case forgetting:
		err = runForget(ctx, o, log)
	}
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		_, _ = fmt.Fprintln(stderr, "stopped; the same command goes on from here")
		return exitStopped
	}
	_, _ = fmt.Fprintf(stderr, "migration: %v\n", err)
	return exitFailed
}

// connected lends f a connection.
func connected(ctx context.Context, o Options, log *slog.Logger, f func(*connection.Connection) error) (err error) {
	cfg, err := config(o)
	if err != nil {
		return err
	}
	conn, err := connection.New(cfg, log)
	if err != nil {
		return err
	}
	defer stop(ctx, &err, conn.Stop)
	return f(conn)
}

// stop gives a part some time of its own, because ctx may have ended.
func stop(ctx context.Context, err *error, f func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	*err = errors.Join(*err, f(ctx))
}

func runExport(ctx context.Context, o Options, stdout io.Writer, log *slog.Logger) error {
	if err := makeOld(o); err != nil {
		return err
	}
	return connected(ctx, o, log, func(conn *connection.Connection) (err error) {
		if err := declare(ctx, conn, o); err != nil {
			return err
		}
		// A broker that is away for an hour only makes it wait.
		pub, err := publisher.New(conn, publisher.Config{Timeout: publisher.NoTimeout}, log)
		if err != nil {
			return err
		}
		defer stop(ctx, &err, pub.Stop)
		return export(ctx, o, pub, stdout)
	})
}

// runImport imports until ctx ends, which is how it ends.
func runImport(ctx context.Context, o Options, stdout io.Writer, log *slog.Logger) (err error) {
	cfg, err := config(o)
	if err != nil {
		return err
	}
	tally := &Tally{}
	app := fx.New(importer(o, cfg, tally, log))
	starting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := app.Start(starting); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(stdout, "imports %s into %s\n", o.Queue, o.Store)
	var telling sync.WaitGroup
	telling.Go(func() { tally.tell(ctx, stdout) })
	telling.Wait()
	stop(ctx, &err, app.Stop)
	_, _ = fmt.Fprintln(stdout, tally)
	return err
}

func runAccount(ctx context.Context, o Options, stdout io.Writer, log *slog.Logger) error {
	f, err := gather(ctx, o, log)
	if err != nil {
		return err
	}
	a := account(f)
	a.print(stdout, f)
	if !a.Complete() {
		return errIncomplete
	}
	return nil
}

// gather reads in the direction in which messages go, so that one that moves meanwhile is seen
// twice and not never.
func gather(ctx context.Context, o Options, log *slog.Logger) (f Facts, err error) {
	if f.Position, err = readPosition(positionFile(o)); err != nil {
		return f, err
	}
	if f.Old, err = readOld(o.Source); err != nil {
		return f, err
	}
	err = connected(ctx, o, log, func(conn *connection.Connection) (err error) {
		if f.Transit, err = lookAtQueues(ctx, conn, o); err != nil {
			return err
		}
		f.Parked, err = parked(ctx, conn, o)
		return err
	})
	if err == nil {
		f.Imported, err = imported(ctx, o)
	}
	return f, err
}

func runForget(ctx context.Context, o Options, log *slog.Logger) error {
	err := connected(ctx, o, log, func(conn *connection.Connection) error { return deleteQueues(ctx, conn, o) })
	for _, name := range []string{o.Source, positionFile(o), o.Store, o.Store + "-wal", o.Store + "-shm"} {
		if one := os.Remove(name); !errors.Is(one, fs.ErrNotExist) {
			err = errors.Join(err, one)
		}
	}
	return err
}

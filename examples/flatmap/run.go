package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/examples/flatmap/bank"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
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
	errWrong   = errors.New("it is not as in a plain run")
)

// run is main, for tests too.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	works := len(args) > 0 && args[0] == "work"
	if works {
		args = args[1:]
	}
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		_, _ = fmt.Fprintf(stderr, "flatmap: %v (-h shows all flags)\n", err)
		return exitUsage
	}
	if works {
		err = work(ctx, o, stdin, stdout, stderr)
	} else {
		err = demo(ctx, o, stdout, stderr)
	}
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintf(stderr, "flatmap: %v\n", err)
	if errors.Is(err, errStopped) {
		return exitStopped
	}
	return exitFailed
}

// session is what the parts of one run share. It is immutable once the run has begun.
type session struct {
	Options

	job    string
	queues Queues
	server *bank.Bank
	bank   *pipeline.Pipeline
	db     *sql.DB // read only
	want   Wanted
	tally  *Tally
	screen *Screen
}

// demo is one run, from start to account.
func demo(ctx context.Context, o Options, stdout, stderr io.Writer) (err error) {
	cfg, err := config(o)
	if err != nil {
		return err
	}
	s := &session{Options: o, job: uuid.NewString(), tally: NewTally()}
	s.screen = newScreen(stderr, o, s.tally)
	defer s.screen.Close()
	log := logger(o, s.screen)
	if s.queues, err = NewQueues(o, cfg, log); err != nil {
		return err
	}
	ending := context.WithoutCancel(ctx)
	defer s.queues.Close(ending)
	if err := s.prepare(ctx); err != nil {
		return stoppedOr(ctx, err)
	}
	defer func() { _ = s.db.Close() }() // nothing was written with it
	stop, err := s.openBank(cfg, log)
	if err != nil {
		return err
	}
	defer stop(ending)
	if err := s.handle(ctx); err != nil {
		return stoppedOr(ctx, err)
	}
	s.screen.Close()
	return s.conclude(ending, stdout)
}

// prepare makes room for the run and its tables, and has the plain run done.
func (s *session) prepare(ctx context.Context) (err error) {
	if err := s.queues.Reach(ctx); err != nil {
		return err
	}
	if s.Fresh {
		if err := errors.Join(s.queues.Delete(ctx), s.forget(ctx)); err != nil {
			return err
		}
	}
	if err := errors.Join(s.queues.Vacant(ctx), remove(s.plainFile())); err != nil {
		return err
	}
	if s.want, err = plain(ctx, s.Options); err != nil {
		return fmt.Errorf("the plain run: %w", err)
	}
	if s.db, err = open(s.DB); err != nil {
		return err
	}
	box, err := outbox.New(s.db, outbox.SQLite)
	if err == nil {
		err = migrate(ctx, s.db, box)
	}
	if rows, counting := count(ctx, s.db); err == nil && counting == nil && rows > 0 {
		err = fmt.Errorf("%s has %d rows of another run: -fresh deletes the file", s.DB, rows)
	}
	return err
}

// forget deletes what another run has left in the database.
func (s *session) forget(ctx context.Context) error {
	if s.ownFile {
		return remove(s.DB)
	}
	db, err := open(s.DB)
	if err != nil {
		return err
	}
	return errors.Join(drop(ctx, db), db.Close())
}

// openBank has the bank answer, and opens what the job is started and watched with.
func (s *session) openBank(cfg connection.Config, log *slog.Logger) (stop func(context.Context), err error) {
	conn, err := connection.New(cfg, log)
	if err != nil {
		return nil, err
	}
	pub, err := publisher.New(conn, publisher.Config{}, log)
	if err != nil {
		return nil, err
	}
	if s.bank, err = pipeline.New(conn, pub, pipeline.Config{Name: s.Prefix, Logger: log}); err != nil {
		return nil, err
	}
	s.server = bank.New(s.Options.bank(false))
	at, stopServer, err := serve(s.server)
	if err != nil {
		return nil, err
	}
	s.Bank = at
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		stopServer()
		_ = errors.Join(s.bank.Stop(ctx), pub.Stop(ctx), conn.Stop(ctx)) // nothing is in hand
	}, nil
}

// handle has the job started and done. Afterwards nobody works any more.
func (s *session) handle(ctx context.Context) error {
	var kills *Kills
	fleet := NewFleet(s.posts(), s.tally, s.screen, func() { kills.Happened() })
	kills = NewKills(s.victims(fleet), s.Kills, s.Seed, s.want.all(), s.tally, s.screen)
	kills.Start(ctx)
	defer kills.Stop()
	defer fleet.Stop()
	if err := fleet.Start(ctx); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	return s.settle(ctx, fleet)
}

// posts are the workers.
func (s *session) posts() (all []post) {
	env := os.Environ()
	if s.URL != "" {
		env = append(env, "AMQP_URL="+s.URL) // which may have a password
	}
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	for i := range s.Workers {
		all = append(all, post{fmt.Sprint(worker, " ", i+1), func() *exec.Cmd {
			args := []string{
				"work", "-until-eof", "-bank", s.Bank, "-queue-prefix", s.Prefix, "-db", s.DB,
				"-page", fmt.Sprint(s.Page), fmt.Sprintf("-v=%t", s.Verbose),
			}
			cmd := exec.Command(self, args...) //nolint:noctx // Fleet.Stop ends it
			cmd.Env = env
			return cmd
		}})
	}
	return all
}

// victims are what is killed.
func (s *session) victims(fleet *Fleet) (all []Victim) {
	for _, p := range s.posts() {
		all = append(all, Victim{p.name, func(context.Context) (bool, error) { return fleet.Kill(p.name), nil }})
	}
	all = append(all, Victim{transaction, func(context.Context) (bool, error) { return fleet.DoomOne(), nil }},
		Victim{database, func(ctx context.Context) (bool, error) { return true, lock(ctx, s.DB, s.Lock) }})
	if s.KillBroker != "" {
		all = append(all, Victim{broker, func(ctx context.Context) (bool, error) {
			said, err := shell(ctx, s.KillBroker)
			if err != nil {
				err = fmt.Errorf("-kill-broker: %w: %s", err, said)
			}
			return true, err
		}})
	}
	return slices.DeleteFunc(all, func(v Victim) bool {
		kind, _, _ := strings.Cut(v.Name, " ") // "worker 1" is a worker
		return !slices.Contains(s.Options.victims(), kind)
	})
}

// shell runs a command of the user's. A test has its own.
var shell = func(ctx context.Context, command string) ([]byte, error) {
	return exec.CommandContext(ctx, "sh", "-c", command).CombinedOutput() //nolint:gosec // it is the user's own
}

func stoppedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w; -fresh begins anew", errStopped)
	}
	return err
}

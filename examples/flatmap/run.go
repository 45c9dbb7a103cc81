package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/examples/flatmap/bank"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// patience limits connecting and stopping, each of which should take a moment.
const patience = 15 * time.Second

var errWrong = errors.New("it is not as in a plain run")

// run is main, for tests too.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	works := len(args) > 0 && args[0] == "work"
	if works {
		args = args[1:]
	}
	o, err := parse(args, stdout)
	switch {
	case err != nil:
		err = drill.UsageError{Err: err}
	case works:
		err = work(ctx, o, stdin, stdout, stderr)
	default:
		err = demo(ctx, o, stdout, stderr)
	}
	return drill.Exit(stderr, "flatmap", err)
}

// session is what the parts of one run share. It is immutable once the run has begun.
type session struct {
	Options

	job    string
	queues drill.Queues
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
	log := drill.NewLogger(s.screen, o.Verbose)
	if s.queues, err = newQueues(o, cfg, log); err != nil {
		return err
	}
	ending := context.WithoutCancel(ctx)
	defer s.queues.Close(ending)
	if err := s.prepare(ctx); err != nil {
		return drill.StoppedOr(ctx, err)
	}
	defer func() { _ = s.db.Close() }() // nothing was written with it
	stop, err := s.openBank(cfg, log)
	if err != nil {
		return err
	}
	defer stop(ending)
	if err := s.handle(ctx); err != nil {
		return drill.StoppedOr(ctx, err)
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
	var kills *drill.Kills
	fleet := drill.NewFleet(s.posts(), &s.tally.Toll, s.screen, func(event, what string) {
		s.heard(event, what)
		if event == took {
			kills.Happened()
		}
	})
	kills = drill.NewKills(s.victims(fleet), s.Kills, s.Seed, s.want.all(), &s.tally.Toll, s.screen)
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

// heard takes what a process tells.
func (s *session) heard(event, what string) {
	switch event {
	case took:
		s.tally.Took(what)
	case memory:
		if bytes, err := strconv.Atoi(what); err == nil {
			s.tally.Weighed(bytes)
		}
	}
}

// posts are the workers.
func (s *session) posts() (all []drill.Post) {
	var env []string
	if s.URL != "" {
		env = append(env, "AMQP_URL="+s.URL) // which may have a password
	}
	for i := range s.Workers {
		all = append(all, drill.Post{Name: fmt.Sprint(worker, " ", i+1), Command: drill.Self(env,
			"work", "-until-eof", "-bank", s.Bank, "-queue-prefix", s.Prefix, "-db", s.DB,
			"-page", fmt.Sprint(s.Page), fmt.Sprintf("-v=%t", s.Verbose))})
	}
	return all
}

// victims are what is killed.
func (s *session) victims(fleet *drill.Fleet) (all []drill.Victim) {
	for _, p := range s.posts() {
		all = append(all, drill.Victim{Name: p.Name, Kill: func(context.Context) (bool, error) { return fleet.Kill(p.Name), nil }})
	}
	all = append(all, drill.Victim{Name: transaction, Kill: func(context.Context) (bool, error) { return fleet.Doom(die), nil }},
		drill.Victim{Name: database, Kill: func(ctx context.Context) (bool, error) { return true, lock(ctx, s.DB, s.Lock) }})
	if s.KillBroker != "" {
		all = append(all, drill.Broker(s.KillBroker))
	}
	return drill.Only(all, s.Options.victims())
}

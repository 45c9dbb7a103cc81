package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// patience limits connecting and stopping, each of which should take a moment.
const patience = 15 * time.Second

var errMissing = errors.New("not every order is accounted for")

// run is main, for tests too.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	serves := len(args) > 0 && args[0] == "serve"
	if serves {
		args = args[1:]
	}
	o, err := parse(args, stdout)
	switch {
	case err != nil:
		err = drill.UsageError{Err: err}
	case serves:
		err = serve(ctx, o, stdin, stdout, stderr)
	default:
		err = demo(ctx, o, stdout, stderr)
	}
	return drill.Exit(stderr, "outbox", err)
}

// session is what the parts of one run share. All but the door is immutable.
type session struct {
	Options

	queues drill.Queues
	db     *sql.DB
	box    *outbox.Box
	tally  *Tally
	screen *drill.Screen
	door   atomic.Pointer[string] // where the shop listens; what it tells is written here
}

// demo is one run, from start to account.
func demo(ctx context.Context, o Options, stdout, stderr io.Writer) (err error) {
	cfg, err := config(o)
	if err != nil {
		return err
	}
	s := &session{Options: o, tally: NewTally()}
	s.screen = drill.NewScreen(stderr, func() string { return s.tally.Counts().String() })
	defer s.screen.Close()
	s.queues, err = newQueues(o, cfg, drill.NewLogger(s.screen, o.Verbose))
	if err != nil {
		return err
	}
	ending := context.WithoutCancel(ctx)
	defer s.queues.Close(ending)
	if o.Fresh {
		if err := forget(o); err != nil {
			return err
		}
	}
	s.db, err = open(o, sessions+" (review)")
	if err != nil {
		return err
	}
	defer func() { _ = s.db.Close() }() // nothing is written any more
	if err := s.prepare(ctx); err != nil {
		return drill.StoppedOr(ctx, err)
	}
	run := strconv.FormatInt(time.Now().UnixMilli(), 36)
	all := orders(o, run)
	if err := s.handle(ctx, all, run); err != nil {
		return drill.StoppedOr(ctx, err)
	}
	s.screen.Close()
	return s.conclude(ending, all, run, stdout)
}

// prepare makes room for the run, and its tables.
func (s *session) prepare(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	if err := s.queues.Reach(ctx); err != nil {
		return err
	}
	s.box, err = outbox.New(s.db, s.dialect())
	if err != nil {
		return err
	}
	if s.Fresh {
		if err := s.renew(ctx); err != nil {
			return err
		}
	}
	if err := s.queues.Vacant(ctx); err != nil {
		return err
	}
	return migrate(ctx, s.db, s.box)
}

// renew deletes what another run has left: messages that are not published yet, queues and tables.
func (s *session) renew(ctx context.Context) error {
	if err := migrate(ctx, s.db, s.box); err != nil {
		return err
	}
	return errors.Join(cancelAll(ctx, s.db, s.box), s.queues.Delete(ctx), drop(ctx, s.db))
}

// handle has all orders placed and handled. Afterwards nobody works any more.
func (s *session) handle(ctx context.Context, all []Order, run string) error {
	var kills *drill.Kills
	fleet := drill.NewFleet(s.posts(), &s.tally.Toll, s.screen, func(event, what string) {
		s.heard(event, what)
		if event == took {
			kills.Happened()
		}
	})
	kills = drill.NewKills(s.victims(fleet), s.Kills, s.Seed, 2*len(all), &s.tally.Toll, s.screen)
	kills.Start(ctx)
	defer kills.Stop()
	defer fleet.Stop()
	if err := fleet.Start(ctx); err != nil {
		return err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: s.Clients}
	defer transport.CloseIdleConnections()
	client := Client{
		http:    &http.Client{Transport: transport, Timeout: patience},
		address: s.address, tally: s.tally, happened: kills.Happened,
	}
	if err := client.placeAll(ctx, all, s.Clients, s.Rate); err != nil {
		return err
	}
	return s.settle(ctx, fleet, run)
}

// heard takes what a process tells.
func (s *session) heard(event, what string) {
	switch event {
	case listening:
		s.door.Store(&what)
	case took:
		s.tally.Took(what)
	}
}

// address is where orders are taken, "" while it is not known.
func (s *session) address() string {
	if at := s.door.Load(); at != nil {
		return *at
	}
	return ""
}

// posts are the processes of the service, the workers first, so that the queues are there before
// the relay.
func (s *session) posts() (all []drill.Post) {
	env := []string{"OUTBOX_DSN=" + s.DSN} // which may have a password, as may the URL
	if s.URL != "" {
		env = append(env, "AMQP_URL="+s.URL)
	}
	add := func(name, part string) {
		all = append(all, drill.Post{Name: name, Command: drill.Self(env,
			"serve", "-until-eof", "-parts", part, "-listen", "127.0.0.1:0", "-queue-prefix", s.Prefix,
			"-seed", fmt.Sprint(s.Seed), "-failure-rate", fmt.Sprint(s.FailureRate), fmt.Sprintf("-v=%t", s.Verbose))})
	}
	for i := range s.Workers {
		add(fmt.Sprint(worker, " ", i+1), worker)
	}
	add(relay, relay)
	add(shop, shop)
	return all
}

// victims are what is killed.
func (s *session) victims(fleet *drill.Fleet) (all []drill.Victim) {
	for _, p := range s.posts() {
		all = append(all, drill.Victim{Name: p.Name, Kill: func(context.Context) (bool, error) {
			did := fleet.Kill(p.Name)
			if did && p.Name == relay && !s.postgres() {
				_, _ = fmt.Fprintln(s.screen, "the relay was killed: in SQLite the next one waits for up to 20 s, until its lease has ended")
			}
			return did, nil
		}})
	}
	if s.postgres() {
		all = append(all, drill.Victim{Name: "database", Kill: func(ctx context.Context) (bool, error) { return true, endSessions(ctx, s.db) }})
	}
	if s.KillBroker != "" {
		all = append(all, drill.Broker(s.KillBroker))
	}
	return drill.Only(all, s.Options.victims())
}

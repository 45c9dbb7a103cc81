package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/outbox"
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
	errMissing = errors.New("not every order is accounted for")
)

// run is main, for tests too.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	serves := len(args) > 0 && args[0] == "serve"
	if serves {
		args = args[1:]
	}
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		_, _ = fmt.Fprintf(stderr, "outbox: %v (-h shows all flags)\n", err)
		return exitUsage
	}
	if serves {
		err = serve(ctx, o, stdin, stdout, stderr)
	} else {
		err = demo(ctx, o, stdout, stderr)
	}
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintf(stderr, "outbox: %v\n", err)
	if errors.Is(err, errStopped) {
		return exitStopped
	}
	return exitFailed
}

// session is what the parts of one run share. It is immutable.
type session struct {
	Options

	queues Queues
	db     *sql.DB
	box    *outbox.Box
	tally  *Tally
	screen *Screen
}

// demo is one run, from start to account.
func demo(ctx context.Context, o Options, stdout, stderr io.Writer) (err error) {
	cfg, err := config(o)
	if err != nil {
		return err
	}
	s := &session{Options: o, tally: NewTally()}
	s.screen = newScreen(stderr, func() string { return s.tally.Counts().String() })
	defer s.screen.Close()
	s.queues, err = NewQueues(o, cfg, logger(o, s.screen))
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
		return stoppedOr(ctx, err)
	}
	run := strconv.FormatInt(time.Now().UnixMilli(), 36)
	all := orders(o, run)
	if err := s.handle(ctx, all, run); err != nil {
		return stoppedOr(ctx, err)
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
	var kills *Kills
	fleet := NewFleet(s.posts(), s.tally, s.screen, func() { kills.Happened() })
	kills = NewKills(s.victims(fleet), s.Kills, s.Seed, 2*len(all), s.tally, s.screen)
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
		address: fleet.Address, tally: s.tally, happened: kills.Happened,
	}
	if err := client.placeAll(ctx, all, s.Clients, s.Rate); err != nil {
		return err
	}
	return s.settle(ctx, fleet, run)
}

// posts are the processes of the service.
func (s *session) posts() (all []post) {
	env := append(os.Environ(), "OUTBOX_DSN="+s.DSN) // which may have a password, as may the URL
	if s.URL != "" {
		env = append(env, "AMQP_URL="+s.URL)
	}
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	add := func(name, part string) {
		all = append(all, post{name, func() *exec.Cmd {
			args := []string{
				"serve", "-until-eof", "-parts", part, "-listen", "127.0.0.1:0", "-queue-prefix", s.Prefix,
				"-seed", fmt.Sprint(s.Seed), "-failure-rate", fmt.Sprint(s.FailureRate), fmt.Sprintf("-v=%t", s.Verbose),
			}
			cmd := exec.Command(self, args...) //nolint:noctx // Fleet.Stop ends it
			cmd.Env = env
			return cmd
		}})
	}
	for i := range s.Workers {
		add(fmt.Sprint(worker, " ", i+1), worker)
	}
	add(relay, relay)
	add(shop, shop)
	return all
}

// victims are what is killed.
func (s *session) victims(fleet *Fleet) (all []Victim) {
	for _, p := range s.posts() {
		all = append(all, Victim{p.name, func(context.Context) (bool, error) {
			did := fleet.Kill(p.name)
			if did && p.name == relay && !s.postgres() {
				_, _ = fmt.Fprintln(s.screen, "the relay was killed: in SQLite the next one waits for up to 20 s, until its lease has ended")
			}
			return did, nil
		}})
	}
	if s.postgres() {
		all = append(all, Victim{"database", func(ctx context.Context) (bool, error) { return true, endSessions(ctx, s.db) }})
	}
	if s.KillBroker != "" {
		all = append(all, Victim{"broker", func(ctx context.Context) (bool, error) {
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

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// exitCrashed is the exit code of a worker that a picture has killed. Others are those of a run.
const exitCrashed = 3

// patience limits connecting and stopping, each of which should take a moment.
const patience = 15 * time.Second

var errMissing = errors.New("not every request is accounted for")

// run is main, for tests too.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	mode := ""
	if len(args) > 0 && (args[0] == "worker" || args[0] == "topology") {
		mode, args = args[0], args[1:]
	}
	o, err := parse(args, stdout)
	switch {
	case err != nil:
		err = drill.UsageError{Err: err}
	case mode == "worker":
		err = work(ctx, o, stdin, stdout, stderr)
	case mode == "topology":
		err = writeTopology(stdout, o)
	default:
		err = images(ctx, o, stdout, stderr)
	}
	return drill.Exit(stderr, "images", err)
}

// images is one run, from start to account. What a run that was stopped has left is deleted by
// the next one with -fresh.
func images(ctx context.Context, o Options, stdout, stderr io.Writer) (err error) {
	cfg, err := config(o)
	if err != nil {
		return err
	}
	s := session{Options: o, cfg: cfg, tally: NewTally()}
	s.screen = drill.NewScreen(stderr, func() string { return s.tally.Counts().String() })
	defer s.screen.Close()
	s.log = drill.NewLogger(s.screen, o.Verbose)
	s.broker, err = NewBroker(o, cfg, s.log)
	if err != nil {
		return err
	}
	ending := context.WithoutCancel(ctx)
	defer s.broker.Close(ending)
	if err := errors.Join(s.broker.Reach(ctx), reachRedis(ctx, o)); err != nil {
		return drill.StoppedOr(ctx, err)
	}
	if err := prepare(ctx, o, s.broker); err != nil {
		return drill.StoppedOr(ctx, err)
	}
	as, err := workerLogin(ctx, o, cfg)
	if as.remove != nil {
		defer func() { err = errors.Join(err, as.remove(ending)) }()
	}
	if err != nil {
		return drill.StoppedOr(ctx, err)
	}
	_, _ = fmt.Fprintf(s.screen, "declared ahead: bunnicula topology apply --file topology.yml\nworkers: %s\nthey connect as %s\n", crew(o), as)
	all := requests(o, strconv.FormatInt(time.Now().UnixMilli(), 36))
	if err := s.handle(ctx, all, as); err != nil {
		return drill.StoppedOr(ctx, err)
	}
	s.screen.Close()
	return conclude(ending, o, s.broker, all, s.tally, stdout)
}

// session is what the parts of one run share. It is immutable.
type session struct {
	Options

	cfg    connection.Config
	broker Broker
	tally  *Tally
	screen *drill.Screen
	log    *slog.Logger
}

// handle has all requests published and handled. Afterwards nobody works any more.
func (s session) handle(ctx context.Context, all []Request, as login) error {
	var pub publisher.Publisher
	app := fx.New(requester(s.Options, s.cfg, s.tally, s.log), fx.Populate(&pub))
	starting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := app.Start(starting); err != nil {
		return err
	}
	fleet := NewFleet(posts(s.Options, as), s.Kills, s.Seed, copies(all), s.tally, s.screen)
	fleet.Start()
	err := publish(ctx, s.Options, pub, all, s.tally)
	if err == nil {
		err = settle(ctx, s.broker, fleet, s.Results(), s.tally)
	}
	fleet.Stop()
	if err == nil {
		err = noticed(ctx, s.Options, s.broker)
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return errors.Join(err, app.Stop(stopping))
}

// prepare makes room for the run and has its queues declared.
func prepare(ctx context.Context, o Options, broker Broker) error {
	ctx, cancel := context.WithTimeout(ctx, 4*patience) // the command may have to be built
	defer cancel()
	if o.Fresh {
		if err := errors.Join(broker.Delete(ctx), os.RemoveAll(string(o.Results())), os.RemoveAll(o.parked())); err != nil {
			return err
		}
	}
	if err := broker.Vacant(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(string(o.Results()), 0o700); err != nil {
		return err
	}
	if ids, err := o.Results().IDs(); err != nil || len(ids) > 0 {
		return errors.Join(err, fmt.Errorf("%s holds %d files: -fresh deletes them, -out uses another folder", o.Results(), len(ids)))
	}
	if o.Applied {
		return nil
	}
	return applyTopology(ctx, o)
}

// posts are the workers, in Go and in Node.
func posts(o Options, as login) (all []post) {
	env := append(os.Environ(), as.environ()...)
	if o.URL != "" {
		env = append(env, "AMQP_URL="+o.URL)
	}
	add := func(language, name string, args ...string) {
		all = append(all, post{language, func() *exec.Cmd {
			cmd := exec.Command(name, args...) //nolint:noctx // Fleet.Stop ends it
			cmd.Env = env
			return cmd
		}})
	}
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	for range o.Workers {
		add("Go", self, append([]string{"worker", "-until-eof"}, o.args...)...)
	}
	if o.Node != "" {
		add("Node", "node", o.Node, o.Queue(), string(o.Results()), "until-eof")
	}
	return all
}

func crew(o Options) string {
	if o.Node == "" {
		return fmt.Sprintf("%d in Go, none in Node (-node examples/images/node/worker.js adds one)", o.Workers)
	}
	return fmt.Sprintf("%d in Go, 1 in Node", o.Workers)
}

func copies(all []Request) (n int) {
	for _, r := range all {
		if r.Want != refused {
			n += r.copies()
		}
	}
	return n
}

// Practice is a shop to practise with the console. Its error queues have grown over night, and one
// of its versions has brought a failure. A line on its terminal deploys another version.
//
//	make console
//
// It needs a broker, and its queues begin with "practice-". It deletes them when it starts, so that
// each start is the same exercise.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	o, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	if err := run(ctx, o, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "practice:", err)
		os.Exit(1)
	}
}

type options struct {
	url    string
	listen string
	prefix string
	every  time.Duration
	log    *slog.Logger
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("practice", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&o.url, "url", os.Getenv("AMQP_URL"), "broker (default AMQP_URL, else amqp://guest:guest@localhost:5672/)")
	f.StringVar(&o.listen, "listen", "127.0.0.1:7337", "where the console listens; an address of this machine")
	f.StringVar(&o.prefix, "prefix", "practice-", "what the names of its queues begin with; they are deleted at the start")
	f.DurationVar(&o.every, "every", 400*time.Millisecond, "a message is published so often")
	verbose := f.Bool("log", false, "show the shop's log")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.log = slog.New(slog.DiscardHandler) // failures are what it is for
	if *verbose {
		o.log = slog.New(slog.NewTextHandler(out, nil))
	}
	return o, nil
}

// run begins with the address: a second shop finds it taken, and does nothing to the first one's
// queues.
func run(ctx context.Context, o options, in io.Reader, out io.Writer) (err error) {
	door, err := listen(ctx, o.listen)
	if err != nil {
		return err
	}
	defer stopped(&err, door.close)

	fmt.Fprintln(out, "A shop opens, and last night's failures are parked. That takes some ten seconds.")
	s, err := openShop(o)
	if err != nil {
		return err
	}
	defer stopped(&err, s.close)
	if err := s.night(ctx); err != nil {
		return unless(ctx.Err() != nil, err)
	}
	if err := s.deploy(ctx, "1.42.0"); err != nil {
		return unless(ctx.Err() != nil, err)
	}
	if err := door.serve(s, o); err != nil {
		return err
	}
	fmt.Fprintf(out, story, door.link())
	return s.day(ctx, lines(ctx, in), out, door)
}

const story = `
  %s

That link works once, for 10 minutes. Over night orders, mails and invoices have failed. In the
console: which version brought a failure? Redrive ten as a proof, see how they fare, mend it, go on.

Here a version and Enter deploys it; 1.42.0 runs.
  1.42.1   reads what 1.42.0 cannot
  1.42.2   and what 1.42.1 then finds wrong
  1.41.0   goes back
Enter alone makes another link. Retries take a second: watch a batch for 5s. The mail API refuses in the first minute of every five.
^C ends the shop and the console.
`

// unless takes away an error that ^C has caused.
func unless(interrupted bool, err error) error {
	if interrupted {
		return nil
	}
	return err
}

// stopped gives each part fifteen seconds of its own to stop, because run's context has ended.
func stopped(err *error, stop func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	*err = errors.Join(*err, stop(ctx))
}

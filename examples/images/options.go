package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Options are the flags.
type Options struct {
	N       int
	Workers int
	Node    string
	Kills   int
	Seed    uint64
	Crash   bool

	Redis      string
	URL        string
	WorkerUser string
	Prefix     string
	Out        string
	Fresh      bool
	Applied    bool
	Keep       bool
	Verbose    bool

	UntilEOF bool

	Declare topology.Mode // of both consumers
	args    []string      // the flags, for the workers
}

// Results is the folder of the results.
func (o Options) Results() Results { return Results(filepath.Join(o.Out, "results")) }

// parked is the folder for what is in the error queue.
func (o Options) parked() string { return filepath.Join(o.Out, "parked") }

const usage = `Images turns pictures black and white, by workers that share a queue.

usage: images [flags]            workers, requests, and the account
       images topology [flags]   print what is declared ahead
       images worker [flags]     one worker, until ^C

  images -kills 10 -seed 3       kill workers at ten random moments
  images -n 2000 -workers 4
  images -node examples/images/node/worker.js    one of the workers is in Node
  images -redis localhost:6379   all workers know what was done

It ends with 0 if every request is accounted for, 1 if not, 2 for wrong flags and
130 for Ctrl-C.

`

// parse reads the flags. Its error is printed as it is; flag.ErrHelp means that -h was given.
func parse(args []string, help io.Writer) (Options, error) {
	o := Options{Declare: topology.Never, args: args}
	fs := flag.NewFlagSet("images", flag.ContinueOnError)
	fs.IntVar(&o.N, "n", 120, "how many pictures, besides those that are trouble")
	fs.IntVar(&o.Workers, "workers", 2, "how many workers in Go")
	fs.StringVar(&o.Node, "node", "", "file of the worker in Node, which is started too (its folder needs npm ci)")
	fs.IntVar(&o.Kills, "kills", 0, "how often a worker is killed, at random moments")
	fs.Uint64Var(&o.Seed, "seed", 1, "decides who is trouble, and who is killed when")
	fs.BoolVar(&o.Crash, "crash", true, "one picture kills each worker that decodes it; it takes some 15 s until it is parked, and a minute with -redis")
	fs.StringVar(&o.Redis, "redis", "", "host and port of a Redis for what was done (default each worker's memory)")
	fs.StringVar(&o.URL, "url", "", "broker (default AMQP_URL, else amqp://guest:guest@localhost:5672/)")
	fs.StringVar(&o.WorkerUser, "worker-user", "", "whom the workers connect as, with the password in WORKER_PASSWORD")
	fs.StringVar(&o.Prefix, "queue-prefix", "example-images", "what the names of exchange, queues and user begin with")
	fs.StringVar(&o.Out, "out", "", "folder for the results (default in the temporary directory)")
	fs.BoolVar(&o.Fresh, "fresh", false, "delete the queues and results first, with what an earlier run has left")
	fs.BoolVar(&o.Applied, "applied", false, "what topology prints was applied already, by somebody else")
	fs.BoolVar(&o.Keep, "keep", false, "keep the queues in the end")
	fs.BoolVar(&o.Verbose, "v", false, "show the warnings of the log, too")
	fs.BoolVar(&o.UntilEOF, "until-eof", false, "a worker stops when its standard input ends")
	if err := drill.ParseFlags(fs, args, usage, help); err != nil {
		return o, err
	}
	o.Out = cmp.Or(o.Out, filepath.Join(os.TempDir(), o.Prefix))
	return o, o.check(fs.Args())
}

func (o Options) check(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("%q is not a flag", rest[0])
	}
	if o.Prefix == "" || strings.ContainsAny(o.Prefix, `/\`) {
		return fmt.Errorf("-queue-prefix is %q, want a name without slashes", o.Prefix)
	}
	if o.Fresh && o.Applied {
		return errors.New("-fresh deletes what -applied says is there")
	}
	if o.Node != "" {
		if _, err := os.Stat(o.Node); err != nil {
			return fmt.Errorf("-node: %w", err)
		}
	}
	return cmp.Or(drill.Within("-n", o.N, 1, 1_000_000), drill.Within("-workers", o.Workers, 1, 100), drill.Within("-kills", o.Kills, 0, o.N))
}

// config says where the broker is.
func config(o Options) (connection.Config, error) {
	cfg, err := connection.ConfigFromEnv()
	if o.URL != "" {
		cfg.URL, cfg.URLs = o.URL, nil
	}
	cfg.Name = "images"
	return cfg, err
}

package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
)

// Options are the flags.
type Options struct {
	N           int
	Clients     int
	Rate        int
	Workers     int
	Kills       int
	Victims     string
	Seed        uint64
	FailureRate float64
	KillBroker  string

	DSN     string
	URL     string
	Prefix  string
	Fresh   bool
	Keep    bool
	Verbose bool

	ownFile bool // the database is the example's own file: no DSN was given

	process // of serve
}

// process is what only a process of the service is told.
type process struct {
	Parts    string
	Listen   string
	UntilEOF bool
}

const usage = `Outbox is an order service that has its messages in its database.

usage: outbox [flags]         processes of the service, orders, and the account
       outbox serve [flags]   the service as one process, until ^C

  outbox -kills 10 -seed 3    kill processes at ten random moments
  outbox -n 2000 -workers 4
  outbox -dsn /tmp/shop.db    another file of SQLite
  OUTBOX_DSN=postgres://user:secret@localhost/shop outbox -kills 10
                              PostgreSQL, whose sessions are killed, too
  outbox -kills 10 -kill-broker "docker restart --signal KILL rabbitmq"
                              and the broker

It ends with 0 if every order is accounted for, 1 if not, 2 for wrong flags and
130 for Ctrl-C.

`

// parse reads the flags. Its error is printed as it is; flag.ErrHelp means that -h was given.
func parse(args []string, help io.Writer) (Options, error) {
	var o Options
	fs := flag.NewFlagSet("outbox", flag.ContinueOnError)
	fs.IntVar(&o.N, "n", 200, "how many orders, of which every tenth is rejected")
	fs.IntVar(&o.Clients, "clients", 4, "how many clients place them at once")
	fs.IntVar(&o.Rate, "rate", 50, "how many orders a second they place at most")
	fs.IntVar(&o.Workers, "workers", 2, "how many processes write invoices and send mails")
	fs.IntVar(&o.Kills, "kills", 0, "how often a process, or what else can be, is killed")
	fs.StringVar(&o.Victims, "victims", "", "what is killed, some of shop,relay,worker,database,broker (default all that there are)")
	fs.Uint64Var(&o.Seed, "seed", 1, "decides who is killed when, and which attempts fail")
	fs.Float64Var(&o.FailureRate, "failure-rate", 0.05, "share of the workers' attempts that fail after their work")
	fs.StringVar(&o.KillBroker, "kill-broker", "", "command that kills the broker and starts it again; it is among what is killed then")
	fs.StringVar(&o.DSN, "dsn", "", "postgres://..., or the file of a SQLite database (default OUTBOX_DSN, else a file in the temporary directory)")
	fs.StringVar(&o.URL, "url", "", "broker (default AMQP_URL, else amqp://guest:guest@localhost:5672/)")
	fs.StringVar(&o.Prefix, "queue-prefix", "example-outbox", "what the names of the queues begin with")
	fs.BoolVar(&o.Fresh, "fresh", false, "delete the queues and the tables first, with what an earlier run has left")
	fs.BoolVar(&o.Keep, "keep", false, "keep the queues and the tables in the end")
	fs.BoolVar(&o.Verbose, "v", false, "show the warnings of the log, too")
	fs.StringVar(&o.Parts, "parts", strings.Join([]string{shop, relay, worker}, ","), "what a process that serves runs")
	fs.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "where a process that serves takes orders")
	fs.BoolVar(&o.UntilEOF, "until-eof", false, "a process that serves stops when its standard input ends")
	if err := drill.ParseFlags(fs, args, usage, help); err != nil {
		return o, err
	}
	o.DSN = cmp.Or(o.DSN, os.Getenv("OUTBOX_DSN"))
	if o.ownFile = o.DSN == ""; o.ownFile {
		o.DSN = filepath.Join(os.TempDir(), o.Prefix+".db")
	}
	return o, o.check(fs.Args())
}

func (o Options) check(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("%q is not a flag", rest[0])
	}
	if o.Prefix == "" || strings.ContainsAny(o.Prefix, `/\`) {
		return fmt.Errorf("-queue-prefix is %q, want a name without slashes", o.Prefix)
	}
	if scheme, _, is := strings.Cut(o.DSN, "://"); is && !o.postgres() {
		return fmt.Errorf("-dsn begins with %q, want postgres://, or the name of a file", scheme+"://")
	}
	if err := cmp.Or(drill.Among("-parts", o.parts(), shop, relay, worker), drill.Among("-victims", o.victims(), o.mortal()...)); err != nil {
		return err
	}
	if !(o.FailureRate >= 0 && o.FailureRate <= 0.5) { // NaN is not
		return fmt.Errorf("-failure-rate is %v, want 0 to 0.5", o.FailureRate)
	}
	return cmp.Or(drill.Within("-n", o.N, 1, 1_000_000), drill.Within("-clients", o.Clients, 1, 100),
		drill.Within("-rate", o.Rate, 1, 1_000_000), drill.Within("-workers", o.Workers, 1, 100), drill.Within("-kills", o.Kills, 0, o.N))
}

// mortal is what can be killed.
func (o Options) mortal() []string {
	all := []string{shop, relay, worker}
	if o.postgres() {
		all = append(all, "database")
	}
	if o.KillBroker != "" {
		all = append(all, "broker")
	}
	return all
}

func (o Options) victims() []string {
	if o.Victims == "" {
		return o.mortal()
	}
	return strings.Split(o.Victims, ",")
}

func (o Options) parts() []string { return strings.Split(o.Parts, ",") }

func (o Options) runs(part string) bool { return slices.Contains(o.parts(), part) }

// InvoiceQueue is the queue of the orders that need an invoice.
func (o Options) InvoiceQueue() string { return o.Prefix + "-invoices" }

// MailQueue is the queue of the mails.
func (o Options) MailQueue() string { return o.Prefix + "-mails" }

// config says where the broker is.
func config(o Options) (connection.Config, error) {
	cfg, err := connection.ConfigFromEnv()
	if o.URL != "" {
		cfg.URL, cfg.URLs = o.URL, nil
	}
	cfg.Name = "outbox"
	return cfg, err
}

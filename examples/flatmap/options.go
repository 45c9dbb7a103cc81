package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/examples/flatmap/bank"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/pipeline"
)

// Options are the flags.
type Options struct {
	Branches    int
	Accounts    int
	Rows        int
	Page        int
	FailureRate float64
	Workers     int
	Kills       int
	Victims     string
	Seed        uint64
	Lock        time.Duration
	KillBroker  string

	DB      string
	URL     string
	Prefix  string
	Fresh   bool
	Keep    bool
	Verbose bool

	ownFile bool // the database is the example's own file: no -db was given

	process // of work
}

// process is what only a worker is told.
type process struct {
	Bank     string
	UntilEOF bool
}

const usage = `Flatmap saves the transactions of all accounts of a bank: a job of three stages.

usage: flatmap [flags]        a bank, workers, a job, and the account
       flatmap work [flags]   one worker, until ^C

  flatmap -kills 10 -seed 3   kill workers and lock the database, at ten random moments
  flatmap -rows 100000        an account with many transactions
  flatmap -kills 10 -kill-broker "docker restart --signal KILL rabbitmq"
                              and kill the broker

It ends with 0 if the rows are those of a plain run and the progress was right, 1
if not, 2 for wrong flags and 130 for Ctrl-C.

`

// parse reads the flags. Its error is printed as it is; flag.ErrHelp means that -h was given.
func parse(args []string, help io.Writer) (Options, error) {
	var o Options
	fs := flag.NewFlagSet("flatmap", flag.ContinueOnError)
	fs.IntVar(&o.Branches, "branches", 3, "how many branches the bank has, each with a list of accounts")
	fs.IntVar(&o.Accounts, "accounts", 30, "how many accounts it has")
	fs.IntVar(&o.Rows, "rows", 2000, "how many transactions the last account has; others have fewer than 40")
	fs.IntVar(&o.Page, "page", 100, "how many rows one message emits at most")
	fs.Float64Var(&o.FailureRate, "failure-rate", 0.3, "share of the bank's answers that fail")
	fs.IntVar(&o.Workers, "workers", 2, "how many processes work")
	fs.IntVar(&o.Kills, "kills", 0, "how often a worker, or what else can be, is killed")
	fs.StringVar(&o.Victims, "victims", "", "what is killed, some of worker,transaction,database,broker (default all that there are)")
	fs.Uint64Var(&o.Seed, "seed", 1, "decides what the bank has, which answers fail, and who is killed when")
	fs.DurationVar(&o.Lock, "lock", 2*time.Second, "how long the database is locked instead of killed; from 5s on messages are snoozed")
	fs.StringVar(&o.KillBroker, "kill-broker", "", "command that kills the broker and starts it again; it is among what is killed then")
	fs.StringVar(&o.DB, "db", "", "file of the SQLite database (default one in the temporary directory)")
	fs.StringVar(&o.URL, "url", "", "broker (default AMQP_URL, else amqp://guest:guest@localhost:5672/)")
	fs.StringVar(&o.Prefix, "queue-prefix", "example-flatmap", "what the names of the queues begin with: the name of the pipeline")
	fs.BoolVar(&o.Fresh, "fresh", false, "delete the queues and the database first, with what an earlier run has left")
	fs.BoolVar(&o.Keep, "keep", false, "keep the queues and the databases in the end")
	fs.BoolVar(&o.Verbose, "v", false, "show the warnings of the log, too")
	fs.StringVar(&o.Bank, "bank", "", "URL of the bank, for a worker")
	fs.BoolVar(&o.UntilEOF, "until-eof", false, "a worker stops when its standard input ends")
	if err := drill.ParseFlags(fs, args, usage, help); err != nil {
		return o, err
	}
	if o.ownFile = o.DB == ""; o.ownFile {
		o.DB = filepath.Join(os.TempDir(), o.Prefix+".db")
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
	if err := drill.Among("-victims", o.victims(), o.mortal()...); err != nil {
		return err
	}
	if !(o.FailureRate >= 0 && o.FailureRate <= 0.5) { // NaN is not
		return fmt.Errorf("-failure-rate is %v, want 0 to 0.5", o.FailureRate)
	}
	if o.Lock < 0 || o.Lock > time.Minute {
		return fmt.Errorf("-lock is %s, want 0s to 1m", o.Lock)
	}
	return cmp.Or(drill.Within("-branches", o.Branches, 1, 1000), drill.Within("-accounts", o.Accounts, o.Branches, 100_000),
		drill.Within("-rows", o.Rows, 0, 10_000_000), drill.Within("-page", o.Page, 1, 100_000), drill.Within("-workers", o.Workers, 1, 100),
		drill.Within("-kills", o.Kills, 0, 1000))
}

// What is killed.
const (
	worker      = "worker"      // a process, whatever it does
	transaction = "transaction" // a process in the middle of a transaction
	database    = "database"    // somebody else locks it for a while
	broker      = "broker"
)

// mortal is what can be killed.
func (o Options) mortal() []string {
	if o.KillBroker != "" {
		return []string{worker, transaction, database, broker}
	}
	return []string{worker, transaction, database}
}

func (o Options) victims() []string {
	if o.Victims == "" {
		return o.mortal()
	}
	return strings.Split(o.Victims, ",")
}

// bank is what the bank is like. A plain run has one without a fault.
func (o Options) bank(plain bool) bank.Config {
	c := bank.Config{Branches: o.Branches, Accounts: o.Accounts, Rows: o.Rows, Seed: o.Seed}
	if !plain {
		c.FailureRate, c.Slow = o.FailureRate, true
	}
	return c
}

// AccountsQueue is the queue of the branches, whose accounts are to be listed.
func (o Options) AccountsQueue() string { return o.Prefix + ".accounts" }

// TransactionsQueue is the queue of the accounts, whose transactions are to be listed.
func (o Options) TransactionsQueue() string { return o.Prefix + ".transactions" }

// RowsQueue is the queue of the rows.
func (o Options) RowsQueue() string { return o.Prefix + ".rows" }

// Stream is the stream of the reports.
func (o Options) Stream() string { return pipeline.StreamOf(o.Prefix) }

// plainFile is the database of the plain run.
func (o Options) plainFile() string { return o.DB + ".plain" }

// config says where the broker is.
func config(o Options) (connection.Config, error) {
	cfg, err := connection.ConfigFromEnv()
	if o.URL != "" {
		cfg.URL, cfg.URLs = o.URL, nil
	}
	cfg.Name = "flatmap"
	return cfg, err
}

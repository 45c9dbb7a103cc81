package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/connection"
)

// Options are the command and its flags.
type Options struct {
	Command string

	URL   string
	Queue string

	Source  string // the old system's file; beside it is the position of the export
	Records int
	Seed    uint64
	Rate    int // records a second

	Store string // the new system's database
	Fixed bool
}

// The commands.
const (
	exporting  = "export"
	importing  = "import"
	accounting = "account"
	forgetting = "forget"
)

const usage = `Migration moves the customers of an old system into a new one, by two programs
that share nothing but a queue.

usage: migration export|import|account|forget [flags]

  migration export           publishes the old system's records
  migration import           writes them into the new system, until Ctrl-C
  migration import -fixed    the same, without the bug of the first version
  migration account          says what was published, imported and parked
  migration forget           deletes the queues and the files

Each may be stopped, or killed, and goes on where it stood. account ends with 0
if every record is accounted for and 1 if not; export that is stopped ends with
130, and wrong flags with 2.

`

// parse reads the command and the flags. Its error is printed as it is; flag.ErrHelp means that
// -h was given.
func parse(args []string, help io.Writer) (Options, error) {
	var o Options
	fs := flag.NewFlagSet("migration", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.URL, "url", "", "broker (default AMQP_URL, else amqp://guest:guest@localhost:5672/)")
	fs.StringVar(&o.Queue, "queue", "example-migration", "the queue that both programs share")
	fs.StringVar(&o.Source, "source", "", "the old system's file, which export makes if it is not there (default in the temporary directory)")
	fs.IntVar(&o.Records, "records", 5000, "how many records the old system has, when its file is made")
	fs.Uint64Var(&o.Seed, "seed", 1, "decides which records are odd, when the file is made")
	fs.IntVar(&o.Rate, "rate", 500, "how many records a second export publishes at most")
	fs.StringVar(&o.Store, "store", "", "the new system's SQLite database (default in the temporary directory)")
	fs.BoolVar(&o.Fixed, "fixed", false, "import knows both ways in which the old system wrote dates")
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		o.Command, args = args[0], args[1:]
	}
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprint(help, usage)
		fs.SetOutput(help)
		fs.PrintDefaults()
		return o, err
	} else if err != nil {
		return o, err
	}
	o.Source = cmp.Or(o.Source, filepath.Join(os.TempDir(), o.Queue+"-old.csv"))
	o.Store = cmp.Or(o.Store, filepath.Join(os.TempDir(), o.Queue+"-new.db"))
	return o, o.check(fs.Args())
}

func (o Options) check(rest []string) error {
	if !slices.Contains([]string{exporting, importing, accounting, forgetting}, o.Command) {
		return fmt.Errorf("the command is %q, want export, import, account or forget", o.Command)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%q is not a flag", rest[0])
	}
	if o.Queue == "" || strings.ContainsAny(o.Queue, `/\`) {
		return fmt.Errorf("-queue is %q, want a name without slashes", o.Queue)
	}
	return cmp.Or(within("-records", o.Records, 1, 10_000_000), within("-rate", o.Rate, 1, 1_000_000))
}

func within(flag string, value, least, most int) error {
	if value < least || value > most {
		return fmt.Errorf("%s is %d, want %d to %d", flag, value, least, most)
	}
	return nil
}

// config says where the broker is.
func config(o Options) (connection.Config, error) {
	cfg, err := connection.ConfigFromEnv()
	if o.URL != "" {
		cfg.URL, cfg.URLs = o.URL, nil
	}
	cfg.Name = "migration " + o.Command
	return cfg, err
}

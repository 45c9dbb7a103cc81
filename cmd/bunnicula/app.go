package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

// commands are the subcommands. Each is in a file with its name.
var commands = []func(*app) *cobra.Command{
	statusCommand,
	topologyCommand,
	errorsCommand,
	peekCommand,
	moveCommand,
	publishCommand,
	eventsCommand,
	controlCommand,
	partitionsCommand,
	jobsCommand,
	outboxCommand,
	doctorCommand,
	consoleCommand,
}

// terminal is the command's environment, apart from the broker.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	asks     bool // a person can answer questions
	shows    bool // out is a terminal
	columns  int  // of the terminal at out, 0 if unknown
	draws    bool // err is a terminal on which bars can be drawn
}

// app is one run of the command.
type app struct {
	terminal
	interrupt context.Context // ends with ^C

	url        string
	management string
	dsn        string
	timeout    time.Duration
	json       bool
	readOnly   bool
	started    bool // cobra has accepted the arguments
	endless    bool // it ends by ^C, which is no interruption

	fleet fleet // in the place of that of the broker, in tests
}

// run runs the command and returns its exit code.
func run(ctx context.Context, t terminal, args ...string) int {
	return (&app{terminal: t, interrupt: ctx}).run(args...)
}

func (a *app) run(args ...string) int {
	root := a.root()
	root.SetArgs(args)
	return a.exit(root.ExecuteContext(a.interrupt))
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "bunnicula",
		Short: "Looks after the queues of Bunnicula's consumers",
		Long: `Looks after the queues of Bunnicula's consumers.

The broker is the one in AMQP_URL, or in --url. AMQP_USERNAME, AMQP_PASSWORD,
AMQP_VHOST, AMQP_CA_FILE, AMQP_CERT_FILE and AMQP_KEY_FILE are read too. A password
in --url can be seen by whoever lists processes; in the environment it cannot. The
database of outbox is the one in BUNNICULA_DSN, or in --dsn.

Exit codes:
    0  done, nothing to complain about
    1  it did not work
    2  wrong usage
    3  something was found: a difference, a queue that is missing, a serious finding,
       messages that failed again, a process that does not obey, a handler that is stuck,
       a partition that stands still
    4  not done, because of --read-only or because nobody said yes
  130  interrupted (^C); for events and console ^C is 0`,
		Example: `  export AMQP_URL=amqp://guest:guest@localhost:5672/
  bunnicula status orders --delays 10s,1m
  bunnicula topology plan --file topology.yml
  bunnicula errors groups orders
  bunnicula events --what parked
  bunnicula control pause orders --for 2h --why "migrating the database"
  bunnicula doctor --file topology.yml
  bunnicula console --file topology.yml`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			a.started = true
			if a.timeout <= 0 {
				return usage(fmt.Errorf("--timeout is %s, want a duration above 0 such as 30s", a.timeout))
			}
			return nil
		},
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.StringVar(&a.url, "url", "", "the broker, or several with commas between (default $AMQP_URL)")
	flags.StringVar(&a.management, "management-url", "", "the management API, as http://user:password@host:15672\n(default $RABBITMQ_MANAGEMENT_URL); what only it knows is\notherwise left blank")
	flags.BoolVar(&a.json, "json", false, "print JSON, whose fields docs/COMMAND.md lists")
	flags.BoolVar(&a.readOnly, "read-only", false, "refuse to change anything")
	flags.DurationVar(&a.timeout, "timeout", 30*time.Second, "give up after this long; errors, outbox and jobs take their\ntime without it")
	for _, c := range commands {
		root.AddCommand(c(a))
	}
	return root
}

// version returns the version of the module from which the command was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && v == "(devel)" {
			v += " " + s.Value
		}
	}
	return v + " " + info.GoVersion
}

// group makes a command that has only subcommands.
func group(cmd *cobra.Command, of ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(of...)
	return cmd
}

// fileFlag adds --file.
func fileFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVarP(name, "file", "f", "", "a topology file, - for standard input")
	_ = cmd.MarkFlagFilename("file", "yml", "yaml")
}

// read reads a topology file. An error in the file is wrong usage.
func (a *app) read(name string) (topologyfile.File, error) {
	var f topologyfile.File
	var err error
	switch name {
	case "":
		return f, usage(errors.New("--file is missing, want a topology file (a Go program writes one with topologyfile.Write)"))
	case "-":
		f, err = topologyfile.Read("standard input", a.in)
	default:
		f, err = topologyfile.ReadFile(name)
	}
	if err != nil {
		return f, usage(err)
	}
	return f, nil
}

// within runs f with a context that ends after --timeout.
func (a *app) within(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, a.timeout, fmt.Errorf("not done within --timeout %s", a.timeout))
	defer cancel()
	return f(ctx)
}

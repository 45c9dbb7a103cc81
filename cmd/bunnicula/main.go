// Bunnicula is the operator's command. It shows the queues of consumers, compares them with a
// topology file, declares them, publishes messages, moves parked ones, and says what is wrong. See
// docs/COMMAND.md.
//
//	go run github.com/bunnicula-go/bunnicula/cmd/bunnicula --help
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/mattn/go-isatty"
	"github.com/vbauerster/mpb/v8/cwriter"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second ^C ends the process at once
	code := run(ctx, terminal{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv,
		asks:  isatty.IsTerminal(os.Stdin.Fd()) && isatty.IsTerminal(os.Stderr.Fd()),
		shows: isatty.IsTerminal(os.Stdout.Fd()),
		// A bar needs to know the width of the terminal.
		draws:   isatty.IsTerminal(os.Stderr.Fd()) && width(os.Stderr) > 0,
		columns: width(os.Stdout),
	}, os.Args[1:]...)
	stop()
	os.Exit(code)
}

// width returns how many columns a terminal has, 0 if unknown.
func width(f *os.File) int {
	columns, _, err := cwriter.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

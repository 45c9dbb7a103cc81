// Bunnicula looks after the queues of consumers: it shows them, compares them with what is wanted, declares them,
// publishes, and says what is wrong. docs/COMMAND.md has more.
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
	context.AfterFunc(ctx, stop) // a second ^C ends it at once
	code := run(ctx, terminal{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv,
		asks:  isatty.IsTerminal(os.Stdin.Fd()) && isatty.IsTerminal(os.Stderr.Fd()),
		shows: isatty.IsTerminal(os.Stdout.Fd()),
		draws: isatty.IsTerminal(os.Stderr.Fd()) && hasWidth(os.Stderr),
	}, os.Args[1:]...)
	stop()
	os.Exit(code)
}

// hasWidth says whether a terminal knows how wide it is; bars cannot be drawn on others.
func hasWidth(f *os.File) bool {
	width, _, err := cwriter.GetSize(int(f.Fd()))
	return err == nil && width > 0
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func errorsExport(a *app) *cobra.Command {
	var queue errorsQueue
	var choice choice
	var o errorqueue.ExportOptions
	var output string
	cmd := &cobra.Command{
		Use:   "export QUEUE [TERM...] --output FILE",
		Short: "Write what is parked to a file, which import reads",
		Long: `Writes messages as JSON Lines, with their bodies, properties and headers of every
type, and changes nothing. A file that is there already is not replaced, and one that
was cut off is not imported. - is standard output.
` + terms,
		Example: `  bunnicula errors export orders --output orders.jsonl
  bunnicula errors export orders reason=undecodable --output - | gzip > orders.jsonl.gz`,
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := choice.filter(args[1:])
			switch {
			case err != nil:
				return err
			case output == "":
				return usage(errors.New("--output is missing, want a file, or - for standard output"))
			case output != "-":
				if _, err := os.Lstat(output); err == nil { // reported before the queue is read
					return usage(fmt.Errorf("--output is %q, want a file that is not there yet", output))
				}
			}
			queue.name, o.Filter = args[0], filter
			p := a.progress("export")
			p.quiet = output == "-" && a.shows
			o.Progress = p.tell
			return a.openErrors(cmd, queue, p, func(ctx context.Context, q *errorqueue.Queue) error { return a.export(ctx, q, o, p, output) })
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "the file, - for standard output")
	cmd.Flags().IntVar(&o.Limit, "limit", 0, "how many at most, those that were parked first; 0 for all")
	choice.addTo(cmd)
	queue.addTo(cmd)
	return cmd
}

// exported is what --json prints.
type exported struct {
	Queue    string `json:"queue"`
	File     string `json:"file"`
	Messages int    `json:"messages"`
}

func (a *app) export(ctx context.Context, q *errorqueue.Queue, o errorqueue.ExportOptions, p *progress, output string) error {
	var n int
	// The file is complete, with all messages in front of that one.
	var blocked error
	write := func(w io.Writer) (err error) {
		n, err = q.Export(ctx, w, o)
		p.end()
		if blocked = unreadable(err); blocked != nil {
			return nil //nolint:nilerr // it is told beside the file, which is whole
		}
		return err
	}
	report := a.out
	if output == "-" {
		report = a.err // standard output has the file
		if err := write(a.out); err != nil {
			return err
		}
	} else if err := writeFile(output, write); err != nil {
		return err
	}
	if a.json && output != "-" {
		return cmp.Or(blocked, a.printJSON(exported{q.Name(), output, n}, false))
	}
	_, err := fmt.Fprintf(report, "%s of %s written to %s\n", messages(n), q.Name(), output)
	return cmp.Or(blocked, err)
}

// writeFile makes a file that only its owner may read, and removes it if write fails.
func writeFile(name string, write func(io.Writer) error) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usage(fmt.Errorf("--output is %q, want a file that is not there yet", name))
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // it may be closed already
			_ = os.Remove(name)
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

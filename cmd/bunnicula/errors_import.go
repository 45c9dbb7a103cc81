package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func errorsImport(a *app) *cobra.Command {
	var queue errorsQueue
	var o errorqueue.ImportOptions
	cmd := &cobra.Command{
		Use:   "import QUEUE FILE",
		Short: "Put what export wrote into an error queue",
		Long: `Publishes the messages of a file that export has written, in its order, to the error
queue, or to another with --to; each is confirmed. The file is read to its end first:
if it is not what export writes, or was cut off, nothing is published. Of - (standard
input) what comes before a wrong line is.

If it ends early it says with which --from to go on.`,
		Example: `  bunnicula errors import orders orders.jsonl --dry-run
  bunnicula errors import orders orders.jsonl
  gunzip -c orders.jsonl.gz | bunnicula errors import orders - --to orders-archive`,
		RunE: func(cmd *cobra.Command, args []string) error {
			queue.name = args[0]
			if !o.DryRun {
				if err := a.mayChange("errors import"); err != nil {
					return err
				}
			}
			in := a.in
			if args[1] != "-" {
				f, err := os.Open(args[1])
				if err != nil {
					return usage(err)
				}
				defer func() { _ = f.Close() }() // the file was only read
				in = f
			}
			p := a.progress("import")
			o.Progress = p.tell
			return a.openErrors(cmd, queue, p, func(ctx context.Context, q *errorqueue.Queue) error { return a.importFile(ctx, q, in, o, p) })
		},
	}
	queue.addTo(cmd)
	cmd.Args = want(cobra.ExactArgs(2))
	cmd.Flags().StringVar(&o.To, "to", "", "another queue than the error queue")
	cmd.Flags().IntVar(&o.From, "from", 0, "the line of the file to begin with")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "only read the file")
	return cmd
}

func (a *app) importFile(ctx context.Context, q *errorqueue.Queue, in io.Reader, o errorqueue.ImportOptions, p *progress) error {
	r, err := q.Import(ctx, in, o)
	p.end()
	if r.Source == "" { // no line was one of an export
		return err
	}
	if a.json {
		if printed := a.printJSON(r, false); err == nil {
			err = printed
		}
		return err
	}
	what := fmt.Sprintf("%d of %s imported into %s in %s", r.Imported, messages(r.Messages), r.To, took(r.Took))
	if r.DryRun {
		what = fmt.Sprintf("%s of %s can be imported; nothing was done", messages(r.Messages), plain(r.Source))
	}
	fmt.Fprintln(a.out, what)
	if err != nil && r.Imported > 0 {
		fmt.Fprintf(a.out, "  go on with --from %d\n", r.Next)
	}
	return err
}

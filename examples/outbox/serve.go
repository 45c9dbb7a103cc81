package main

import (
	"context"
	"fmt"
	"io"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
)

// A Teller tells the process that has started this one what it does. The lines survive the process.
type Teller func(event, what string)

// What a process tells, beside that it is ready.
const (
	listening = "listening" // where it takes orders
	took      = "took"      // a delivery
)

// newTeller makes a Teller that writes lines, each by one Write.
func newTeller(w io.Writer) Teller {
	return func(event, what string) { _, _ = fmt.Fprintf(w, "%s %s\n", event, what) }
}

// took makes a middleware that tells of each delivery.
func (t Teller) took(what string) consumer.Middleware {
	return func(next consumer.Handler) consumer.Handler {
		return func(ctx context.Context, d consumer.Delivery) consumer.Result {
			t(took, what)
			return next(ctx, d)
		}
	}
}

// serve runs some parts of the service until ctx ends, or its stdin does if a parent holds that.
func serve(ctx context.Context, o Options, stdin io.Reader, stdout, stderr io.Writer) error {
	cfg, err := config(o)
	if err != nil {
		return err
	}
	cfg.Name = "outbox: " + o.Parts
	tell := newTeller(stdout)
	app := fx.New(app(o, cfg, tell, drill.NewLogger(stderr, o.Verbose)))
	starting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := app.Start(starting); err != nil {
		return err
	}
	tell(drill.Ready, o.Parts)
	ctx, cancel = context.WithCancel(ctx)
	defer cancel()
	if o.UntilEOF {
		go func() { // ends with the process
			_, _ = io.Copy(io.Discard, stdin)
			cancel()
		}()
	}
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return app.Stop(stopping)
}

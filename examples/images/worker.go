package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
)

// worker is the app of one worker.
func worker(o Options, cfg connection.Config, tell Teller, log *slog.Logger) fx.Option {
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module,
		fx.Supply(o, cfg, tell, log),
		fx.Provide(NewSeen, NewPainter),
		consumer.Provide(BlackAndWhite),
		fx.StopTimeout(patience),
		fx.NopLogger,
	)
}

// backoff is how long a request waits before each further try. They are short, so that the example
// is; those of a real service begin with seconds.
var backoff = []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond}

// BlackAndWhite is the consumer of the requests.
func BlackAndWhite(o Options, painter Painter, pub publisher.Publisher, seen use.Store) consumer.Spec {
	return consumer.Spec{
		Queue:       o.Queue(),
		Bindings:    []topology.Bind{{Exchange: o.Exchange(), Kind: "topic", Keys: []string{"images.*.bw"}}},
		Declare:     o.Declare, // topology.Never: what it needs was declared ahead
		MaxRetries:  4,         // five tries
		Backoff:     backoff,
		Delays:      topology.Ladder, // for the delay that Paint asks for
		MaxCrashes:  maxCrashes,
		Timeout:     3 * time.Second,
		Grace:       time.Second,
		Concurrency: 2,
		Prefetch:    4, // pictures are large, and other workers may be idle
		Use:         []consumer.Middleware{painter.Took, use.Dedupe(seen, time.Hour)},
		Handler:     consumer.Decode(publisher.Raw, use.Reply(pub, painter.Paint)),
	}
}

// maxCrashes is how many workers a picture may kill before it is parked.
const maxCrashes = 5

// Painter does the work.
type Painter struct {
	results Results
	tell    Teller
}

// NewPainter makes a Painter.
func NewPainter(o Options, tell Teller) Painter { return Painter{o.Results(), tell} }

// Notice is what the requester is told when its picture is done. Its correlation id is the id of
// the request.
type Notice struct {
	Width  int `json:"width"`
	Height int `json:"height"`
	Bytes  int `json:"bytes"`
}

// Paint handles one request. What is Permanent is parked, what is After comes again after that
// time, and any other error is retried. Without an error the notice is sent and confirmed, and then
// the request is acked. A worker that dies on the way has it handled again, and the result is
// replaced by the same.
func (p Painter) Paint(_ context.Context, msg consumer.Message[[]byte]) (Notice, error) {
	p.tell(began, msg.MessageID)
	if err := named(msg.MessageID); err != nil {
		return Notice{}, consumer.Permanent(err)
	}
	if err := p.trouble(msg.Delivery); err != nil {
		return Notice{}, err
	}
	grey, size, err := blackAndWhite(msg.ContentType, msg.Payload)
	if err != nil {
		return Notice{}, consumer.Permanent(err)
	}
	if err := p.results.Save(msg.MessageID, grey); err != nil {
		return Notice{}, err
	}
	p.tell(painted, msg.MessageID)
	return Notice{Width: size.X, Height: size.Y, Bytes: len(grey)}, nil
}

// Took is a middleware that tells of each delivery. The ones that Paint does not see are
// duplicates.
func (p Painter) Took(next consumer.Handler) consumer.Handler {
	return func(ctx context.Context, d consumer.Delivery) consumer.Result {
		p.tell(took, d.MessageID)
		return next(ctx, d)
	}
}

// The header trouble plays what happens to services.
const (
	troubleFlaky    = "flaky"    // the first two tries fail
	troubleHopeless = "hopeless" // each try fails
	troubleBusy     = "busy"     // the first try is told when to come again
	troubleCrash    = "crash"    // each process that decodes it dies
)

var (
	errDisk = errors.New("the disk does not answer")
	errBusy = errors.New("too many pictures at once")
)

func (p Painter) trouble(d consumer.Delivery) error {
	switch kind := d.Headers["trouble"]; {
	case kind == troubleFlaky && d.Attempt < 3, kind == troubleHopeless:
		return errDisk
	case kind == troubleBusy && d.Attempt == 1:
		return consumer.After(300*time.Millisecond, errBusy)
	case kind == troubleCrash:
		p.tell(crashed, d.MessageID)
		os.Exit(exitCrashed) // no deferred call runs, and nothing is given back
	}
	return nil
}

// A Teller tells the process that has started this worker what it does. The lines survive the
// process.
type Teller func(event, id string)

// What a worker tells.
const (
	ready   = "ready"   // it consumes
	took    = "took"    // a delivery was taken
	began   = "began"   // the work on it begins
	painted = "painted" // its result is written
	crashed = "crashed" // the process is about to die
)

// newTeller makes a Teller that writes lines, each by one Write.
func newTeller(w io.Writer) Teller {
	return func(event, id string) { _, _ = fmt.Fprintf(w, "%s %s\n", event, id) }
}

// work runs one worker until ctx ends, or its stdin does if a parent holds that.
func work(ctx context.Context, o Options, stdin io.Reader, stdout, stderr io.Writer) error {
	cfg, err := config(o)
	if err != nil {
		return err
	}
	cfg.Name = "images-worker"
	tell := newTeller(stdout)
	app := fx.New(worker(o, cfg, tell, drill.NewLogger(stderr, o.Verbose)))
	starting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := app.Start(starting); err != nil {
		return err
	}
	tell(ready, "-")
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

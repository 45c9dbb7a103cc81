package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
)

// A Teller tells the process that has started this one what it does. The lines survive the process.
type Teller func(event, what string)

// What a process tells, beside that it is ready.
const (
	took   = "took"   // a delivery, of a queue
	memory = "memory" // how many bytes it has of the system
)

// die is what a process is told that is to end in the middle of its next transaction.
const die = "die"

// newTeller makes a Teller that writes lines, each by one Write.
func newTeller(w io.Writer) Teller {
	return func(event, what string) { _, _ = fmt.Fprintf(w, "%s %s\n", event, what) }
}

// took makes a middleware that tells of each delivery.
func (t Teller) took(queue string) consumer.Middleware {
	return func(next consumer.Handler) consumer.Handler {
		return func(ctx context.Context, d consumer.Delivery) consumer.Result {
			t(took, queue)
			return next(ctx, d)
		}
	}
}

// Doom kills this process when it is in the middle of a transaction.
type Doom struct{ near atomic.Bool }

// NewDoom makes a Doom that is far.
func NewDoom() *Doom { return &Doom{} }

// Meet is called in the middle of each transaction.
func (d *Doom) Meet() {
	if !d.near.Load() {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil && self.Kill() == nil {
		select {}
	}
}

// work runs the stages until ctx ends, or its stdin does if a parent holds that.
func work(ctx context.Context, o Options, stdin io.Reader, stdout, stderr io.Writer) error {
	cfg, err := config(o)
	if err != nil {
		return err
	}
	cfg.Name = "flatmap: worker"
	tell := newTeller(stdout)
	var doom *Doom
	app := fx.New(app(o, cfg, tell, drill.NewLogger(stderr, o.Verbose)), fx.Populate(&doom))
	starting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := app.Start(starting); err != nil {
		return err
	}
	tell(drill.Ready, "")
	ctx, cancel = context.WithCancel(ctx)
	defer cancel()
	if o.UntilEOF {
		go func() { // ends with the process
			obey(stdin, doom)
			cancel()
		}()
	}
	weigh(ctx, tell)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return app.Stop(stopping)
}

// obey reads what the process is told, until that ends.
func obey(stdin io.Reader, doom *Doom) {
	for in := bufio.NewScanner(stdin); in.Scan(); {
		if in.Text() == die {
			doom.near.Store(true)
		}
	}
}

// weigh tells of the memory until ctx ends.
func weigh(ctx context.Context, tell Teller) {
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		tell(memory, fmt.Sprint(m.Sys-m.HeapReleased))
		if drill.Pause(ctx, 500*time.Millisecond) != nil {
			return
		}
	}
}

package main

import (
	"context"
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/control"
)

// askFor bounds how long a command that looks at something else waits for the stream of orders, and
// for the answers of processes.
const (
	foldFor = 5 * time.Second
	askFor  = time.Second
)

// orderFacts are the orders that stand, and who obeys. Commands that look at queues want them.
type orderFacts struct {
	orders    []control.Order
	processes []control.Process
	missing   bool  // there is no stream
	err       error // the stream could not be read
	unasked   error // the processes could not be asked
}

// standingOrders reads the orders of a stream, if there is one, and with ask asks the processes. It
// declares nothing. An error is one of the facts: queues can be looked at without orders.
func (a *app) standingOrders(ctx context.Context, conn *connection.Connection, ask bool, names ...string) (k orderFacts) {
	ctx, cancel := context.WithTimeout(ctx, min(foldFor, a.timeout))
	defer cancel()
	look := func(f fleet) (err error) {
		if k.orders, err = f.Orders(ctx); err != nil || !ask {
			return err
		}
		k.processes, k.unasked = f.Processes(ctx, askFor, names...)
		sortProcesses(k.processes)
		return nil
	}
	if a.fleet != nil {
		k.err = look(a.fleet)
	} else {
		k.err = a.onFleet(ctx, conn, control.ControlStream, false, look)
	}
	if errors.As(k.err, new(*noStreamError)) {
		k.missing, k.err = true, nil
	}
	return k
}

// orderFor returns the newest order for a consumer, or for the queue that it is a partition of.
func (k orderFacts) orderFor(consumer string) (newest control.Order, ok bool) {
	for _, o := range k.orders {
		if meansConsumer(o.Consumer, consumer) && (!ok || o.At.After(newest.At)) {
			newest, ok = o, true
		}
	}
	return newest, ok
}

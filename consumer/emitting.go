package consumer

import (
	"context"
	"slices"
)

// Emitting is h, and says to which queues it publishes: Spec.Plan then has them as Emits, and
// "bunnicula topology graph" draws the way of a message over several consumers. It changes nothing
// else. Name the queue itself where messages go to its partitions.
//
// What wraps the Handler hides that: set it last, or wrap by Spec.Use. pipeline.Stage does so
// itself. A Handler that is nil or Invalid is returned as it is.
func Emitting(h Handler, queues ...string) Handler {
	if h.Check() != nil {
		return h
	}
	return emitting{h, slices.Clone(queues)}.handle
}

type emitting struct {
	h      Handler
	queues []string
}

func (e emitting) handle(ctx context.Context, d Delivery) Result {
	if asked, ok := ctx.(*askEmits); ok {
		asked.queues = e.queues
		return Ack()
	}
	return e.h(ctx, d)
}

// askEmits is a context by which the Handler of Emitting is asked, and not run.
type askEmits struct {
	context.Context
	queues []string
}

// codeOfEmitting is where the code of all Handlers stands that Emitting makes.
var codeOfEmitting = codeOf(emitting{}.handle)

// emits returns the queues of Emitting.
func (h Handler) emits() []string {
	if h == nil || codeOf(h) != codeOfEmitting {
		return nil
	}
	ask := &askEmits{Context: context.Background()}
	h(ask, Delivery{})
	return slices.Clone(ask.queues)
}

package brokertest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// Parked are the messages in the error queue of a consumer, by the name of its main queue: each
// with its reason, its error, its attempts and its body. They stay there. If there is no such error
// queue the test fails.
func (b *Broker) Parked(queue string) []errorqueue.Message {
	b.t.Helper()
	var all []errorqueue.Message
	b.errors("Parked", queue, func(ctx context.Context, q *errorqueue.Queue) error {
		for m, err := range q.List(ctx, errorqueue.ListOptions{}) {
			if err != nil {
				return err
			}
			all = append(all, m)
		}
		return nil
	})
	return all
}

// Redrive moves parked messages of a consumer back to be handled again, as bunnicula errors redrive
// does, with the same terms: "reason=timeout", "id=a1,a2", `error~refused`; none are all messages.
// It returns what was moved. For anything else there is package errorqueue, on [Broker.Connection].
func (b *Broker) Redrive(queue string, terms ...string) errorqueue.RedriveReport {
	b.t.Helper()
	filter, err := errorqueue.ParseTerms(terms...)
	if err != nil {
		b.t.Fatalf("brokertest: Redrive: %v", err)
	}
	var report errorqueue.RedriveReport
	b.errors("Redrive", queue, func(ctx context.Context, q *errorqueue.Queue) (err error) {
		report, err = q.Redrive(ctx, errorqueue.RedriveOptions{Filter: filter, All: len(terms) == 0})
		return err
	})
	return report
}

// errors opens the error queue of a main queue.
func (b *Broker) errors(what, queue string, f func(context.Context, *errorqueue.Queue) error) {
	b.t.Helper()
	name := b.errorQueue(queue)
	if _, there := b.site.count(name); !there {
		b.t.Fatalf("brokertest: %s: %s", what, unknown(name, b.site.queues()))
	}
	b.request(what+": "+queue, func(ctx context.Context) error {
		q, err := errorqueue.Open(ctx, connection.Over(b.look), errorqueue.Config{Queue: queue, ErrorQueue: name}, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		defer q.Close(context.WithoutCancel(ctx))
		return f(ctx, q)
	})
}

// shown is how many parked messages a failure shows.
const shown = 5

// reasons says why messages are parked.
func (b *Broker) reasons(queue string, parked int) string {
	if parked == 0 {
		return ""
	}
	all := b.Parked(queue)
	var text strings.Builder
	for _, m := range all[:min(shown, len(all))] {
		fmt.Fprintf(&text, "\n    parked: %s", strings.Join(slices.DeleteFunc([]string{m.ID, m.Reason, m.Error}, func(s string) bool { return s == "" }), ": "))
	}
	if more := len(all) - shown; more > 0 {
		fmt.Fprintf(&text, "\n    and %d more", more)
	}
	return text.String()
}

//go:build unix

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// behaviour says what a handler does with a message, and how such a message may end.
type behaviour struct {
	do func(ctx context.Context, v visit) consumer.Result

	acked  bool              // it may end with an ack
	parked monitoring.Reason // it may end in the error queue, for this reason
	spent  bool              // parked only after all attempts were used
	bare   bool              // parked without our headers, because there is no room for them
	kills  bool              // its process dies

	// body replaces the JSON of the order.
	body func(order) []byte

	// craft changes the message into one that no Publisher sends; see stage.publishCrafted.
	craft func(o order, p *amqp.Publishing)
}

// visit is one run of the handler.
type visit struct {
	consumer.Delivery
	order  order
	arg    string // the text behind the behaviour's name
	worker *worker
}

// behaviours are those that messages can name. To add one, say what the handler does and how the
// message ends.
var behaviours map[string]behaviour

// The table is set in init because forward composes a message, which looks its behaviour up.
func init() {
	behaviours = map[string]behaviour{
		"ack": {acked: true, do: func(context.Context, visit) consumer.Result { return consumer.Ack() }},

		// "retry 2" asks for two retries and then acks.
		"retry": {acked: true, do: func(_ context.Context, v visit) consumer.Result {
			if v.Attempt <= v.count() {
				return consumer.Retry(errors.New("not yet"))
			}
			return consumer.Ack()
		}},
		"retry-always": {parked: monitoring.ReasonRetriesExhausted, spent: true, do: func(context.Context, visit) consumer.Result {
			return consumer.Retry(errors.New("never"))
		}},
		"error": {parked: monitoring.ReasonError, do: func(context.Context, visit) consumer.Result {
			return consumer.Error(errors.New("cannot work"))
		}},
		"panic": {parked: monitoring.ReasonPanic, spent: true, do: func(context.Context, visit) consumer.Result {
			panic("on purpose")
		}},
		// Its stack has more than 200 KiB, which must not fill the headers.
		"deep-panic": {parked: monitoring.ReasonPanic, spent: true, do: func(context.Context, visit) consumer.Result {
			return descend(3_000)
		}},
		"goexit": {parked: monitoring.ReasonPanic, spent: true, do: func(context.Context, visit) consumer.Result {
			runtime.Goexit()
			return consumer.Ack()
		}},
		// "snooze 200ms" asks each process once to wait, and then acks.
		"snooze": {acked: true, do: func(_ context.Context, v visit) consumer.Result {
			if v.worker.first(v.MessageID) {
				return consumer.Snooze(v.duration())
			}
			return consumer.Ack()
		}},
		// "slow 300ms" takes that long, and obeys its context.
		"slow": {acked: true, do: func(ctx context.Context, v visit) consumer.Result {
			timer := time.NewTimer(v.duration())
			defer timer.Stop()
			select {
			case <-timer.C:
				return consumer.Ack()
			case <-ctx.Done():
				return consumer.Retry(ctx.Err())
			}
		}},
		// "overtime 3s" takes that long, whatever its context says. If it is given up meanwhile,
		// that is a timeout.
		"overtime": {acked: true, parked: monitoring.ReasonTimeout, do: func(_ context.Context, v visit) consumer.Result {
			time.Sleep(v.duration())
			return consumer.Ack()
		}},
		// "tardy 5s" takes that long once in each process, whatever its context says.
		"tardy": {acked: true, do: func(_ context.Context, v visit) consumer.Result {
			if v.worker.first(v.MessageID) {
				time.Sleep(v.duration())
			}
			return consumer.Ack()
		}},
		// "outlast 4s" takes longer than its broker waits for an ack. The broker then closes the
		// channel, and the ack is lost.
		"outlast": {acked: true, parked: monitoring.ReasonCrashed, kills: true, do: func(_ context.Context, v visit) consumer.Result {
			time.Sleep(v.duration())
			return consumer.Ack()
		}},
		"deadlock": {parked: monitoring.ReasonTimeout, spent: true, do: func(context.Context, visit) consumer.Result {
			deadlock()
			return consumer.Ack()
		}},
		// The handler publishes another message to the worker's next queue before its ack.
		"forward": {acked: true, do: func(ctx context.Context, v visit) consumer.Result {
			return v.worker.forward(ctx, v)
		}},
		"kill": {parked: monitoring.ReasonCrashed, kills: true, do: func(context.Context, visit) consumer.Result {
			if self, err := os.FindProcess(os.Getpid()); err == nil {
				_ = self.Kill()
			}
			deadlock() // until the process gets the signal
			return consumer.Ack()
		}},
		"exit": {parked: monitoring.ReasonCrashed, kills: true, do: func(context.Context, visit) consumer.Result {
			os.Exit(exitKiller)
			return consumer.Ack()
		}},
		"exhaust": {parked: monitoring.ReasonCrashed, kills: true, do: func(context.Context, visit) consumer.Result {
			exhaust()
			return consumer.Ack()
		}},
		"garbage": {parked: monitoring.ReasonUndecodable, body: func(order) []byte { return []byte(`{"n":`) },
			do: func(context.Context, visit) consumer.Result { return consumer.Ack() }},
	}
}

// behaviourOf returns the behaviour and its argument.
func behaviourOf(do string) (b behaviour, arg string) {
	name, arg, _ := strings.Cut(do, " ")
	b, ok := behaviours[name]
	if !ok {
		panic(fmt.Sprintf("there is no behaviour %q", name))
	}
	return b, arg
}

func (v visit) duration() time.Duration {
	d, err := time.ParseDuration(v.arg)
	if err != nil {
		panic(fmt.Sprintf("behaviour %q: %v", v.order.Do, err))
	}
	return d
}

func (v visit) count() int {
	n, err := strconv.Atoi(v.arg)
	if err != nil {
		panic(fmt.Sprintf("behaviour %q: %v", v.order.Do, err))
	}
	return n
}

// deadlock never returns.
func deadlock() { <-make(chan struct{}) }

func descend(levels int) consumer.Result {
	if levels == 0 {
		panic("at the bottom " + strings.Repeat("deep ", 1_000))
	}
	return descend(levels - 1)
}

// exhaust allocates until the process dies, at 256 MiB above its present size.
func exhaust() {
	const more = 256 << 20
	if used := dataSize(); used > 0 {
		limit := syscall.Rlimit{Cur: used + more, Max: used + more}
		if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &limit); err != nil {
			os.Exit(exitKiller)
		}
	}
	var all [][]byte
	for range 2 * more >> 20 {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		all = append(all, block)
	}
	runtime.KeepAlive(all)
	os.Exit(exitKiller) // a system without this limit
}

// dataSize returns the size that RLIMIT_DATA limits, 0 if the system does not tell it.
func dataSize() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmData:")
	var kib uint64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0
	}
	return kib << 10
}

// forward publishes message n+forwarded. The handler is the publisher of that message.
func (w *worker) forward(ctx context.Context, v visit) consumer.Result {
	n := v.order.N + forwarded
	m := compose(v.order.Lane, n, "ack")
	err := w.pub.Publish(ctx, w.after(v.Queue), m.body, publisher.MessageID(m.id), publisher.Headers(m.headers))
	if err != nil {
		return consumer.Retry(err)
	}
	w.journal.write(entry{What: confirmed, Lane: v.order.Lane, N: n})
	return consumer.Ack()
}

// forwarded is added to a message's number for the message that its handler publishes.
const forwarded = 1_000_000

package consumer_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/test/histories"
)

// A history is drawn, acted out by the engine on a broker in simulated time, and looked at
// afterwards: what was promised must hold whatever happened. A failing history is made as short as
// it can be. To see one again, or to look longer:
//
//	go test ./consumer -run TestWhateverHappens -rapid.seed=... -rapid.checks=20000
func TestWhateverHappensNoMessageIsLost(t *testing.T) {
	histories.Check(t, 300, anyHistory, func(h history) error { return h.actOut(t) }, "what was promised does not hold, see below")
}

// actOut runs a history in a bubble, and says what is wrong.
func (h history) actOut(t *testing.T) (err error) {
	w := newWorld(h)
	defer func() {
		if p := recover(); p != nil { // goroutines that never end, at the end of the bubble or before
			err = fmt.Errorf("%v\n%s", p, histories.Blocked())
		}
		if err != nil {
			err = fmt.Errorf("%w\n\n%s\n\n%s", err, h, w.journal())
		}
	}()
	synctest.Test(t, func(*testing.T) { err = w.run() })
	return err
}

// history is what happens to a few messages.
type history struct {
	broker    simulated.Options
	spec      spec
	processes int
	messages  []planned
	faults    []fault
	moments   []moment
}

// spec is that of all consumers.
type spec struct {
	concurrency, prefetch, retries, crashes int
	backoff                                 []time.Duration
	hold, singleActive                      bool
	paced                                   bool // takes more ahead when handlers are fast
	impatient                               bool // the guard's gate waits for less long than a handler may take
	ladder                                  bool // messages can be published with a delay
}

// most is how many messages are taken ahead at most.
func (s spec) most() int {
	if s.paced {
		return 3 * s.prefetch
	}
	return s.prefetch
}

// planned is a message that the app publishes, and what its handler does.
type planned struct {
	at    time.Duration
	does  behaviour
	times int           // of the first attempts; later ones ack
	delay time.Duration // with which it is published on a Ladder; no handler may run earlier
	aside bool          // it comes to the quarantine queue, as if a process that is dead now had set it aside
}

type behaviour string

const (
	acks       behaviour = "ack"
	isSlow     behaviour = "slow"
	retries    behaviour = "retry"
	retriesFar behaviour = "retry after 7s"
	snoozes    behaviour = "snooze"
	forgets    behaviour = "zero result"
	errs       behaviour = "error"
	panics     behaviour = "panic"
	exits      behaviour = "goexit"
	timesOut   behaviour = "time out"
	isStuck    behaviour = "ignore the timeout"
	kills      behaviour = "kill the process"
)

// fault is what goes wrong at the n-th step of its kind.
type fault struct {
	step string
	n    int
	simulated.Fault
}

// moment is something that is done to a process.
type moment struct {
	at      time.Duration
	process int
	what    string // "pause", "stop", "kill", "limit", "order", "order a pause"
	lasts   time.Duration
	most    int // what is limited or ordered
}

func (h history) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "RabbitMQ %s, frames take %s; %d process(es), concurrency %d, prefetch %d, retries %d after %v, crashes %d",
		h.broker.Version, h.broker.Latency, h.processes, h.spec.concurrency, h.spec.prefetch, h.spec.retries, h.spec.backoff, h.spec.crashes)
	if h.spec.hold {
		s.WriteString(", holds what is stuck")
	}
	if h.spec.singleActive {
		s.WriteString(", single active consumer")
	}
	if h.spec.impatient {
		fmt.Fprintf(&s, ", a gate that waits for %s", hurry)
	}
	if h.spec.ladder {
		s.WriteString(", on the Ladder")
	}
	if h.spec.paced {
		fmt.Fprintf(&s, ", up to %d when handlers are fast", h.spec.most())
	}
	for i, m := range h.messages {
		fmt.Fprintf(&s, "\n  %s at %s: %s", messageID(i), m.at, m.does)
		if m.times > 0 {
			fmt.Fprintf(&s, ", %d times", m.times)
		}
		if m.aside {
			s.WriteString(", in quarantine")
		}
		if m.delay > 0 {
			fmt.Fprintf(&s, ", with a delay of %s", m.delay)
		}
	}
	for _, f := range h.faults {
		fmt.Fprintf(&s, "\n  fault at %s %d: %s", f.step, f.n, f.Fault)
	}
	for _, m := range h.moments {
		fmt.Fprintf(&s, "\n  at %s %s process %d for %s", m.at, m.what, m.process, m.lasts)
		if m.what == "limit" || m.what == "order" {
			fmt.Fprintf(&s, ", at most %d", m.most)
		}
	}
	return s.String()
}

// GoString is what rapid prints.
func (h history) GoString() string { return h.String() }

func messageID(i int) string { return fmt.Sprintf("m%d", i+1) }

// How long each of these lasts, in simulated time.
const (
	faultsEnd  = 40 * time.Second // after the begin; nothing goes wrong later
	effectsEnd = 46 * time.Second // after that the last delay is over, and both ends have noticed the last cut
	handlerMay = time.Second      // the Spec's Timeout
	graceIs    = 500 * time.Millisecond
	hurry      = 300 * time.Millisecond // the patience of a gate that is impatient
)

func seconds(from, to int) *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.IntRange(from*10, to*10), func(n int) time.Duration { return time.Duration(n) * 100 * time.Millisecond })
}

var anyHistory = rapid.Custom(func(t *rapid.T) history {
	h := history{
		broker: simulated.Options{
			Version: rapid.SampledFrom([]simulated.Version{simulated.RabbitMQ4, simulated.RabbitMQ3, simulated.RabbitMQ43}).Draw(t, "version"),
			Latency: rapid.SampledFrom([]time.Duration{time.Millisecond, 0, 30 * time.Millisecond}).Draw(t, "latency"),
		},
		processes: rapid.IntRange(1, 3).Draw(t, "processes"),
		spec: spec{
			concurrency: rapid.IntRange(1, 4).Draw(t, "concurrency"),
			retries:     rapid.IntRange(0, 2).Draw(t, "retries"),
			crashes:     rapid.IntRange(3, 5).Draw(t, "crashes"),
			backoff: rapid.SampledFrom([][]time.Duration{
				{100 * time.Millisecond}, {time.Second, 3 * time.Second}, {5 * time.Second},
			}).Draw(t, "backoff"),
			hold:         rapid.IntRange(0, 3).Draw(t, "hold") == 3,
			singleActive: rapid.IntRange(0, 5).Draw(t, "single active") == 5,
		},
		messages: rapid.SliceOfN(messages, 1, 8).Draw(t, "messages"),
		faults:   rapid.SliceOfN(faults, 0, 6).Draw(t, "faults"),
		moments:  rapid.SliceOfN(moments, 0, 8).Draw(t, "moments"),
	}
	h.spec.prefetch = rapid.IntRange(h.spec.concurrency, 6).Draw(t, "prefetch")
	h.spec.impatient = rapid.Bool().Draw(t, "impatient")
	h.spec.paced = !h.spec.singleActive && rapid.Bool().Draw(t, "paced")
	h.spec.ladder = rapid.Bool().Draw(t, "ladder")
	return h
})

var messages = rapid.Custom(func(t *rapid.T) planned {
	m := planned{
		at: rapid.OneOf(rapid.Just(time.Second), rapid.Just(5*time.Second), seconds(0, 20)).Draw(t, "at"), // many at once
		does: rapid.SampledFrom([]behaviour{
			acks, isSlow, retries, errs, snoozes, panics, timesOut, isStuck, kills, forgets, retriesFar, exits,
		}).Draw(t, "does"),
	}
	m.aside = rapid.IntRange(0, 3).Draw(t, "aside") == 3
	if rapid.Bool().Draw(t, "delayed") {
		m.delay = rapid.OneOf(rapid.Just(time.Second), seconds(0, 12)).Draw(t, "delay")
	}
	switch m.does {
	case acks, isSlow, errs:
	default:
		m.times = rapid.IntRange(1, 4).Draw(t, "times")
	}
	return m
})

var moments = rapid.Custom(func(t *rapid.T) moment {
	return moment{
		at:      rapid.OneOf(rapid.Just(1300*time.Millisecond), rapid.Just(5400*time.Millisecond), seconds(0, 25)).Draw(t, "at"), // many while a handler runs
		process: rapid.IntRange(1, 3).Draw(t, "process"),
		what:    rapid.SampledFrom([]string{"pause", "stop", "kill", "pause", "limit", "order", "order a pause"}).Draw(t, "what"),
		lasts:   rapid.OneOf(rapid.Just(500*time.Millisecond), seconds(0, 8)).Draw(t, "lasts"),
		most:    rapid.IntRange(1, 4).Draw(t, "most"),
	}
})

// faults are such as can happen at their step.
var faults = rapid.Custom(func(t *rapid.T) fault {
	f := fault{
		step: rapid.SampledFrom([]string{
			"publish", "publish", "publish", "confirm", "deliver", "ack", "ack", "return", "nack", "consume", "cancel", "qos", "declare", "open", "confirm.select", "close", "reply", "get", "dial",
		}).Draw(t, "step"),
		n: rapid.IntRange(1, 15).Draw(t, "n"),
	}
	kinds := []simulated.FaultKind{simulated.Cut, simulated.None, simulated.Restart, simulated.DeleteQueue, simulated.Alarm}
	switch f.step {
	case "publish":
		kinds = append(kinds, simulated.Nack, simulated.Unroutable, simulated.LateConfirm, simulated.NoConfirm, simulated.CloseChannel)
	case "ack", "consume", "declare":
		kinds = append(kinds, simulated.CloseChannel, simulated.CloseSession)
	case "deliver":
		kinds = append(kinds, simulated.Unreadable)
	case "dial":
		kinds = []simulated.FaultKind{simulated.Refuse, simulated.None, simulated.Restart}
	}
	f.Kind = rapid.SampledFrom(kinds).Draw(t, "fault")
	switch f.Kind {
	case simulated.Cut:
		f.After = rapid.Bool().Draw(t, "after")
		f.Client = rapid.OneOf(rapid.Just(time.Duration(0)), seconds(0, 10)).Draw(t, "client")
		f.Broker = rapid.OneOf(rapid.Just(time.Duration(0)), seconds(0, 10)).Draw(t, "broker")
	case simulated.CloseChannel:
		f.After = rapid.Bool().Draw(t, "after")
		f.Code = rapid.SampledFrom([]int{406, 404, 403}).Draw(t, "code")
	case simulated.CloseSession:
		f.After = rapid.Bool().Draw(t, "after")
	case simulated.DeleteQueue:
		f.Queue = rapid.SampledFrom([]string{errorQueue, "orders-retry-100ms", "orders-retry-1s", "orders-retry-5s", quarantineQueue, mainQueue}).Draw(t, "queue")
	case simulated.Alarm, simulated.Refuse, simulated.Restart, simulated.LateConfirm:
		f.For = seconds(0, 10).Draw(t, "for")
	case simulated.None:
		f.Delay = seconds(0, 35).Draw(t, "delay")
	}
	return f
})

const (
	mainQueue       = "orders"
	errorQueue      = "orders-error"
	quarantineQueue = "orders-quarantine"
)

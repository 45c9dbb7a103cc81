package publisher_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/test/histories"
)

// The test draws a history, runs it on a broker in simulated time, and examines it afterwards: what
// each publish returned must be true, whatever happened. rapid shrinks a history that fails. To run
// one again, or to run more of them:
//
//	go test ./publisher -run TestWhateverHappens -rapid.seed=... -rapid.checks=20000
func TestWhateverHappensWhatAPublishReturnsIsTrue(t *testing.T) {
	histories.Check(t, 500, anyHistory, func(h history) error { return h.actOut(t) }, "what was returned is not true, see below")
}

// actOut runs a history in a bubble, and returns what is wrong with it.
func (h history) actOut(t *testing.T) (err error) {
	w := &world{history: h}
	defer func() {
		// The bubble panics at its end if goroutines are left that never end.
		if p := recover(); p != nil {
			buf := make([]byte, 1<<20)
			err = fmt.Errorf("%v\n%s", p, buf[:runtime.Stack(buf, true)])
		}
		if err != nil {
			err = fmt.Errorf("%w\n\n%s\n\n%s", err, h, w.tail(150))
		}
	}()
	synctest.Test(t, func(*testing.T) { err = w.run() })
	return err
}

// history is what a few goroutines publish, and which faults happen meanwhile.
type history struct {
	broker   simulated.Options
	window   int
	messages []planned
	faults   []fault
	stop     time.Duration // when the publisher is stopped; 0 is at the end
}

// planned is one message, or one batch of messages.
type planned struct {
	at     time.Duration
	how    string // "publish", "async", "batch"
	what   []kind
	within time.Duration // the timeout of its context
}

// kind is the destination of a message.
type kind string

const (
	good        kind = "good"
	limited     kind = "to a queue of 3"
	unroutable  kind = "unroutable"
	twin        kind = "unroutable twin of the one before" // of the message before, and with its id
	careless    kind = "unroutable, not mandatory"
	noExchange  kind = "to no exchange"
	foreignUser kind = "of another user"
)

// fault happens at the n-th step of its kind.
type fault struct {
	step string
	n    int
	simulated.Fault
}

func (h history) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "RabbitMQ %d, frames take %s, window %d", h.broker.Version, h.broker.Latency, h.window)
	if h.stop > 0 {
		fmt.Fprintf(&s, ", stopped at %s", h.stop)
	}
	for i, m := range h.messages {
		fmt.Fprintf(&s, "\n  m%d at %s: %s within %s:", i+1, m.at, m.how, m.within)
		for _, k := range m.what {
			fmt.Fprintf(&s, " %s;", k)
		}
	}
	for _, f := range h.faults {
		fmt.Fprintf(&s, "\n  fault at %s %d: %s", f.step, f.n, f.Fault)
	}
	return s.String()
}

// GoString is for rapid, which prints histories with it.
func (h history) GoString() string { return h.String() }

func seconds(from, to int) *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.IntRange(from*10, to*10), func(n int) time.Duration { return time.Duration(n) * 100 * time.Millisecond })
}

var anyHistory = rapid.Custom(func(t *rapid.T) history {
	return history{
		broker: simulated.Options{
			Version: rapid.SampledFrom([]simulated.Version{simulated.RabbitMQ4, simulated.RabbitMQ3}).Draw(t, "version"),
			Latency: rapid.SampledFrom([]time.Duration{time.Millisecond, 0, 30 * time.Millisecond}).Draw(t, "latency"),
		},
		window:   rapid.IntRange(1, 6).Draw(t, "window"),
		messages: rapid.SliceOfN(messages, 1, 12).Draw(t, "messages"),
		faults:   rapid.SliceOfN(faults, 0, 6).Draw(t, "faults"),
		stop:     rapid.OneOf(rapid.Just(time.Duration(0)), rapid.Just(time.Duration(0)), seconds(1, 20)).Draw(t, "stop"),
	}
})

var kinds = rapid.SampledFrom([]kind{good, good, good, unroutable, limited, twin, noExchange, foreignUser, careless})

var messages = rapid.Custom(func(t *rapid.T) planned {
	m := planned{
		// With Just, many begin at once.
		at:     rapid.OneOf(rapid.Just(time.Second), seconds(0, 10)).Draw(t, "at"),
		how:    rapid.SampledFrom([]string{"publish", "async", "batch"}).Draw(t, "how"),
		within: rapid.OneOf(rapid.Just(5*time.Minute), seconds(0, 40)).Draw(t, "within"),
	}
	most := 1
	if m.how == "batch" {
		most = 4
	}
	m.what = rapid.SliceOfN(kinds, 1, most).Draw(t, "what")
	return m
})

// faults draws faults that can happen at their step.
var faults = rapid.Custom(func(t *rapid.T) fault {
	f := fault{
		step: rapid.SampledFrom([]string{"publish", "confirm", "return", "reply", "dial", "open", "confirm.select", "close", "closed"}).Draw(t, "step"),
		n:    rapid.IntRange(1, 12).Draw(t, "n"),
	}
	kinds := []simulated.FaultKind{simulated.Cut, simulated.None, simulated.Restart, simulated.DeleteQueue, simulated.Alarm}
	switch f.step {
	case "publish":
		kinds = append(kinds, simulated.Nack, simulated.Unroutable, simulated.LateConfirm, simulated.NoConfirm, simulated.CloseChannel, simulated.CloseSession)
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
		f.Code = rapid.SampledFrom([]int{406, 404, 403}).Draw(t, "code")
	case simulated.CloseSession:
		f.Code = rapid.SampledFrom([]int{541, 501, 320}).Draw(t, "code")
	case simulated.DeleteQueue:
		f.Queue = rapid.SampledFrom([]string{roomy, small}).Draw(t, "queue")
	case simulated.Alarm, simulated.Refuse, simulated.Restart, simulated.LateConfirm:
		f.For = seconds(0, 10).Draw(t, "for")
	case simulated.None:
		f.Delay = seconds(0, 35).Draw(t, "delay")
	}
	return f
})

const (
	roomy = "roomy"
	small = "small"
)

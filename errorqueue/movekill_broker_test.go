package errorqueue

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// removerVar makes the test binary move what waits, instead of running tests. It has the type of
// the old queues, the old name, the new name, the broker's URL, and mortal or nothing.
const removerVar = "BUNNICULA_TEST_MOVE"

// oldAndNew returns the options of a move from queues of this type.
func oldAndNew(kind topology.QueueType, old, now string) (o MoveOptions, err error) {
	delays := []time.Duration{time.Hour}
	if o.From, err = topology.New(topology.Plan{Queue: old, Type: kind, Delays: delays}); err != nil {
		return o, err
	}
	o.To, err = topology.New(topology.Plan{Queue: now, Delays: delays})
	return o, err
}

// remover is such a process.
func remover() int {
	args := strings.Fields(os.Getenv(removerVar))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	quiet := slog.New(slog.DiscardHandler)
	conn, err := connection.New(connection.Config{URL: args[3], Name: "remover"}, quiet)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer func() { _ = conn.Stop(ctx) }()
	o, err := oldAndNew(topology.QueueType(args[0]), args[1], args[2])
	if err != nil {
		fmt.Println(err)
		return 1
	}
	o.Window, o.Rate = killWindow, 2000
	var began sync.Once
	o.Progress = func(p Progress) {
		if p.Moved > 0 && len(args) > 4 {
			began.Do(func() { go killSoon(100 * time.Millisecond) })
		}
	}
	report, err := Move(ctx, conn, o, quiet)
	fmt.Println(report.Moved, report.Left, err)
	if err != nil || report.Left > 0 {
		return 1
	}
	return 0
}

// spread publishes messages from 0 to n-1 into the queues, the same number into each.
func spread(t *testing.T, ch *amqp.Channel, queues []string, n int) {
	t.Helper()
	part := n / len(queues)
	for i, queue := range queues {
		publish(t, ch, queue, part, func(k int) amqp.Publishing { return waits(queues[0], i*part+k) })
	}
}

func TestAMoverThatIsKilledLosesNothing(t *testing.T) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			const n = 3600
			kills := 10
			if testing.Short() {
				kills = 2
			}
			old, now := amqptest.Queue(t, "old"), amqptest.Queue(t, "new")
			o, err := oldAndNew(kind, old, now)
			if err != nil {
				t.Fatal(err)
			}
			ch := amqptest.Channel(t)
			if err := o.From.Declare(ch); err != nil {
				t.Fatal(err)
			}
			if err := o.To.Declare(ch); err != nil {
				t.Fatal(err)
			}
			if err := ch.Confirm(false); err != nil {
				t.Fatal(err)
			}
			spread(t, ch, o.From.Names(), n)
			start := func(how string) *amqptest.Process {
				// The broker has all back that the one before has held.
				amqptest.Eventually(t, 30*time.Second, func() bool {
					there := 0
					for _, queue := range slices.Concat(o.From.Names(), o.To.Names()) {
						there += amqptest.Depth(t, queue)
					}
					return there >= n
				}, "not all is back")
				return amqptest.StartProcess(t, []string{fmt.Sprintf("%s=%s %s %s %s %s", removerVar, kind, old, now, amqptest.URL(t), how)})
			}
			for range kills {
				if code := start(mortal).Wait(time.Minute); code != killedCode {
					t.Fatalf("it has ended with %d before it was killed", code)
				}
			}
			if code := start("").Wait(50 * time.Second); code != 0 {
				t.Fatalf("the last one ended with %d", code)
			}
			total, seen := 0, map[string]bool{}
			for _, queue := range o.From.Names() {
				if depth := amqptest.Depth(t, queue); depth != 0 {
					t.Errorf("%d messages are in %s still", depth, queue)
				}
			}
			for _, queue := range o.To.Names() {
				for _, d := range empty(t, queue) {
					seen[d.MessageId] = true
					total++
				}
			}
			twice := total - len(seen)
			if len(seen) != n || twice > kills*killWindow {
				t.Errorf("%d of %d messages are there, %d of them twice, want at most %d", len(seen), n, twice, kills*killWindow)
			}
			t.Logf("%d kills, %d duplicates", kills, twice)
		})
	}
}

// The broker is the test's own, because the test kills it.
func TestABrokerThatIsKilledDuringAMoveLosesNothing(t *testing.T) {
	amqptest.Long(t)
	broker := amqptest.StartBroker(t)
	const n, window = 3000, 50
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			o, err := oldAndNew(kind, "old-"+string(kind), "new-"+string(kind))
			if err != nil {
				t.Fatal(err)
			}
			old := mainOf(o.From)
			ch := on(t, broker)
			for _, each := range []topology.Topology{o.From, o.To} {
				if err := each.Declare(ch); err != nil {
					t.Fatal(err)
				}
			}
			publish(t, ch, old+"-error", n/2, func(k int) amqp.Publishing { return parked(old, k) })
			publish(t, ch, old, n/2, func(k int) amqp.Publishing { return waits(old, n/2+k) })
			broker.Settle()
			// A new quorum queue may not survive a kill. That is the broker's fault.
			time.Sleep(3 * time.Second)

			quiet := slog.New(slog.DiscardHandler)
			conn, err := connection.New(connection.Config{URL: broker.URL, Name: "move-test", MinBackoff: 50 * time.Millisecond, MaxBackoff: time.Second}, quiet)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			defer func() { _ = conn.Stop(ctx) }()
			back := make(chan struct{}) // closed when the broker is up again
			killed := false
			o.Window, o.Rate = window, 500
			o.Wait = time.Minute // the killed broker brings its queues up one by one
			o.Progress = func(p Progress) {
				if !killed && p.Moved > n/4 {
					killed = true
					broker.Kill()
					go func() {
						defer close(back)
						broker.Start()
					}()
				}
			}
			report, err := Move(ctx, conn, o, quiet)
			if !killed {
				t.Fatalf("it ended before the kill: %+v, %v", report, err)
			}
			<-back
			if err != nil || report.Failed > 0 || report.Left > 0 || report.Moved != n {
				t.Errorf("move: %+v, %v", report, err)
			}
			ch = on(t, broker)
			seen, total := map[string]bool{}, 0
			for _, queue := range []string{mainOf(o.To), mainOf(o.To) + "-error"} {
				for _, id := range drain(t, ch, queue) {
					seen[id] = true
					total++
				}
			}
			twice := total - len(seen)
			// A killed broker forgets the last acks. In a classic queue these may be all acks.
			if len(seen) != n || twice > report.MaybeTwice || kind == topology.Quorum && twice > 2*window {
				t.Errorf("%d of %d messages are there, %d of them twice; it told %d", len(seen), n, twice, report.MaybeTwice)
			}
			t.Logf("%d duplicates of %d, %d of them told", twice, n, report.MaybeTwice)
		})
	}
}

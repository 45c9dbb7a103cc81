package errorqueue

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// redriverVar makes the test binary redrive the queue that it names, instead of running tests.
const redriverVar = "BUNNICULA_TEST_REDRIVE"

const (
	killWindow = 10
	beganWord  = "began"
	killedCode = 137 // of a process that was killed
)

// In front of the queue's name readOnly makes the process list the queue and hold its messages, and
// mortal makes it kill itself soon after it has moved the first message.
const (
	readOnly = "list:"
	mortal   = "mortal:"
)

// killSoon kills this process, as kill -9 does, within so long. A test that did it from outside
// could be too late on a busy machine.
func killSoon(within time.Duration) {
	time.Sleep(rand.N(within))
	if self, err := os.FindProcess(os.Getpid()); err != nil || self.Kill() != nil {
		fmt.Println("it cannot kill itself")
	}
}

// redriver is such a process.
func redriver() int {
	queue, url, _ := strings.Cut(os.Getenv(redriverVar), " ")
	queue, listing := strings.CutPrefix(queue, readOnly)
	queue, dies := strings.CutPrefix(queue, mortal)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := connection.New(connection.Config{URL: url, Name: "redriver"}, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer func() { _ = conn.Stop(ctx) }()
	q, err := Open(ctx, conn, Config{Queue: queue, Wait: 20 * time.Second, Window: 100}, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if listing {
		n := 0
		for _, err := range q.List(ctx, ListOptions{}) {
			if err != nil {
				fmt.Println(err)
				return 1
			}
			if n++; n == 700 {
				fmt.Println(beganWord)
				<-ctx.Done()
			}
		}
		return 0
	}
	var began sync.Once
	report, err := q.Redrive(ctx, RedriveOptions{All: true, Window: killWindow, Rate: 2000, Progress: func(p Progress) {
		if p.Moved > 0 && dies {
			began.Do(func() { go killSoon(120 * time.Millisecond) })
		}
	}})
	fmt.Println(report.Moved, err)
	if err != nil {
		return 1
	}
	return 0
}

func TestARedriverThatIsKilledLosesNothing(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, queue string) {
		const n = 4000
		kills := 10
		if testing.Short() {
			kills = 2
		}
		park(t, queue, n)
		start := func(how string) *amqptest.Process {
			// The broker has all back that the one before has held.
			amqptest.Eventually(t, 30*time.Second, func() bool { return amqptest.Depth(t, queue)+amqptest.Depth(t, queue+"-error") >= n }, "not all is back")
			return amqptest.StartProcess(t, []string{redriverVar + "=" + how + queue + " " + amqptest.URL(t)})
		}
		killed := 0
		for killed < kills && amqptest.Depth(t, queue) < n {
			if code := start(mortal).Wait(time.Minute); code != killedCode {
				t.Fatalf("it has ended with %d before it was killed", code)
			}
			killed++
		}
		if killed < kills {
			t.Fatalf("all is moved after %d kills: too fast for this test", killed)
		}
		if code := start("").Wait(50 * time.Second); code != 0 {
			t.Fatalf("the last one ended with %d", code)
		}
		if depth := amqptest.Depth(t, queue+"-error"); depth != 0 {
			t.Errorf("%d messages are parked still", depth)
		}
		seen := map[string]int{}
		for _, d := range empty(t, queue) {
			seen[d.MessageId]++
		}
		missing, twice := 0, 0
		for i := range n {
			switch times := seen[id(i)]; {
			case times == 0:
				missing++
			default:
				twice += times - 1
			}
		}
		if missing > 0 || twice > kills*killWindow || len(seen) != n {
			t.Errorf("%d of %d messages are missing, %d are there twice, want at most %d", missing, n, twice, kills*killWindow)
		}
		t.Logf("%d kills, %d duplicates", kills, twice)
	})
}

func TestAReaderThatIsKilledLosesNothing(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, queue string) {
		const n = 1000
		park(t, queue, n)
		for range 2 {
			p := amqptest.StartProcess(t, []string{redriverVar + "=" + readOnly + queue + " " + amqptest.URL(t)})
			p.Await(beganWord, 30*time.Second)
			if held := n - amqptest.Depth(t, queue+"-error"); held < 700 {
				t.Errorf("it holds %d messages", held)
			}
			p.Kill()
			amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue+"-error") == n }, "not all is back")
		}
		seen := map[string]bool{}
		for _, d := range empty(t, queue+"-error") {
			seen[d.MessageId] = true
		}
		if len(seen) != n {
			t.Errorf("%d messages are there, want %d", len(seen), n)
		}
	})
}

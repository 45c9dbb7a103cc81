package errorqueue

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestARedriveGoesOnWhenTheConnectionIsLost(t *testing.T) {
	eachKind(t, func(t *testing.T, queue string) {
		const n, window, cuts = 600, 10, 3
		park(t, queue, n)
		proxy := amqptest.NewProxy(t, amqptest.URL(t))
		conn, err := connection.New(connection.Config{URL: proxy.URL(), Name: "errorqueue-test", MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
		defer cancel()
		defer func() { _ = conn.Stop(ctx) }()
		q, err := Open(ctx, conn, Config{Queue: queue, Wait: 20 * time.Second}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close(ctx)
		cut := 0
		report, err := q.Redrive(ctx, RedriveOptions{All: true, Window: window, Rate: 400, Progress: func(p Progress) {
			if cut < cuts && p.Moved > 100*(cut+1) {
				if cut++; cut == cuts {
					// These messages arrive while the redrive runs.
					amqptest.Publish(t, "", queue+"-error", parked(queue, n))
				}
				proxy.Cut()
			}
		}})
		if err != nil || cut != cuts || report.Rounds < 2 || report.MaybeTwice > cuts*window {
			t.Errorf("%d cuts: %v, %+v", cut, err, report)
		}
		if depth := amqptest.Depth(t, q.Name()); depth != 1 {
			t.Errorf("%d messages are parked, want the one that came meanwhile", depth)
		}
		seen := map[string]int{}
		for _, d := range empty(t, queue) {
			seen[d.MessageId]++
		}
		twice := 0
		for _, times := range seen {
			twice += times - 1
		}
		// The sender may send each unconfirmed message once more.
		if len(seen) != n || twice > 2*cuts*window {
			t.Errorf("%d of %d messages are there, %d twice", len(seen), n, twice)
		}
		t.Logf("%d cuts, %d rounds, %d duplicates", cuts, report.Rounds, twice)
	})
}

func TestAMessageThatTheClientCannotReadBlocksNothingBehindIt(t *testing.T) {
	eachKind(t, func(t *testing.T, queue string) {
		const n, at = 60, 40
		deep := amqp.Table{"end": "here"}
		for range 40 {
			deep = amqp.Table{"t": deep}
		}
		fill(t, queue+"-error", n, func(i int) amqp.Publishing {
			p := parked(queue, i)
			if i == at {
				p.Headers["deep"] = deep
			}
			return p
		})
		conn := connecttest.New(t, connection.Config{})
		q, err := Open(t.Context(), conn, Config{Queue: queue}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close(context.Background())
		all := list(t, q, ListOptions{})
		if len(all) != n {
			t.Fatalf("%d messages are listed, want %d", len(all), n)
		}
		for i, m := range all {
			if m.Illegible != (i == at) || m.ID != id(i) || m.Reason != "timeout" || m.Headers["tenant"] != "acme" || m.Target != queue {
				t.Errorf("message %d: %+v", i, m)
			}
		}
		var file bytes.Buffer
		if exported, err := q.Export(t.Context(), &file, ExportOptions{}); err != nil || exported != n || strings.Count(file.String(), illegible) != 1 {
			t.Errorf("%d are exported, %v", exported, err)
		}
		if report := redriveOK(t, q, RedriveOptions{All: true, To: queue}); report.Moved != n-1 || report.Failed != 0 || report.Illegible != 1 {
			t.Errorf("redrive: %+v", report)
		}
		inOrder(t, queue, n, func(i int) bool { return i == at })
		for _, o := range []RedriveOptions{{All: true}, {All: true, DryRun: true}, {All: true, Batches: []int{1}, Watch: time.Millisecond}} {
			if report := redriveOK(t, q, o); report.Moved+report.Matched != 0 || report.Illegible != 1 {
				t.Errorf("redrive of the last one: %+v", report)
			}
		}
		if report, err := q.Discard(t.Context(), DiscardOptions{All: true}); err != nil || report.Discarded != 0 || report.Illegible != 1 {
			t.Errorf("into the archive: %+v, %v", report, err)
		}
		if depth := amqptest.Depth(t, q.Name()); depth != 1 {
			t.Errorf("%d messages are parked, want 1", depth)
		}
		if report, err := q.Discard(t.Context(), DiscardOptions{All: true, Delete: true}); err != nil || report.Discarded != 1 || report.Illegible != 0 {
			t.Errorf("deleted: %+v, %v", report, err)
		}
		if report, err := q.Import(t.Context(), bytes.NewReader(file.Bytes()), ImportOptions{}); err != nil || report.Imported != n {
			t.Errorf("import: %+v, %v", report, err)
		}
		var again bytes.Buffer
		if _, err := q.Export(t.Context(), &again, ExportOptions{Filter: terms(t, "id="+id(at))}); err != nil || illegibleIn(t, again.String()) != illegibleIn(t, file.String()) {
			t.Errorf("its bytes are not the same again: %v", err)
		}
	})
}

// illegibleIn returns the field of a file that holds the headers that could not be read.
func illegibleIn(t *testing.T, file string) string {
	t.Helper()
	_, rest, ok := strings.Cut(file, illegible+`":{"bytes":"`)
	if !ok {
		t.Fatal("the file has no such header")
	}
	text, _, _ := strings.Cut(rest, `"`)
	return text
}

// A message that is published and not acked when the connection is lost is still parked, and is
// moved again. It must not use up the limit of other messages. Those would stay parked, while the
// report would say that they may be in both queues.
func TestALimitCountsAMessageOnceThatIsMovedTwice(t *testing.T) {
	amqptest.Long(t)
	t.Parallel()
	eachKind(t, func(t *testing.T, queue string) {
		const n, window, cuts = 6000, 100, 4
		park(t, queue, n)
		proxy := amqptest.NewProxy(t, amqptest.URL(t))
		q := openThrough(t, proxy, Config{Queue: queue, Wait: 20 * time.Second})
		cut := 0
		report, err := q.Redrive(t.Context(), RedriveOptions{All: true, Limit: n, Window: window, Progress: func(p Progress) {
			if cut < cuts && p.Moved > 1000*(cut+1) {
				cut++
				// A window is in flight then.
				time.AfterFunc(time.Duration(cut)*time.Millisecond, func() { proxy.Cut() })
			}
		}})
		if err != nil || cut != cuts {
			t.Fatalf("%d cuts: %v, %+v", cut, err, report)
		}
		seen := map[string]bool{}
		for _, d := range empty(t, queue) {
			seen[d.MessageId] = true
		}
		// Duplicates are allowed: a broker can forget acks that it has answered.
		left := empty(t, q.Name())
		for _, d := range left {
			if !seen[d.MessageId] {
				t.Fatalf("%d of %d are moved, and %s is parked still: %+v", len(seen), n, d.MessageId, report)
			}
		}
		if len(seen) != n || len(left) > cuts*window {
			t.Errorf("%d of %d are moved, %d are parked too: %+v", len(seen), n, len(left), report)
		}
	})
}

// openThrough opens an error queue on a connection that can be cut.
func openThrough(t *testing.T, proxy *amqptest.Proxy, cfg Config) *Queue {
	t.Helper()
	conn, err := connection.New(connection.Config{URL: proxy.URL(), Name: "errorqueue-test", MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_ = conn.Stop(ctx) // its broker may be out of reach
	})
	q, err := Open(t.Context(), conn, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// A broker that dead-letters a message adds its own headers, even if they do not fit a frame
// together with the user's.
func TestHeadersLargerThanAFrameBlockNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, queue string) {
		const spare = 50 // bytes that a frame has left beside the user's headers
		ch := amqptest.Channel(t)
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		// Of a table with one text named pad, a delivery mode, an id and an expiration.
		const properties = 4 + 1 + 3 + 1 + 4 + 1 + 4 + 2
		pad := strings.Repeat("x", 128*1024-8-14-properties-spare)
		big := amqp.Publishing{DeliveryMode: amqp.Persistent, Expiration: "1", MessageId: "big", Headers: amqp.Table{"pad": pad}}
		publish(t, ch, queue, 1, func(int) amqp.Publishing { return big })
		amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue+"-error") == 1 }, "it is not dead-lettered")
		publish(t, ch, queue+"-error", 5, func(i int) amqp.Publishing { return parked(queue, i) })
		q := open(t, Config{Queue: queue})
		for range 2 {
			all := list(t, q, ListOptions{})
			if len(all) != 6 || all[0].ID != "big" || all[0].Reason != "expired" || all[0].Headers["pad"] != pad {
				t.Fatalf("%d are listed", len(all))
			}
		}
		if report := redriveOK(t, q, RedriveOptions{All: true}); report.Moved != 6 {
			t.Errorf("got %+v", report)
		}
	})
}

// The messages of the lost connection are on their way back to the queue when the next round
// begins.
func TestARedriveOfTheLastAmongManyGoesOnWhenTheConnectionIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes many messages")
	}
	eachKind(t, func(t *testing.T, queue string) {
		const n, tail, cuts = 20000, 400, 3
		fill(t, queue+"-error", n, func(i int) amqp.Publishing {
			p := parked(queue, i)
			if i >= n-tail {
				p.Headers["pick"] = "yes"
			}
			return p
		})
		proxy := amqptest.NewProxy(t, amqptest.URL(t))
		q := openThrough(t, proxy, Config{Queue: queue, Wait: 20 * time.Second})
		cut := 0
		report, err := q.Redrive(t.Context(), RedriveOptions{Filter: terms(t, "header.pick=yes"), Window: 10, Rate: 400, Progress: func(p Progress) {
			if cut < cuts && p.Moved > 80*(cut+1) {
				cut++
				proxy.Cut()
			}
		}})
		if err != nil || cut != cuts {
			t.Errorf("%d cuts: %v, %+v", cut, err, report)
		}
		amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, q.Name()) == n-tail }, "%d are parked, want %d", amqptest.Depth(t, q.Name()), n-tail)
	})
}

// The broker takes a dead connection for alive longer than the client does, and with it the lock.
func TestARedriveOutlivesItsOwnGhost(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some heartbeats")
	}
	queue := declare(t, topology.Quorum)
	const n = 600
	park(t, queue, n)
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	q := openThrough(t, proxy, Config{Queue: queue})
	gone := false
	report, err := q.Redrive(t.Context(), RedriveOptions{All: true, Window: 10, Rate: 200, Progress: func(p Progress) {
		if !gone && p.Moved > 100 {
			gone = true
			proxy.Blackhole(amqptest.Both)
		}
	}})
	if err != nil || !gone {
		t.Errorf("%v, %+v", err, report)
	}
	if depth := amqptest.Depth(t, q.Name()); depth != 0 {
		t.Errorf("%d are parked still", depth)
	}
}

func TestARedriveSaysWhenSomebodyElseTookWhatItChose(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, queue string) {
		const n = 1500
		park(t, queue, n)
		q := open(t, Config{Queue: queue})
		taken := 0
		report, err := q.Redrive(t.Context(), RedriveOptions{All: true, Rate: 1000, Progress: func(p Progress) {
			if p.Round > 0 && p.Moved > 0 && taken == 0 {
				taken, _ = amqptest.Channel(t).QueuePurge(q.Name(), false)
			}
		}})
		if !errors.Is(err, ErrGone) || taken == 0 || report.Moved != n-taken || report.Matched != n {
			t.Errorf("%d were taken: %v, %+v", taken, err, report)
		}
	})
}

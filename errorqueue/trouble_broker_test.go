package errorqueue

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/amqptest"
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
					amqptest.Publish(t, "", queue+"-error", parked(queue, n)) // meanwhile
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
		if len(seen) != n || twice > 2*cuts*window { // the sender may send once more what it has no confirm of
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
		conn := connect(t)
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
		if exported, err := q.Export(t.Context(), &file, ExportOptions{}); err != nil || exported != n || strings.Count(file.String(), connection.HeaderIllegible) != 1 {
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
		if _, err := q.Export(t.Context(), &again, ExportOptions{Filter: filter(t, "id="+id(at))}); err != nil || illegibleIn(t, again.String()) != illegibleIn(t, file.String()) {
			t.Errorf("its bytes are not the same again: %v", err)
		}
	})
}

// illegibleIn is the field of a file that holds what could not be read.
func illegibleIn(t *testing.T, file string) string {
	t.Helper()
	_, rest, ok := strings.Cut(file, connection.HeaderIllegible+`":{"bytes":"`)
	if !ok {
		t.Fatal("the file has no such header")
	}
	text, _, _ := strings.Cut(rest, `"`)
	return text
}

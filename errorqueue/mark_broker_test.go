package errorqueue

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

func TestAMarkChoosesAMessageWithoutAnIdAndItsArchivedCopy(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, queue string) {
		fill(t, queue+"-error", 6, func(i int) amqp.Publishing {
			p := parked(queue, i%5) // the last one is alike the first
			p.MessageId = ""
			return p
		})
		q := open(t, Config{Queue: queue})
		all := list(t, q, ListOptions{})
		if all[0].Mark != all[5].Mark || all[0].Mark == all[1].Mark {
			t.Errorf("the marks are %s, %s and %s", all[0].Mark, all[1].Mark, all[5].Mark)
		}
		report, err := q.Discard(t.Context(), DiscardOptions{Filter: Filter{Marks: []string{all[0].Mark, all[3].Mark}}})
		if err != nil || report.Discarded != 3 {
			t.Fatalf("%v, %+v", err, report)
		}
		archived := list(t, open(t, Named(queue+"-archive")), ListOptions{Filter: terms(t, "mark="+all[3].Mark)})
		if len(archived) != 1 || string(archived[0].Body) != string(all[3].Body) {
			t.Errorf("in the archive: %+v", archived)
		}
		if left := list(t, q, ListOptions{}); len(left) != 3 || left[2].Mark != all[4].Mark {
			t.Errorf("left are %+v", left)
		}
	})
}

func TestWhatARedriveBroughtBackAndWhatWasParkedInADayAreChosen(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, queue string) {
		fill(t, queue+"-error", 8, func(i int) amqp.Publishing {
			p := parked(queue, i)
			p.Headers[wire.FailedAt] = time.Date(2026, 11, 1, 6*i, 0, 0, 0, time.UTC).Format(time.RFC3339)
			return p
		})
		q := open(t, Config{Queue: queue})
		if day := list(t, q, ListOptions{Filter: terms(t, "after=2026-11-01 before=2026-11-02")}); len(day) != 4 || day[3].ID != id(3) {
			t.Errorf("on the first day: %+v", day)
		}
		failing(t, queue, func(n int) bool { return n == 6 })
		report := redriveOK(t, q, RedriveOptions{Filter: terms(t, "after=2026-11-02T06:00:00Z")})
		if report.Moved != 3 {
			t.Errorf("got %+v", report)
		}
		amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, q.Name()) == 6 }, "the one that fails is not parked")
		if again := list(t, q, ListOptions{Filter: terms(t, "redrive="+report.ID)}); len(again) != 1 || again[0].ID != id(6) {
			t.Errorf("failed again: %+v", again)
		}
	})
}

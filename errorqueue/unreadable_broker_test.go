package errorqueue

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// parkAround parks messages from 0 to n-1. In front of the one at this place it parks a message
// that the broker cannot convert for AMQP 0-9-1.
func parkAround(t *testing.T, queue string, n, at int) {
	t.Helper()
	errors := queue + "-error"
	park(t, queue, at)
	amqptest.Publish10(t, errors, amqptest.Unconvertible("bad"))
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, errors) == at+1 }, "the bad one is not there")
	ch := amqptest.Channel(t)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	publish(t, ch, errors, n-at, func(i int) amqp.Publishing { return parked(queue, at+i) })
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, errors) == n+1 }, "not all are there")
}

// unreadable returns the error for a message that cannot be read at this place.
func unreadable(t *testing.T, what string, err error) *UnreadableError {
	t.Helper()
	var u *UnreadableError
	var closed *amqp.Error
	if !errors.As(err, &u) || !errors.As(err, &closed) || closed.Code != amqp.InternalError {
		t.Fatalf("%s: %v", what, err)
	}
	return u
}

func TestAllThatStandsBeforeAMessageThatTheBrokerCannotConvertIsRead(t *testing.T) {
	amqptest.Long(t) // six connections are lost, and as often all messages come back
	if amqptest.Major(t) < 4 {
		t.Skip("before RabbitMQ 4 AMQP 1.0 is a plugin, and converts what it takes")
	}
	eachKind(t, func(t *testing.T, queue string) {
		const n, at = 60, 40
		parkAround(t, queue, n, at)
		q := open(t, Config{Queue: queue})
		back := func(want int) {
			t.Helper()
			amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, q.Name()) == want }, "%d are parked, want %d", amqptest.Depth(t, q.Name()), want)
		}

		var ids []string
		var last error
		for m, err := range q.List(t.Context(), ListOptions{}) {
			if last = err; err == nil {
				ids = append(ids, m.ID)
			}
		}
		u := unreadable(t, "list", last)
		// A quorum queue puts some of those that stood behind it in front, when a connection is
		// lost.
		if u.Position <= at || u.Behind != n-len(ids) || len(ids) < at || !slices.IsSorted(ids[:at]) || ids[at-1] != id(at-1) {
			t.Errorf("%d are listed: %v, %v", len(ids), ids, last)
		}
		back(n + 1)

		if one := list(t, q, ListOptions{Limit: 5}); len(one) != 5 {
			t.Errorf("%d of the first five are listed", len(one))
		}
		back(n + 1)

		report, err := q.Groups(t.Context(), GroupOptions{})
		if u = unreadable(t, "groups", err); report.Messages != n-u.Behind || report.Messages < at || !report.Incomplete || len(report.Groups) != 1 {
			t.Errorf("groups: %+v, %v", report, err)
		}
		back(n + 1)

		var file bytes.Buffer
		exported, err := q.Export(t.Context(), &file, ExportOptions{})
		if u = unreadable(t, "export", err); exported != n-u.Behind || exported < at {
			t.Errorf("%d are exported: %v", exported, err)
		}
		if read, err := q.Import(t.Context(), &file, ImportOptions{DryRun: true}); err != nil || read.Messages != exported {
			t.Errorf("the export is not whole: %+v, %v", read, err)
		}
		back(n + 1)

		dry, err := q.Redrive(t.Context(), RedriveOptions{All: true, DryRun: true})
		if u = unreadable(t, "dry run", err); dry.Matched != u.Position-1 || dry.Matched < at || dry.Targets[0].Messages != dry.Matched {
			t.Errorf("dry run: %+v, %v", dry, err)
		}
		back(n + 1)

		_, err = q.Redrive(t.Context(), RedriveOptions{All: true, Batches: []int{1}, Watch: time.Second})
		_ = unreadable(t, "batches", err)
		if depth := amqptest.Depth(t, queue); depth != 0 {
			t.Errorf("in batches %d were moved, of which none could be watched", depth)
		}
		back(n + 1)

		few, err := q.Redrive(t.Context(), RedriveOptions{Filter: terms(t, "id="+id(3)+","+id(at-1))})
		if _ = unreadable(t, "redrive of two", err); few.Moved != 2 || few.Matched != 2 || few.Failed != 0 {
			t.Errorf("redrive of two: %+v, %v", few, err)
		}
		back(n - 1)

		moved, err := q.Redrive(t.Context(), RedriveOptions{All: true})
		if u = unreadable(t, "redrive", err); moved.Moved < at-2 || moved.Moved != moved.Matched || moved.Failed != 0 || u.Behind != n-2-moved.Moved || u.Position != 1 {
			t.Errorf("redrive: %+v, %v", moved, err)
		}
		back(n - 1 - moved.Moved)
		seen := map[string]bool{}
		for _, d := range empty(t, queue) {
			seen[d.MessageId] = true
		}
		if len(seen) != few.Moved+moved.Moved {
			t.Errorf("%d are in the main queue, want %d", len(seen), few.Moved+moved.Moved)
		}
	})
}

func TestWhatStandsBeforeAMessageThatTheBrokerCannotConvertIsDiscarded(t *testing.T) {
	if amqptest.Major(t) < 4 {
		t.Skip("before RabbitMQ 4 AMQP 1.0 is a plugin, and converts what it takes")
	}
	eachKind(t, func(t *testing.T, queue string) {
		const n, at = 60, 40
		parkAround(t, queue, n, at)
		q := open(t, Config{Queue: queue})
		report, err := q.Discard(t.Context(), DiscardOptions{All: true})
		if u := unreadable(t, "discard", err); report.Discarded < at || report.Failed != 0 || u.Position != 1 {
			t.Errorf("%+v, %v", report, err)
		}
		seen := map[string]bool{}
		for _, d := range empty(t, queue+"-archive") {
			seen[d.MessageId] = true
		}
		for i := range at {
			if !seen[id(i)] {
				t.Errorf("%s stands before it and is not archived", id(i))
			}
		}
		left := n + 1 - len(seen)
		amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, q.Name()) >= left }, "%d are parked still, want %d", amqptest.Depth(t, q.Name()), left)
	})
}

func TestAMessageThatTheBrokerCannotConvertAtTheHeadIsNotCountedAsAbsent(t *testing.T) {
	if amqptest.Major(t) < 4 {
		t.Skip("before RabbitMQ 4 AMQP 1.0 is a plugin, and converts what it takes")
	}
	eachKind(t, func(t *testing.T, queue string) {
		parkAround(t, queue, 3, 0)
		q := open(t, Config{Queue: queue})
		report, err := q.Groups(t.Context(), GroupOptions{})
		if u := unreadable(t, "groups", err); report.Messages != 3-u.Behind {
			t.Errorf("%+v, %v", report, err)
		}
		if s, err := q.Status(t.Context()); err != nil || s.Messages != 4 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

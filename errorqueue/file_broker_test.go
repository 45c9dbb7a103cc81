package errorqueue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/deliverytest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// everything returns a message with every property and a header of every AMQP type.
func everything() amqp.Publishing {
	p := parked("orders", 1)
	p.ContentEncoding, p.CorrelationId, p.ReplyTo, p.Type, p.AppId, p.Priority = "gzip", "c", "r", "t", "a", 3
	p.Body = []byte{0, 1, 0xff}
	p.Timestamp = time.Unix(1_800_000_000_000, 0) // milliseconds, as some producers write
	for name, value := range map[string]any{
		"nil": nil, "true": true, "int8": int8(-1), "int16": int16(-2), "int32": int32(-3), "int64": int64(math.MinInt64), "uint8": uint8(4),
		"uint16": uint16(5), "uint32": uint32(math.MaxUint32), "float32": float32(1.5), "float64": math.Pi,
		"decimal": amqp.Decimal{Scale: 2, Value: 314}, "time": time.Unix(1_700_000_000, 0), "milliseconds": time.Unix(1_800_000_000_000, 0), "no time": time.Unix(math.MinInt64, 0), "bytes": []byte{0xff, 0}, "text": "é\xff", "": "no name",
		"table": amqp.Table{"a": amqp.Table{"b": []any{int8(1), nil, amqp.Table{"c": []byte("x")}}}}, "array": []any{uint8(1), "x", []any{}},
	} {
		p.Headers[name] = value
	}
	return p
}

// raw returns a delivery without the fields that differ at each delivery.
func raw(d amqp.Delivery) amqp.Delivery {
	maps.DeleteFunc(d.Headers, func(name string, _ any) bool { return wire.IsCount(name) })
	d.Acknowledger, d.ConsumerTag, d.DeliveryTag, d.Redelivered, d.MessageCount, d.Exchange, d.RoutingKey = nil, "", 0, false, 0, "", ""
	return d
}

// file returns an export with these lines as its messages.
func file(messages ...string) string {
	first := `{"format":"bunnicula-errorqueue","version":1,"queue":"orders-error"}` + "\n"
	return first + strings.Join(append(messages, fmt.Sprintf(`{"end":true,"messages":%d}`, len(messages))), "\n") + "\n"
}

const good = `{"exchange":"","routing_key":"orders-error","properties":{"message_id":"m"},"headers":{"n":{"int32":1}},"text":"x"}`

func TestWhatIsExportedAndImportedIsTheSameOnTheWire(t *testing.T) {
	eachKind(t, func(t *testing.T, queue string) {
		const n = 250
		message := func(i int) amqp.Publishing {
			if i == 7 {
				return everything()
			}
			return parked(queue, i)
		}
		fill(t, queue+"-error", n, message)
		q := open(t, Config{Queue: queue})
		name := filepath.Join(t.TempDir(), "errors.jsonl")
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		if written, err := q.Export(t.Context(), f, ExportOptions{}); err != nil || written != n {
			t.Fatalf("%d written, %v", written, err)
		}
		before := empty(t, q.Name())
		if len(before) != n {
			t.Fatalf("%d messages are there after the export, want %d", len(before), n)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		var last Progress
		report, err := q.Import(t.Context(), f, ImportOptions{Progress: func(p Progress) { last = p }})
		if err != nil || report.Imported != n || report.Messages != n || report.Source != q.Name() || report.To != q.Name() || report.Next != n+2 {
			t.Fatalf("%v, %+v", err, report)
		}
		if last.Of != n || last.Read != n || last.Moved != n {
			t.Errorf("progress %+v", last)
		}
		amqptest.Eventually(t, 30*time.Second, func() bool { return amqptest.Depth(t, q.Name()) == n }, "not all are there")
		after := empty(t, q.Name())
		for _, all := range [][]amqp.Delivery{before, after} { // RabbitMQ 4.3 delivers by priority
			slices.SortStableFunc(all, func(a, b amqp.Delivery) int { return int(a.Priority) - int(b.Priority) })
		}
		for i := range n {
			was, is := raw(before[i]), raw(after[i])
			if !deliverytest.SameHeader(was.Headers, is.Headers) {
				t.Fatalf("message %d: headers\n%#v, want\n%#v", i, is.Headers, was.Headers)
			}
			was.Headers, is.Headers = nil, nil
			if !reflect.DeepEqual(was, is) {
				t.Fatalf("message %d is\n%+v, want\n%+v", i, is, was)
			}
		}
		if got := before[n-1].Headers; !deliverytest.SameHeader(got["table"], everything().Headers["table"]) {
			t.Errorf("the test's message came as %#v", got)
		}
	})
}

func TestAFileThatIsWrongMovesNothing(t *testing.T) {
	queue := declare(t, topology.Quorum)
	q := open(t, Config{Queue: queue})
	for name, text := range map[string]string{
		"another format": "id,name\n", "a wrong line at its end": file(good, good, "x"), "cut off": strings.TrimSuffix(file(good, good), `{"end":true,"messages":2}`+"\n"), "empty": "",
	} {
		report, err := q.Import(t.Context(), strings.NewReader(text), ImportOptions{Window: 1})
		if err == nil || report.Imported != 0 {
			t.Errorf("%s: %v, %+v", name, err, report)
		}
	}
	if depth := amqptest.Depth(t, q.Name()); depth != 0 {
		t.Errorf("%d messages were imported", depth)
	}
	// A reader that cannot seek is imported up to the wrong line.
	report, err := q.Import(t.Context(), io.MultiReader(strings.NewReader(file(good, good, "x"))), ImportOptions{})
	var at *LineError
	if !errors.As(err, &at) || at.Line != 4 || report.Imported != 2 || report.Next != 4 {
		t.Errorf("a stream: %v, %+v", err, report)
	}
	if report, err = q.Import(t.Context(), strings.NewReader(file(good)), ImportOptions{To: queue + "-gone"}); !errors.As(err, new(*MissingTargetError)) || report.Imported != 0 {
		t.Errorf("to a queue that is not there: %v, %+v", err, report)
	}
	if report, err = q.Import(t.Context(), strings.NewReader(file(good)), ImportOptions{DryRun: true}); err != nil || report.Messages != 1 || report.Imported != 0 {
		t.Errorf("dry run: %v, %+v", err, report)
	}
}

func TestAnImportLeavesOutWhatWouldDoHarm(t *testing.T) {
	queue := declare(t, topology.Quorum)
	q := open(t, Config{Queue: queue})
	harmful := `{"exchange":"","routing_key":"","properties":{"expiration":"1","user_id":"somebody"},"text":"x","headers":{
		"CC":{"array":["` + queue + `"]},"x-death":{"array":[{"table":{"queue":"` + queue + `","reason":"expired","exchange":"shop","routing-keys":{"array":["order.placed"]},"time":{"timestamp":"2026-01-02T15:04:05Z"}}}]}}}`
	if _, err := q.Import(t.Context(), strings.NewReader(file(strings.ReplaceAll(harmful, "\n", ""))), ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	m := list(t, q, ListOptions{})
	if len(m) != 1 || m[0].Reason != "expired" || m[0].Target != queue || m[0].TargetFrom != fromHeader || m[0].OriginalExchange != "shop" ||
		m[0].OriginalExpiration != "1" || m[0].OriginalUserID != "somebody" || m[0].UserID != "" || m[0].FailedAt.Year() != 2026 || len(m[0].Deaths) != 0 {
		t.Errorf("got %+v", m)
	}
	if depth := amqptest.Depth(t, queue); depth != 0 {
		t.Errorf("CC has put %d copies into another queue", depth)
	}
}

func TestWhatIsDiscardedIsInTheArchiveAndCanBeRedrivenFromThere(t *testing.T) {
	eachKind(t, func(t *testing.T, queue string) {
		const n = 60
		park(t, queue, n)
		q := open(t, Config{Queue: queue, Window: 25})
		report, err := q.Discard(t.Context(), DiscardOptions{Filter: Filter{Body: []BodyMatch{{Path: "n", Value: "3"}}}})
		if err != nil || report.Discarded != 1 || report.Archive != queue+"-archive" {
			t.Fatalf("%v, %+v", err, report)
		}
		if report, err = q.Discard(t.Context(), DiscardOptions{All: true, Limit: 20}); err != nil || report.Discarded != 20 {
			t.Fatalf("%v, %+v", err, report)
		}
		archive := open(t, Config{Queue: queue, ErrorQueue: queue + "-archive"})
		kept := list(t, archive, ListOptions{})
		want := ordersQueue().read(deliveryOf(parked(queue, 3)), 1)
		if want.Deliveries = kept[0].Deliveries; len(kept) != 21 || !reflect.DeepEqual(kept[0], want) {
			t.Errorf("%d are archived, the first\n%+v, want\n%+v", len(kept), kept[0], want)
		}
		if moved := redriveOK(t, archive, RedriveOptions{All: true}); moved.Moved != 21 {
			t.Errorf("got %+v", moved)
		}
		if report, err = q.Discard(t.Context(), DiscardOptions{All: true, Delete: true, Limit: 30}); err != nil || report.Discarded != 30 || report.Archive != "" {
			t.Errorf("%v, %+v", err, report)
		}
		inOrder(t, q.Name(), n, func(i int) bool { return i < 51 })
		if depth := amqptest.Depth(t, queue); depth != 21 {
			t.Errorf("%d were redriven, want 21", depth)
		}
	})
}

func TestGroupsOfAQueue(t *testing.T) {
	queue := declare(t, topology.Quorum)
	fill(t, queue+"-error", 30, func(i int) amqp.Publishing {
		p := parked(queue, i)
		if i%3 == 0 {
			p.Headers[wire.ErrorGroup], p.Headers[wire.Reason] = "other", "panic"
		}
		return p
	})
	q := open(t, Config{Queue: queue})
	var last Progress
	report, err := q.Groups(t.Context(), GroupOptions{Progress: func(p Progress) { last = p }})
	if err != nil || len(report.Groups) != 2 || report.Groups[0].Count != 20 || report.Groups[0].Sample.ID != id(1) || report.Groups[1].Key != "other" || report.Messages != 30 {
		t.Errorf("%v, %+v", err, report)
	}
	if last.Of != 30 || last.Read != 30 || last.Matched != 30 {
		t.Errorf("progress %+v", last)
	}
	if report, err = q.Groups(t.Context(), GroupOptions{By: ByReason, Filter: terms(t, "reason=panic")}); err != nil || len(report.Groups) != 1 || report.Groups[0].Key != "panic" || report.Messages != 10 {
		t.Errorf("%v, %+v", err, report)
	}
	for by, want := range map[GroupBy]string{ByConsumer: "c", ByHost: "h", ByApp: "shop", ByVersion: "v1.2.0"} {
		if report, err = q.Groups(t.Context(), GroupOptions{By: by, Filter: terms(t, "version=v1.2.0")}); err != nil || len(report.Groups) != 1 || report.Groups[0].Key != want {
			t.Errorf("by %s: %+v, %v", by, report.Groups, err)
		}
	}
	if _, err = q.Groups(t.Context(), GroupOptions{By: "color"}); !errors.As(err, new(*FieldError)) {
		t.Errorf("got %v", err)
	}
}

func TestTheStatusTellsOfQuarantine(t *testing.T) {
	queue := declare(t, topology.Quorum)
	park(t, queue, 3)
	fill(t, topology.QuarantineQueue(queue), 2, func(i int) amqp.Publishing { return parked(queue, i) })
	topo, err := topology.New(topology.Plan{Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(t, Of(topo)).Status(t.Context())
	if want := (Status{Queue: queue + "-error", Main: queue, Messages: 3, Quarantine: 2}); err != nil || s != want {
		t.Errorf("got %+v, %v", s, err)
	}
	classic := declare(t, topology.Classic)
	if s, err := open(t, Config{ErrorQueue: classic + "-error"}).Status(t.Context()); err != nil || s.Main != classic || s.Quarantine != -1 || s.Messages != 0 {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestACallWhoseContextHasEndedDoesNothing(t *testing.T) {
	queue := declare(t, topology.Quorum)
	park(t, queue, 3)
	q := open(t, Config{Queue: queue})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"list": func() (err error) {
			for _, err = range q.List(ctx, ListOptions{}) {
				return err
			}
			return nil
		},
		"groups":  func() error { _, err := q.Groups(ctx, GroupOptions{}); return err },
		"redrive": func() error { _, err := q.Redrive(ctx, RedriveOptions{All: true}); return err },
		"discard": func() error { _, err := q.Discard(ctx, DiscardOptions{All: true, Delete: true}); return err },
		"export":  func() error { _, err := q.Export(ctx, &bytes.Buffer{}, ExportOptions{}); return err },
		"import":  func() error { _, err := q.Import(ctx, strings.NewReader(file(good)), ImportOptions{}); return err },
		"status":  func() error { _, err := q.Status(ctx); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	inOrder(t, q.Name(), 3, nil)
}

// Six messages are parked, and two more after the plan. The file has the chosen ones of the six.
func TestAnExportIsBoundToWhatAPlanHasCounted(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, queue string) {
		const n = 6
		park(t, queue, n)
		q := open(t, Config{Queue: queue})
		now := time.Now()
		fill(t, queue+"-error", 2, func(i int) amqp.Publishing { return parked(queue, n+i) })
		filter, err := ParseFilter("id=m000001,m000003,m000007")
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		var marks []string
		seen := 0
		got, err := q.Export(t.Context(), &file, ExportOptions{
			Filter: filter, Now: now, Within: n, Written: func(mark string) { marks = append(marks, mark) }, Observe: func(*Message) { seen++ },
		})
		if err != nil || got != 2 || seen != n {
			t.Fatalf("%d in the file, %d seen, %v", got, seen, err)
		}
		want := []string{}
		for _, m := range list(t, q, ListOptions{}) {
			if m.ID == id(1) || m.ID == id(3) {
				want = append(want, m.Mark)
			}
		}
		if !slices.Equal(marks, want) {
			t.Errorf("it tells of %q, want %q", marks, want)
		}
		if _, err := q.Export(t.Context(), io.Discard, ExportOptions{Within: -1}); !errors.As(err, new(*FieldError)) {
			t.Errorf("Within -1: %v", err)
		}
	})
}

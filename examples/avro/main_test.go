package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/hamba/avro/v2"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestAQueueTakesOrdersInJSONAndInAvroAndParksWhatIsNeither(t *testing.T) {
	t.Setenv("AMQP_URL", amqptest.URL(t))
	queue = amqptest.Queue(t, "avro")
	var seen monitoringtest.Recorder
	app := fxtest.New(t, app(), monitoring.Provide(func() monitoring.Monitor { return &seen }), fx.NopLogger)
	app.RequireStart()
	defer app.RequireStop()
	wait := func(n int) {
		t.Helper()
		if err := seen.Wait(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	wait(2)
	types := map[string]int{}
	for _, e := range seen.Ends() {
		types[e.Delivery.ContentType]++
		if e.Outcome.Action != monitoring.Acked {
			t.Errorf("%s %q was %s: %v", e.Delivery.ContentType, e.Delivery.Body, e.Outcome.Action, e.Outcome.Err)
		}
	}
	if types["application/json"] != 1 || types["application/avro"] != 1 {
		t.Errorf("content types %v", types)
	}

	long := Order{Number: 3, Email: strings.Repeat("long", 1000)}
	zipped, err := Both.Encode(long)
	if err != nil || zipped.ContentEncoding != "gzip" {
		t.Fatalf("%q, %v", zipped.ContentEncoding, err)
	}
	for n, m := range []struct {
		message amqp.Publishing
		error   string // "" is acked
	}{
		{amqp.Publishing{Body: zipped.Bytes, ContentType: zipped.ContentType, ContentEncoding: "gzip"}, ""},
		{amqp.Publishing{Body: []byte("4,a"), ContentType: "text/csv"}, "content type text/csv is not decoded here, only application/avro, application/json"},
		{amqp.Publishing{Body: []byte(`{"number": 5}`), ContentType: "application/avro"}, "unexpected EOF"},
		{amqp.Publishing{Body: []byte("6"), ContentType: "application/json"}, "json: cannot unmarshal number"},
	} {
		amqptest.Publish(t, "", queue, m.message)
		wait(3 + n)
		o := seen.Ends()[2+n].Outcome
		if m.error == "" && o.Action != monitoring.Acked || m.error != "" && (o.Reason != monitoring.ReasonUndecodable || !strings.Contains(o.Err.Error(), m.error)) {
			t.Errorf("%s was %s: %s, %v", m.message.ContentType, o.Action, o.Reason, o.Err)
		}
	}
	if parked := amqptest.Get(t, queue+"-error"); parked.ContentType != "text/csv" || string(parked.Body) != "4,a" {
		t.Errorf("parked %q, %q", parked.ContentType, parked.Body)
	}
}

func TestTheCodecRefusesWhatIsCutOffOrTooLong(t *testing.T) {
	want := Order{Number: 7, Email: "a@example.com"}
	body, err := Avro{schema}.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Order
	if err := (Avro{schema}).Decode(body, &got); err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	whole := body.Bytes
	for n := range whole {
		body.Bytes = whole[:n]
		if err := (Avro{schema}).Decode(body, new(Order)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
	body.Bytes = append(whole[:len(whole):len(whole)], 0)
	if err := (Avro{schema}).Decode(body, new(Order)); err == nil {
		t.Error("a byte more was ignored")
	}
	if _, err := (Avro{schema}).Encode("text"); err == nil {
		t.Error("encoded a string")
	}
}

func TestTheCodecAllocatesNoMoreThanABodyMayAskFor(t *testing.T) {
	numbers := Avro{avro.MustParse(`{"type": "array", "items": "long"}`)}
	var got []int64
	if err := numbers.Decode(publisher.Body{Bytes: []byte{0x80, 0x80, 0x80, 0x80, 0x40}}, &got); err == nil || len(got) > 1<<20 {
		t.Errorf("%d elements of an array that says it has billions: %v", len(got), err)
	}
}

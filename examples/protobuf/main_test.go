package main

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestAnOrderMakesTheRoundTripAndGarbageIsParked(t *testing.T) {
	t.Setenv("AMQP_URL", amqptest.URL(t))
	queue = amqptest.Queue(t, "protobuf")
	var seen monitoringtest.Recorder
	app := fxtest.New(t, app(), monitoring.Provide(func() monitoring.Monitor { return &seen }), fx.NopLogger)
	app.RequireStart()
	defer app.RequireStop()
	if err := seen.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	amqptest.Publish(t, "", queue, amqp.Publishing{Body: []byte{0xff}})
	if err := seen.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}

	order := seen.Ends()[0]
	var got structpb.Struct
	if err := proto.Unmarshal(order.Delivery.Body, &got); err != nil || got.GetFields()["number"].GetNumberValue() != 1 {
		t.Errorf("sent %q: %v", order.Delivery.Body, err)
	}
	if order.Outcome.Action != monitoring.Acked || order.Delivery.ContentType != "application/protobuf" {
		t.Errorf("the order was %s, its content type is %q", order.Outcome.Action, order.Delivery.ContentType)
	}
	if o := seen.Ends()[1].Outcome; o.Action != monitoring.Parked || o.Reason != monitoring.ReasonUndecodable {
		t.Errorf("garbage was %s: %s", o.Action, o.Reason)
	}
	parked := amqptest.Get(t, queue+"-error")
	if parked.Headers["bunnicula-reason"] != "undecodable" || string(parked.Body) != "\xff" {
		t.Errorf("parked %q with the reason %v", parked.Body, parked.Headers["bunnicula-reason"])
	}
}

func TestTheCodecMakesAndFillsAMessage(t *testing.T) {
	body, err := Protobuf{}.Encode(structpb.NewStringValue("hello"))
	if err != nil {
		t.Fatal(err)
	}
	var v *structpb.Value
	if err := (Protobuf{}).Decode(body, &v); err != nil || v.GetStringValue() != "hello" {
		t.Errorf("decoded %v: %v", v, err)
	}
}

func TestTheCodecRefusesWhatIsNotProtobuf(t *testing.T) {
	if _, err := (Protobuf{}).Encode("text"); err == nil {
		t.Error("encoded a string")
	}
	for _, payload := range []any{new(string), new(*string), "text", nil} {
		if err := (Protobuf{}).Decode(publisher.Body{}, payload); err == nil {
			t.Errorf("decoded into %T", payload)
		}
	}
}

package use_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/use"
)

// says is a Handler that parks each message with a text.
func says(text string) consumer.Handler {
	return func(context.Context, consumer.Delivery) consumer.Result { return consumer.Error(errors.New(text)) }
}

// ofType makes a message of a type.
func ofType(name string) consumertest.Option {
	return consumertest.Properties(func(d *amqp.Delivery) { d.Type = name })
}

func TestEachTypeHasItsHandler(t *testing.T) {
	for name, c := range map[string]struct {
		types use.ByType
		typ   string
		want  string
	}{
		"its own":                    {use.ByType{"a": says("A"), "b": says("B")}, "b", "B"},
		"upper case is another":      {use.ByType{"a": says("A")}, "A", "use.ByType: no Handler for type A, only for a"},
		"no type":                    {use.ByType{"a": says("A"), "b": says("B")}, "", `use.ByType: no Handler for type "", only for a, b`},
		"no type, and the rest":      {use.ByType{"a": says("A"), "": says("rest")}, "", "rest"},
		"another type, and the rest": {use.ByType{"a": says("A"), "": says("rest")}, "c", "rest"},
		"its own beside the rest":    {use.ByType{"a": says("A"), "": says("rest")}, "a", "A"},
		"types in types":             {use.ByType{"": use.ByType{"a": says("A")}.Handler()}, "a", "A"},
		"not fit to be shown":        {use.ByType{"a": says("A")}, "x\n\xff", `use.ByType: no Handler for type "x\n�", only for a`},
		"long":                       {use.ByType{"a": says("A")}, strings.Repeat("x", 255), "use.ByType: no Handler for type " + strings.Repeat("x", 57) + "…, only for a"},
	} {
		t.Run(name, func(t *testing.T) {
			q := consumertest.New(t, consumer.Spec{Queue: "q", Handler: c.types.Handler()})
			run := q.Deliver("x", ofType(c.typ)).AssertParked(monitoring.ReasonError)
			if got := run.Settlement.Err.Error(); got != c.want && strings.ReplaceAll(got, `"`, "") != c.want {
				t.Errorf("the error is\n%q, want\n%q", got, c.want)
			}
		})
	}
}

func TestTheErrorOfAnUnknownTypeIsShortHoweverManyAreKnown(t *testing.T) {
	types := use.ByType{}
	for i := range 5000 {
		types[fmt.Sprint(strings.Repeat("long", 50), i)] = says("")
	}
	err := types.Handler()(t.Context(), consumer.Delivery{Type: strings.Repeat("y", 255)}).Err()
	if text := err.Error(); len(text) > 2000 || !strings.HasSuffix(text, " and 4980 more") {
		t.Errorf("the error has %d bytes: %s", len(text), text)
	}
}

func TestAMapThatIsChangedLaterHasNoEffect(t *testing.T) {
	types := use.ByType{"a": says("A")}
	h := types.Handler()
	types["a"], types["b"], types[""] = says("changed"), says("B"), says("rest")
	for typ, want := range map[string]string{"a": "A", "b": "use.ByType: no Handler for type b, only for a"} {
		if got := h(t.Context(), consumer.Delivery{Type: typ}).Err().Error(); got != want {
			t.Errorf("type %s: %s, want %s", typ, got, want)
		}
	}
}

func TestNewRefusesTypesWithoutHandlersAndNamesThem(t *testing.T) {
	for name, c := range map[string]struct {
		types use.ByType
		want  string
	}{
		"nil map": {nil, `consumer "q": Handler: use.ByType: there is no Handler for any type`},
		"empty":   {use.ByType{}, `consumer "q": Handler: use.ByType: there is no Handler for any type`},
		"nil handlers": {
			use.ByType{"a": says("A"), "row": nil, "": consumer.JSON[int](nil)},
			"consumer \"q\": Handler: use.ByType: the Handler of type \"\": it is nil\nuse.ByType: the Handler of type row: it is nil",
		},
		"a batch of 0": {
			use.ByType{"row": use.Batch(0, time.Second, ackAll)},
			`consumer "q": Handler: use.ByType: the Handler of type row: use.Batch: size is 0, want 1 or more`,
		},
		"types in types": {
			use.ByType{"": use.ByType{}.Handler()},
			`consumer "q": Handler: use.ByType: the Handler of type "": use.ByType: there is no Handler for any type`,
		},
	} {
		_, err := consumer.New(nil, consumer.Spec{Queue: "q", Handler: c.types.Handler()}, nil, nil)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: the error is\n%v, want\n%s", name, err, c.want)
		}
	}
}

func TestATypeCostsNoAllocation(t *testing.T) {
	h := use.ByType{"a": handled, "": handled}.Handler()
	for _, typ := range []string{"a", "another"} {
		d := consumer.Delivery{Type: typ}
		if n := testing.AllocsPerRun(100, func() { h(t.Context(), d) }); n != 0 {
			t.Errorf("type %s: %v allocations, want none", typ, n)
		}
	}
}

// Messages of another type take slots that a batch needs, so wait bounds it.
func TestBatchesOfOneTypeMeetBesideOtherTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		types := use.ByType{"row": use.Batch(3, time.Second, b.run), "slow": func(context.Context, consumer.Delivery) consumer.Result {
			time.Sleep(time.Minute)
			return consumer.Ack()
		}}
		q := consumertest.New(t, consumer.Spec{Queue: "q", Concurrency: 3, Timeout: time.Hour, Handler: types.Handler()})
		began := time.Now()
		runs := deliver(q, call{opts: []consumertest.Option{ofType("slow")}}, call{body: "a", opts: []consumertest.Option{ofType("row")}}, call{body: "b", opts: []consumertest.Option{ofType("row")}})
		for _, r := range runs {
			(<-r).AssertAcked()
		}
		if b.want(t, "a b"); b.at[0].Sub(began).Round(time.Millisecond) != time.Second {
			t.Errorf("the batch ran after %s, want 1s", b.at[0].Sub(began))
		}
	})
}

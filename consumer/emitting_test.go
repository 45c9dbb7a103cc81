package consumer_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/bunnicula-go/bunnicula/consumer"
)

func TestAPlanHasWhatAHandlerEmits(t *testing.T) {
	runs := 0
	h := func(context.Context, consumer.Delivery) consumer.Result {
		runs++
		return consumer.Retry(errors.New("later"))
	}
	queues := []string{"invoices", "mails"}
	emitting := consumer.Emitting(h, queues...)
	queues[0] = "changed"
	for name, row := range map[string]struct {
		handler consumer.Handler
		want    []string
	}{
		"it says so":    {emitting, []string{"invoices", "mails"}},
		"it says none":  {h, nil},
		"it is wrapped": {func(ctx context.Context, d consumer.Delivery) consumer.Result { return emitting(ctx, d) }, nil},
		"twice":         {consumer.Emitting(emitting, "mails"), []string{"mails"}},
	} {
		plan, err := consumer.Spec{Queue: "orders", Handler: row.handler}.Plan()
		if err != nil || !slices.Equal(plan.Emits, row.want) {
			t.Errorf("%s: the plan has %q, want %q; error %v", name, plan.Emits, row.want, err)
		}
	}
	if runs != 0 {
		t.Errorf("a handler was run %d times", runs)
	}
	if r := emitting(t.Context(), consumer.Delivery{}); !r.Retried() || runs != 1 {
		t.Errorf("Result %v, and the handler was run %d times", r, runs)
	}
	if consumer.Emitting(nil, "mails") != nil {
		t.Error("of a nil Handler it makes one")
	}
	want := errors.New("wrong")
	if err := consumer.Emitting(consumer.Invalid(want), "mails").Check(); !errors.Is(err, want) {
		t.Errorf("Invalid is hidden: %v", err)
	}
}

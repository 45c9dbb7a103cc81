package consumer

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestNewRefusesAnInvalidHandlerWithItsError(t *testing.T) {
	errSize := errors.New("size is 0")
	for want, h := range map[string]Handler{
		`consumer "orders": Handler: size is 0`:     Invalid(errSize),
		`consumer "orders": Handler: it is invalid`: Invalid(nil),
		`consumer "orders": Handler is nil`:         nil,
	} {
		_, err := New(nil, Spec{Queue: "orders", Handler: h}, nil, nil)
		if err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
	if err := Invalid(errSize).Check(); !errors.Is(err, errSize) {
		t.Errorf("Check returns %v", err)
	}
	if err := Handler(nil).Check(); err == nil {
		t.Error("a nil Handler is right")
	}
}

// A Handler that is right is not called to find that out.
func TestCheckCallsNoOtherHandler(t *testing.T) {
	called := func(context.Context, Delivery) Result { panic("called") }
	for name, h := range map[string]Handler{
		"function": called, "of a method": handles{t}.handle, "JSON": JSON(func(context.Context, Message[int]) Result { return Ack() }),
		"around an invalid one": func(ctx context.Context, d Delivery) Result { return Invalid(errors.New("x"))(ctx, d) },
	} {
		if err := h.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type handles struct{ t *testing.T }

func (h handles) handle(context.Context, Delivery) Result { h.t.Error("called"); return Ack() }

// A Handler that hides it from New loses no message.
func TestAnInvalidHandlerRetries(t *testing.T) {
	hidden := Invalid(errors.New("size is 0"))
	s := process(t, Spec{Queue: "orders", Handler: func(ctx context.Context, d Delivery) Result { return hidden(ctx, d) }}, delivery(nil))
	if s.Deed != DeedCopy || !strings.Contains(s.Err.Error(), "size is 0") {
		t.Errorf("the message was %s: %v", s.Action, s.Err)
	}
}

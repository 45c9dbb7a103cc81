package turn

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
)

func TestTheMeterEndsWithTheLastMessageAndLeavesTheWarmUpOut(t *testing.T) {
	m := NewMeter(10, 90, nil)
	for range 9 {
		m.Tick()
	}
	if m.begin != nil {
		t.Error("measures during the warm-up")
	}
	m.Tick()
	if m.begin == nil {
		t.Error("does not measure behind the warm-up")
	}
	var ticking sync.WaitGroup
	for range 3 {
		ticking.Go(func() {
			for range 30 {
				m.Tick()
			}
		})
	}
	ticking.Wait()
	if err := m.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := m.Sample(); s[Rate] <= 0 {
		t.Errorf("sample %v", s)
	}
}

func TestAMeterThatIsNotFullSaysHowFarItIs(t *testing.T) {
	m := NewMeter(0, 2, nil)
	m.Start()
	m.Tick()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errTooSlow)
	if err := m.Wait(ctx); !errors.Is(err, errTooSlow) || !strings.Contains(err.Error(), "1 of 2") {
		t.Errorf("got %v", err)
	}
}

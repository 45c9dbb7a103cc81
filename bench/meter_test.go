package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
)

func TestTheMeterEndsWithTheLastMessageAndLeavesTheWarmUpOut(t *testing.T) {
	m := newMeter(10, 90, nil)
	for range 9 {
		m.tick()
	}
	if m.begin != nil {
		t.Error("measures during the warm-up")
	}
	m.tick()
	if m.begin == nil {
		t.Error("does not measure behind the warm-up")
	}
	var ticking sync.WaitGroup
	for range 3 {
		ticking.Go(func() {
			for range 30 {
				m.tick()
			}
		})
	}
	ticking.Wait()
	if err := m.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := m.sample(); s[rate] <= 0 {
		t.Errorf("sample %v", s)
	}
}

func TestAMeterThatIsNotFullSaysHowFarItIs(t *testing.T) {
	m := newMeter(0, 2, nil)
	m.start()
	m.tick()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errTooSlow)
	if err := m.wait(ctx); !errors.Is(err, errTooSlow) || !strings.Contains(err.Error(), "1 of 2") {
		t.Errorf("got %v", err)
	}
}

func TestABodyIsJSONOfItsSize(t *testing.T) {
	for _, size := range []int{64, 256, 4096, 262144} {
		body := makeBody(size)
		if len(body) != size || !json.Valid(body) {
			t.Errorf("size %d: %d bytes, valid %v", size, len(body), json.Valid(body))
		}
		if err := decodeDocument(body); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

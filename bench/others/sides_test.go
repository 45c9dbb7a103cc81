package main

import (
	"context"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/bench/peer"
	"github.com/bunnicula-go/bunnicula/bench/turn"
)

func TestEverySideAcksOrPublishesEachMessage(t *testing.T) {
	const messages = 1000
	for name, of := range sides {
		for side, do := range of {
			t.Run(name+"/"+side, func(t *testing.T) {
				cfg := peer.Config{Body: turn.Body(256), Messages: messages}
				publishes := name == "publish-64"
				if publishes {
					cfg.Messages = peer.Idle
				}
				server, err := peer.Listen(cfg)
				if err != nil {
					t.Fatal(err)
				}
				defer server.Close()
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				r := &turn.Run{
					Order: turn.Order{URL: server.URL(), Queue: "bench"},
					Meter: turn.NewMeter(1, messages-1, nil), Body: cfg.Body,
				}
				if err := do(ctx, r); err != nil {
					t.Fatal(err)
				}
				got := server.Counts()
				if n := got.Published; publishes && n != messages {
					t.Errorf("%d messages are published, want %d", n, messages)
				}
				// A library that is closed gives back those whose acks it has not sent.
				if n := got.Acked; !publishes && n < messages-handlers {
					t.Errorf("%d messages are acked, want %d", n, messages)
				}
			})
		}
	}
}

func TestEverySideHasAName(t *testing.T) {
	for name, of := range sides {
		for side := range of {
			if turn.Modules[side] == "" {
				t.Errorf("%s: side %q has no module", name, side)
			}
			if _, err := find(turn.Order{Case: name, Side: side}); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := find(turn.Order{Case: "retry", Side: turn.GoCloud}); err == nil {
		t.Error("a side is found that is not there")
	}
}

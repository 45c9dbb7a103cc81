package errorqueue

import (
	"testing"
	"testing/synctest"
	"time"
)

// A move with Wait rests between two passes. What comes after the rest comes as slowly.
func TestARateGivesNoCreditForARest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mover{window: 100, rate: 10}
		send := func(n int) time.Duration {
			began := time.Now()
			for range n {
				if err := m.pause(t.Context()); err != nil {
					t.Fatal(err)
				}
				m.sent++
			}
			return time.Since(began)
		}
		if took := send(21); took != 2*time.Second {
			t.Errorf("21 messages took %s, want 2s", took)
		}
		time.Sleep(time.Minute)
		if took := send(21); took != 2*time.Second {
			t.Errorf("21 messages after a rest took %s, want 2s", took)
		}
	})
}

package consumer

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestNobodyEntersAClosedGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		if !g.enter() {
			t.Fatal("it is closed before anybody closes it")
		}
		closed := make(chan bool, 1)
		go func() { closed <- g.close(t.Context(), time.Minute) }()
		synctest.Wait()
		if g.enter() {
			t.Error("a worker entered while it was closed")
		}
		select {
		case <-closed:
			t.Error("it did not wait for who is inside")
		default:
		}
		g.leave()
		if !<-closed {
			t.Error("it was not closed")
		}
		if g.enter() {
			t.Error("a worker entered when nobody was inside")
		}
		g.open()
		if !g.enter() {
			t.Error("it stays closed")
		}
	})
}

func TestAGateWaitsForNobodyLongerThanItsPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		g.enter()
		began := time.Now()
		if !g.close(t.Context(), time.Minute) || time.Since(began) != time.Minute {
			t.Errorf("after %s", time.Since(began))
		}
		if g.enter() {
			t.Error("a worker entered")
		}
	})
}

func TestAGateStaysClosedUntilItIsOpenedAlsoIfItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		g.enter()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if g.close(ctx, time.Minute) {
			t.Error("it says that nobody is inside")
		}
		if g.enter() {
			t.Error("a worker entered")
		}
	})
}

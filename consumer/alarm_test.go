package consumer

import (
	"testing"
	"testing/synctest"
	"time"
)

type counter struct{ rings int }

func (c *counter) ring() { c.rings++ }

func TestAnAlarmRingsOnlyWhoSetItLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a alarm
		var first, second, third counter
		a.set(time.Second, &first)
		time.Sleep(time.Second - time.Nanosecond)
		if !a.stop() {
			t.Error("it has rung too early")
		}
		clock := a.clock
		a.set(time.Second, &second)
		if a.clock != clock {
			t.Error("its timer is not used again")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if first.rings != 0 || second.rings != 1 {
			t.Errorf("it rang %d and %d times", first.rings, second.rings)
		}
		if a.stop() {
			t.Error("it was stopped after it rang")
		}
		a.set(time.Second, &third)
		if a.clock == clock {
			t.Error("the timer of one that rang is used again")
		}
		if !a.stop() {
			t.Error("it has rung too early")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if second.rings != 1 || third.rings != 0 {
			t.Errorf("it rang %d and %d times", second.rings, third.rings)
		}
	})
}

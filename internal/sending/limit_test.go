package sending

import (
	"testing"
	"time"
)

func TestATimeoutThatIsNotReachedCostsNoAllocation(t *testing.T) {
	p := new(Pipeline)
	if n := testing.AllocsPerRun(1000, func() { p.silence(p.alarm(time.Hour)) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestATimerIsSetAnewForEachCaller(t *testing.T) {
	p := new(Pipeline)
	p.silence(p.alarm(time.Hour))
	timer := p.alarm(time.Millisecond)
	<-timer.C
	p.silence(timer)
	timer = p.alarm(time.Hour)
	defer p.silence(timer)
	select {
	case <-timer.C:
		t.Error("it has the end of another caller")
	default:
	}
}

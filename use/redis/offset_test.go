package redis

import (
	"testing"
	"time"
)

func TestAnAnswerThatIsLateIsUnderstoodByOthersThatWereNot(t *testing.T) {
	const ms, hour = time.Millisecond, time.Hour
	var o offset
	for i, step := range []struct {
		now, asked, answered time.Duration
		from, to             time.Duration
	}{
		{hour + 1*ms, 1 * ms, 2 * ms, hour - 1*ms, hour},
		{hour + 3*ms, 2 * ms, 4 * ms, hour - 1*ms, hour + 2*time.Microsecond},                       // less exact: only the drift
		{hour + 80*ms, 4 * ms, 104 * ms, hour - 1100*time.Microsecond, hour + 102*time.Microsecond}, // 100 ms late
		{2*hour + 200*ms, 199 * ms, 201 * ms, 2*hour - 1*ms, 2*hour + 1*ms},                         // its clock is set
	} {
		if from, to := o.learn(step.now, step.asked, step.answered); from != step.from || to != step.to {
			t.Errorf("answer %d: %s to %s, want %s to %s", i+1, from, to, step.from, step.to)
		}
	}
	alone := offset{alone: true}
	alone.learn(hour+1*ms, 1*ms, 2*ms)
	if from, to := alone.learn(hour+80*ms, 4*ms, 104*ms); from != hour-24*ms || to != hour+76*ms {
		t.Errorf("answers of several nodes: %s to %s", from, to)
	}
}

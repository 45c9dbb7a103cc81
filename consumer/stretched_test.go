package consumer

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
)

func TestOnlyADelayThatBecomesTenTimesAsLongIsStretched(t *testing.T) {
	const minute = time.Minute
	for name, row := range map[string]struct {
		queues []time.Duration
		result Result
		ending decide.Ending
		last   bool
		want   time.Duration
	}{
		"a snooze of two seconds":           {queues: []time.Duration{minute}, result: Snooze(2 * time.Second), want: 2 * time.Second},
		"a retry after two seconds":         {queues: []time.Duration{minute}, result: RetryAfter(2*time.Second, nil), want: 2 * time.Second},
		"exactly tenfold":                   {queues: []time.Duration{minute}, result: Snooze(6 * time.Second), want: 6 * time.Second},
		"a little less":                     {queues: []time.Duration{minute}, result: Snooze(6*time.Second + time.Millisecond)},
		"a shorter queue":                   {queues: []time.Duration{minute, time.Second}, result: Snooze(2 * time.Second)},
		"a queue that is just too long":     {queues: []time.Duration{minute, 5 * time.Second}, result: Snooze(2 * time.Second)},
		"longer than all queues":            {queues: []time.Duration{minute}, result: Snooze(time.Hour)},
		"no delay asked for":                {queues: []time.Duration{minute}, result: Snooze(0)},
		"a plain retry":                     {queues: []time.Duration{minute}, result: Retry(nil)},
		"parked, since no attempt is left":  {queues: []time.Duration{minute}, result: RetryAfter(time.Second, nil), last: true},
		"a timeout, whatever was asked for": {queues: []time.Duration{minute}, result: RetryAfter(time.Second, nil), ending: decide.Ending{TimedOut: true}},
		"interrupted":                       {queues: []time.Duration{minute}, result: Snooze(time.Second), ending: decide.Ending{Interrupted: true}},
	} {
		c := quiet(t, spec(func(s *Spec) { s.Backoff, s.Delays = row.queues[:1], row.queues[1:] }))
		d := decoded(c, delivery(nil))
		if row.last {
			d.facts.Attempt = c.spec.MaxRetries + 1
		}
		row.ending.Result = row.result.said
		if got := c.after(d, row.ending, time.Now()).Stretched; got != row.want {
			t.Errorf("%s: stretched is %s, want %s", name, got, row.want)
		}
	}
}

// README and the go doc of Module promise it.
func TestAStopTimeoutOfOneAndAHalfTimeoutsAndTwoSecondsIsEnoughForHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for timeout := 50 * time.Millisecond; timeout < time.Hour; timeout += timeout / 7 {
			ctx, cancel := context.WithTimeout(t.Context(), timeout*3/2+2*time.Second)
			short, done := shorten(ctx)
			have, bounded := timeOf(short)
			if s := (Spec{Timeout: timeout}); !bounded || !s.patient(have) {
				t.Errorf("with a Timeout of %s handlers have %s", timeout, have)
			}
			done()
			cancel()
		}
	})
}

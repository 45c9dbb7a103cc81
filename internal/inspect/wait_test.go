package inspect

import (
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestWhenWhatWaitsIsBackIsSaidAsFarAsItIsKnown(t *testing.T) {
	now := time.Date(2026, 11, 30, 10, 0, 0, 500_000_000, time.UTC)
	at := func(d time.Duration) *time.Time { at := now.Truncate(time.Second).Add(d); return &at }
	listed := func(arguments management.Values) management.Queue {
		return management.Queue{Name: "q", Type: "classic", Arguments: arguments}
	}
	for name, test := range map[string]struct {
		role   topology.Role
		ready  int
		delay  time.Duration
		oldest *time.Time
		known  management.Queue
		by     *time.Time
		from   *time.Time
	}{
		"no messages":             {role: topology.RoleRetry, delay: time.Minute},
		"the main queue":          {role: topology.RoleMain, ready: 1, delay: time.Minute},
		"a delay":                 {role: topology.RoleRetry, ready: 1, delay: time.Minute, by: at(61 * time.Second)},
		"no delay":                {role: topology.RoleRetry, ready: 1},
		"another time to live":    {role: topology.RoleRetry, ready: 1, delay: time.Minute, known: listed(management.Values{"x-message-ttl": int64(30_000)}), by: at(31 * time.Second)},
		"no time to live":         {role: topology.RoleRetry, ready: 1, delay: time.Minute, known: listed(nil)},
		"a time to live for ever": {role: topology.RoleRetry, ready: 1, delay: time.Minute, known: listed(management.Values{"x-message-ttl": int64(1) << 62}), by: at(topology.MaxDelay + time.Second)},
		"an age":                  {role: topology.RoleRetry, ready: 1, delay: time.Minute, oldest: at(-20 * time.Second), by: at(61 * time.Second), from: at(40 * time.Second)},
		"an age above the delay":  {role: topology.RoleRetry, ready: 1, delay: time.Minute, oldest: at(-time.Hour), by: at(61 * time.Second)},
		"an age in the future":    {role: topology.RoleRetry, ready: 1, delay: time.Minute, oldest: at(time.Hour), by: at(61 * time.Second)},
	} {
		s := QueueStatus{Queue: "q-retry-1m", Role: test.role, Ready: &test.ready, Oldest: test.oldest}
		s.wait(test.delay, test.known, now)
		if !same(s.BackBy, test.by) || !same(s.BackFrom, test.from) {
			t.Errorf("%s: from %v by %v, want %v and %v", name, s.BackFrom, s.BackBy, test.from, test.by)
		}
	}
	one := 1
	clojure := QueueStatus{Queue: "q-retry", Role: topology.RoleRetry, Ready: &one}
	if clojure.wait(time.Minute, management.Queue{}, now); clojure.BackBy != nil {
		t.Errorf("each message says how long it waits: %+v", clojure)
	}
	hidden := QueueStatus{Queue: "q-retry-1m", Role: topology.RoleRetry}
	if hidden.wait(time.Minute, management.Queue{}, now); hidden.BackBy != nil {
		t.Errorf("%+v", hidden)
	}
}

func same(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

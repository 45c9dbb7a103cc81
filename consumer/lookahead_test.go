package consumer

import (
	"testing"
	"time"
)

func TestThePrefetchFollowsTheHandlersWhereTheSpecLeavesItOpen(t *testing.T) {
	p := newLookahead(&Spec{Prefetch: 10, Concurrency: 4}, true)
	phases := []struct {
		name  string
		takes time.Duration
		bytes int
		n     int
		want  int
	}{
		{"no handler has ended", 0, 256, 0, 10},
		{"too few to tell", time.Microsecond, 256, lookaheadWindow - 1, 10},
		{"fast ones", time.Microsecond, 256, 1, 300},
		{"somewhat slower ones", 5 * time.Millisecond, 256, 2 * lookaheadWindow, 300}, // 375 ms of work
		{"slow ones", 20 * time.Millisecond, 256, lookaheadWindow, 10},                // 1.5 s
		{"somewhat faster ones", 5 * time.Millisecond, 256, 2 * lookaheadWindow, 10},
		{"fast ones again", time.Millisecond, 256, lookaheadWindow, 300},
		{"large ones", time.Microsecond, 256 << 10, lookaheadWindow, 10},  // 75 MiB
		{"smaller ones", time.Microsecond, 40 << 10, lookaheadWindow, 10}, // 11.7 MiB
		{"small ones", time.Microsecond, 10 << 10, lookaheadWindow, 300},  // 2.9 MiB
		{"somewhat larger ones", time.Microsecond, 40 << 10, lookaheadWindow, 300},
		{"five that take most of a second", 900 * time.Millisecond, 256, 5, 10},
		{"fast ones once more", time.Microsecond, 256, lookaheadWindow, 300},
		{"a few giants", time.Microsecond, 4 << 20, 5, 10},
		{"small ones once more", time.Microsecond, 256, lookaheadWindow, 300},
		{"one that takes a minute", time.Minute, 256, 1, 10},
	}
	ahead := p.few
	for _, phase := range phases {
		before := ahead
		changed := false
		for range phase.n {
			if p.note(phase.takes, phase.bytes) {
				ahead, changed = p.ahead(), true
			}
		}
		if ahead != phase.want {
			t.Errorf("after %s the prefetch is %d, want %d", phase.name, ahead, phase.want)
		}
		if changed != (ahead != before) {
			t.Errorf("after %s note says that the decision changed: %t", phase.name, changed)
		}
	}
}

func TestOneSlowMessageInAThousandDoesNotMakeTheOthersWait(t *testing.T) {
	p := newLookahead(&Spec{Prefetch: 128, Concurrency: 64}, true)
	for range lookaheadWindow {
		p.note(time.Microsecond, 256)
	}
	for i := range 100_000 {
		took := time.Microsecond
		if i%1000 == 500 {
			took = 200 * time.Millisecond
		}
		if p.note(took, 256); !p.isMany.Load() {
			t.Fatalf("few are taken after %d", i)
		}
	}
}

func TestThePrefetchStaysAsTheSpecSays(t *testing.T) {
	for name, c := range map[string]struct {
		spec Spec
		open bool
	}{
		"a prefetch":          {Spec{Prefetch: 20, Concurrency: 4}, false},
		"a single active one": {Spec{Prefetch: 10, Concurrency: 1, SingleActive: true}, true},
		"as many as can be":   {Spec{Prefetch: 65535, Concurrency: 65535}, true},
	} {
		p := newLookahead(&c.spec, c.open)
		for range 2 * lookaheadWindow {
			if p.note(time.Microsecond, 256) {
				t.Errorf("%s: changed", name)
			}
		}
		if p.isMany.Load() || p.few != c.spec.Prefetch {
			t.Errorf("%s: %d", name, p.few)
		}
	}
}

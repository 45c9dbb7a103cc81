package link

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

func TestABrokerThatIsNotThereIsTriedAgainSoonHoweverLongItIsAway(t *testing.T) {
	absent := fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	trouble := errors.New("dial: i/o timeout")
	longest := func(errs ...error) (d time.Duration) {
		for range 50 {
			p := newPacing(100*time.Millisecond, 30*time.Second)
			for range 100 {
				d = max(d, p.after(errs...))
			}
		}
		return d
	}
	for name, c := range map[string]struct {
		errs     []error
		min, max time.Duration
	}{
		"refused":                {[]error{absent, absent}, 2 * time.Second, soon},
		"trouble":                {[]error{trouble}, 20 * time.Second, 30 * time.Second},
		"one of them in trouble": {[]error{absent, trouble, absent}, 20 * time.Second, 30 * time.Second},
		"not let in":             {[]error{&transport.RefusedError{}, &transport.RefusedError{}}, 30 * time.Second, 30 * time.Second},
		"not let in by one":      {[]error{absent, &transport.RefusedError{}}, 20 * time.Second, 30 * time.Second},
	} {
		if d := longest(c.errs...); d < c.min || d > c.max {
			t.Errorf("%s: the longest pause is %s, want %s to %s", name, d, c.min, c.max)
		}
	}

	// A proxy in front of a booting broker refuses connections first, and cuts the handshake later.
	p := newPacing(100*time.Millisecond, 30*time.Second)
	for range 100 {
		p.after(absent)
	}
	if d := p.after(trouble); d > 100*time.Millisecond {
		t.Errorf("trouble after a long absence waits %s, want to begin anew", d)
	}
}

func TestALostSessionIsReplacedSoon(t *testing.T) {
	p := newPacing(100*time.Millisecond, 30*time.Second)
	for range 1000 {
		if d := p.afterLoss(time.Second, false); d > soon {
			t.Fatalf("pause is %s, want at most %s", d, soon)
		}
	}
	if d := p.afterLoss(time.Minute, false); d > 100*time.Millisecond {
		t.Errorf("after a long session the pause is %s", d)
	}
}

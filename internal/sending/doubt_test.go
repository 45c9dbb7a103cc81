package sending

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// pulsing is a session that answers each request after so long.
type pulsing struct {
	transport.Session
	takes   func() time.Duration
	asked   time.Time // the request whose answer is still to come, zero if there is none
	answers uint64
}

func (p *pulsing) Pulse() uint64 {
	if !p.asked.IsZero() && time.Since(p.asked) >= p.takes() {
		p.answers++
		p.asked = time.Time{}
	}
	if p.asked.IsZero() {
		p.asked = time.Now()
	}
	return p.answers
}

// after returns how many beats there were within d.
func after(d time.Duration, takes func() time.Duration) (beats int) {
	s, doubt := &pulsing{takes: takes}, doubt{}
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(lookEvery) {
		beats = doubt.grow(s, time.Now())
	}
	return beats
}

// Otherwise a slow broker would be taken for one that holds a channel.
func TestABeatIsARequestThatWasAnswered(t *testing.T) {
	for name, test := range map[string]struct {
		takes time.Duration
		beats int
	}{
		"at once":                 {0, 9},
		"within a beat":           {90 * time.Millisecond, 9},
		"within two":              {190 * time.Millisecond, 4},
		"slowly":                  {450 * time.Millisecond, 2},
		"not within all the time": {time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if beats := after(time.Second, func() time.Duration { return test.takes }); beats != test.beats {
					t.Errorf("%d beats in a second, want %d", beats, test.beats)
				}
			})
		})
	}
}

func TestWhileNothingIsAnsweredThereIsNoBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		takes := func() time.Duration { // the broker hangs from 250 ms to a minute
			if now := time.Since(began); now > 250*time.Millisecond && now < time.Minute {
				return time.Hour
			}
			return time.Millisecond
		}
		if beats := after(time.Minute+30*time.Millisecond, takes); beats != 3 {
			t.Errorf("%d beats, want 2 before the broker hung and 1 afterwards", beats)
		}
	})
}

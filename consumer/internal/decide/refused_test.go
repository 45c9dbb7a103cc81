package decide

import (
	"errors"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestWhatIsDoneAboutARefusedCopy(t *testing.T) {
	top, err := topology.New(topology.Plan{Queue: "orders", Delays: []time.Duration{time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	failed, tooLarge := errors.New("no"), errors.New("refused by the broker: 406")
	copyTo := func(to route.Destination, o monitoring.Outcome) Settlement {
		return Settlement{Deed: DeedCopy, Outcome: o, Copy: &Copy{To: to}}
	}
	retried := monitoring.Outcome{Action: monitoring.Retried, Reason: monitoring.ReasonTimeout, Err: failed, Delay: time.Second, Duration: time.Minute}
	gaveUp := monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError, Err: failed}
	snoozed := monitoring.Outcome{Action: monitoring.Snoozed, Delay: time.Second}
	interrupted := monitoring.Outcome{Action: monitoring.Interrupted, Err: ErrStopping}
	for name, row := range map[string]struct {
		what    Settlement
		rejects bool
		deed    Deed
		reason  monitoring.Reason
		causes  []error // that the outcome's Err has
	}{
		"a retry":                      {copyTo(route.Retry(top, time.Second), retried), true, DeedReject, monitoring.ReasonRefused, []error{failed, tooLarge}},
		"to be parked":                 {copyTo(route.Error(top), gaveUp), true, DeedReject, monitoring.ReasonRefused, []error{failed, tooLarge}},
		"a snooze":                     {copyTo(route.Retry(top, time.Second), snoozed), true, DeedReject, monitoring.ReasonRefused, []error{tooLarge}},
		"to be set aside":              {copyTo(route.Quarantine(top), monitoring.Outcome{}), true, DeedReject, monitoring.ReasonRefused, []error{tooLarge}},
		"interrupted":                  {copyTo(route.Main(top), interrupted), true, DeedLeave, "", []error{ErrStopping}},
		"the broker could lose it":     {copyTo(route.Error(top), gaveUp), false, DeedHold, "", nil},
		"interrupted, could be lost":   {copyTo(route.Main(top), interrupted), false, DeedLeave, "", []error{ErrStopping}},
		"set aside, the same as above": {copyTo(route.Quarantine(top), monitoring.Outcome{}), false, DeedHold, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := Refused(&Rules{Queue: "orders", Topology: top, Rejects: row.rejects}, Given{}, row.what, tooLarge)
			o := s.Outcome
			if s.Deed != row.deed || s.Copy != nil || o.Reason != row.reason || (o.Err == nil) != (row.causes == nil) {
				t.Fatalf("got %+v", s)
			}
			for _, cause := range row.causes {
				if !errors.Is(o.Err, cause) {
					t.Errorf("the error %q does not say %q", o.Err, cause)
				}
			}
			if s.Deed == DeedReject && (o.Action != monitoring.Parked || o.Delay != 0 || o.Group == "" || o.Duration != row.what.Outcome.Duration) {
				t.Errorf("the monitor is told %+v", o)
			}
		})
	}
}

// A policy has made the dead-lettering unsafe, which its arguments do not show.
func TestWhatADegradedQueueCouldLoseIsHeld(t *testing.T) {
	top, err := topology.New(topology.Plan{Queue: "orders", Delays: []time.Duration{time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	r, degraded := &Rules{Queue: "orders", Topology: top, Rejects: true}, Given{Degraded: true}
	what := Settlement{Deed: DeedCopy, Copy: &Copy{To: route.Error(top)}}
	if s := Refused(r, degraded, what, errors.New("too large")); s.Deed != DeedHold {
		t.Errorf("a refused copy: %v", s.Deed)
	}
	if s := r.unread(degraded); s.Deed != DeedHold {
		t.Errorf("an unreadable message: %v", s.Deed)
	}
	if s := r.unread(Given{}); s.Deed != DeedReject {
		t.Errorf("an unreadable message of a sound queue: %v", s.Deed)
	}
}

package errorqueue

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPhaseIsReportedWhenItBeginsAndNumbersTenTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		r := newReporter(func(p Progress) { got = append(got, fmt.Sprint(p.Phase, " ", p.Read, "/", p.Of)) }, slog.New(slog.DiscardHandler))
		r.enter(PhaseWaiting)
		r.enter(PhaseReading)
		for n := range 31 {
			r.tell(Progress{Of: 30, Read: n})
			time.Sleep(10 * time.Millisecond)
		}
		r.enter(PhaseGivingBack)
		r.enter(PhaseGivingBack)
		r.end()
		want := []string{"waiting 0/-1", "reading 0/-1", "reading 10/30", "reading 20/30", "reading 30/30", "giving back 30/30", " 30/30"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

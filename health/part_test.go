package health

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnotherPartCountsAsTheOthersDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := New(Config{Grace: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		var warning string
		var bad error
		h.WatchPart("outbox", "relay", func() (string, error) { panic("replaced") })
		h.WatchPart("outbox", "relay", func() (string, error) { return warning, bad })
		if r := h.Report(); r.Status != OK || len(r.Parts) != 1 || !r.Parts[0].OK || r.Parts[0].Warning != "" {
			t.Errorf("good: %+v", r)
		}
		warning = "3 rows have failed"
		if r := h.Report(); r.Status != OK || r.Parts[0].Warning != warning || r.Parts[0].Kind != "outbox" || r.Parts[0].Name != "relay" {
			t.Errorf("with a warning: %+v", r)
		}
		bad = errors.New("a row is late")
		if r := h.Report(); r.Status != Degraded || r.Err() == nil || r.Err().Error() != `outbox "relay": a row is late` {
			t.Errorf("bad: %+v", r)
		}
		time.Sleep(DefaultErrorAge)
		if r := h.Report(); r.Status != Down || !r.Live {
			t.Errorf("bad for long: %+v", r)
		}
	})
}

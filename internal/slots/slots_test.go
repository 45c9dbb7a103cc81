package slots_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/slots"
)

func TestAHandlerWaitsForAQuarterOfItsTimeButNotLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for timeout, want := range map[time.Duration]time.Duration{
			time.Minute:      5 * time.Second,
			20 * time.Second: 5 * time.Second,
			8 * time.Second:  2 * time.Second,
			-time.Second:     0,
		} {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			if got := slots.Patience(ctx); got != want {
				t.Errorf("with a timeout of %s it waits for %s, want %s", timeout, got, want)
			}
			cancel()
		}
		if got := slots.Patience(context.Background()); got != 5*time.Second {
			t.Errorf("without a timeout it waits for %s", got)
		}
	})
}

package console

import (
	"testing"

	"github.com/bunnicula-go/bunnicula/console/internal/operation"
)

func TestWhoMayBeginAnExportMayStopIt(t *testing.T) {
	for kind, want := range map[operation.Kind]Right{
		operation.Export: Read, operation.Redrive: Move, operation.Archive: Move, operation.Delete: Move,
	} {
		if got := stopRight(kind); got != want {
			t.Errorf("to stop a %s takes the right %d, want %d", kind, got, want)
		}
	}
}

package drill_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
)

func TestTheExitCodeSaysHowARunHasEnded(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	broken := errors.New("the broker: refused")
	for _, test := range []struct {
		err  error
		code int
		said string
	}{
		{nil, drill.ExitOK, ""},
		{drill.UsageError{Err: flag.ErrHelp}, drill.ExitOK, ""},
		{drill.UsageError{Err: errors.New("-n is 0")}, drill.ExitUsage, "shop: -n is 0 (-h shows all flags)\n"},
		{drill.StoppedOr(stopped, broken), drill.ExitStopped, "shop: stopped; -fresh begins anew\n"},
		{drill.StoppedOr(t.Context(), fmt.Errorf("run: %w", broken)), drill.ExitFailed, "shop: run: the broker: refused\n"},
	} {
		var said drilltest.Output
		if code := drill.Exit(&said, "shop", test.err); code != test.code || said.String() != test.said {
			t.Errorf("%v: exit code %d, %q", test.err, code, said.String())
		}
	}
}

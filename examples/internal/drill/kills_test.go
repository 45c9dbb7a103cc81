package drill_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
)

func TestAKillThatFailsIsMissedAndLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said drilltest.Output
		var toll drill.Toll
		kills := drill.NewKills([]drill.Victim{{Name: "broker", Kill: func(context.Context) (bool, error) {
			return true, errors.New("-kill-broker: exit status 1")
		}}}, 1, 1, 1, &toll, &said)
		kills.Start(t.Context())
		kills.Happened()
		time.Sleep(time.Second)
		kills.Stop()
		drilltest.MustContain(t, said.String(), "kill broker: -kill-broker: exit status 1\n")
		if d := toll.Deaths(); len(d.Killed) > 0 || !maps.Equal(d.Missed, map[string]int{"broker": 1}) {
			t.Errorf("killed: %v, missed: %v, want the broker to be missed", d.Killed, d.Missed)
		}
	})
}

func TestAVictimThatIsDeadIsKilledWhenItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var toll drill.Toll
		tries := 0
		kills := drill.NewKills([]drill.Victim{{Name: "worker 1", Kill: func(context.Context) (bool, error) {
			tries++
			return tries == 3, nil
		}}}, 1, 1, 1, &toll, t.Output())
		kills.Start(t.Context())
		kills.Happened()
		time.Sleep(time.Second)
		kills.Stop()
		if d := toll.Deaths(); tries != 3 || !maps.Equal(d.Killed, map[string]int{"worker 1": 1}) {
			t.Errorf("killed: %v after %d tries", d.Killed, tries)
		}
	})
}

func TestTheTollSaysWhichKillsWereMissed(t *testing.T) {
	for _, test := range []struct {
		planned int
		deaths  drill.Deaths
		want    string
	}{
		{0, drill.Deaths{}, ""},
		{2, drill.Deaths{Killed: map[string]int{"shop": 2}}, "2 shop"},
		{2, drill.Deaths{}, "missed, as the work was over: 2"},
		{
			4, drill.Deaths{Killed: map[string]int{"shop": 1}, Missed: map[string]int{"broker": 1}},
			"1 shop; missed, as the kill failed: 1 broker; missed, as the work was over: 2",
		},
	} {
		if got := test.deaths.Kills(test.planned); got != test.want {
			t.Errorf("of %d kills: %q, want %q", test.planned, got, test.want)
		}
	}
}

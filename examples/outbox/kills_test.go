package main

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheAccountSaysWhichKillsWereMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said output
		tally := NewTally()
		kills := NewKills([]Victim{{"broker", func(context.Context) (bool, error) {
			return true, errors.New("-kill-broker: exit status 1")
		}}}, 1, 1, 1, tally, &said)
		kills.Start(t.Context())
		kills.Happened()
		time.Sleep(time.Second)
		kills.Stop()
		mustContain(t, said.String(), "kill broker: -kill-broker: exit status 1\n")
		if c := tally.Counts(); len(c.Killed) > 0 || !maps.Equal(c.Missed, map[string]int{"broker": 1}) {
			t.Errorf("killed: %v, missed: %v, want the broker to be missed", c.Killed, c.Missed)
		}
		tally.Killed("shop")
		var account output
		Account{}.Print(&account, Facts{Kills: 4, Counts: tally.Counts()})
		mustContain(t, account.String(), "killed  1  1 shop; missed, as the kill failed: 1 broker; missed, as the work was over: 2\n")
	})
	for _, test := range []struct {
		planned int
		killed  map[string]int
		want    string
	}{
		{0, nil, ""},
		{2, map[string]int{"shop": 2}, "2 shop"},
		{2, nil, "missed, as the work was over: 2"},
	} {
		if got := (Counts{Killed: test.killed}).kills(test.planned); got != test.want {
			t.Errorf("of %d kills: %q, want %q", test.planned, got, test.want)
		}
	}
}

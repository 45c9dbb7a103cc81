package main

import "testing"

func TestDelaysAreListedOnceAndTheLadderIsAWord(t *testing.T) {
	for _, test := range []struct {
		flags []string
		want  string
	}{
		{[]string{"10s,1m"}, "10s,1m"},
		{[]string{"1m", "60s, 2h"}, "1m,2h"},
		{[]string{"ladder"}, "250ms,1s,5s,15s,1m,5m,15m,1h,6h,24h"},
		{[]string{"30s,ladder,1m"}, "30s,250ms,1s,5s,15s,1m,5m,15m,1h,6h,24h"},
		{[]string{"none"}, ""},
	} {
		l := delayList{orNone: true}
		for _, text := range test.flags {
			if err := l.Set(text); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
		if got := l.String(); got != test.want || !l.given {
			t.Errorf("%q is %s, want %s", test.flags, got, test.want)
		}
	}
}

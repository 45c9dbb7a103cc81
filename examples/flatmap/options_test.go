package main

import (
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
)

func TestAWrongFlagIsNamedWithItsValue(t *testing.T) {
	for want, args := range map[string][]string{
		"-branches is 0, want 1 to 1000":                                    {"-branches", "0"},
		"-accounts is 2, want 3 to 100000":                                  {"-accounts", "2"},
		"-rows is -1, want 0 to 10000000":                                   {"-rows", "-1"},
		"-page is 0, want 1 to 100000":                                      {"-page", "0"},
		"-workers is 0, want 1 to 100":                                      {"-workers", "0"},
		"-kills is 1001, want 0 to 1000":                                    {"-kills", "1001"},
		"-lock is -1s, want 0s to 1m":                                       {"-lock", "-1s"},
		"-failure-rate is NaN, want 0 to 0.5":                               {"-failure-rate", "NaN"},
		`-queue-prefix is "a/b"`:                                            {"-queue-prefix", "a/b"},
		`-victims names "broker", want some of worker,transaction,database`: {"-victims", "broker"},
		`"more" is not a flag`:                                              {"more"},
		"flag provided but not defined: -unknown (-h shows all":             {"-unknown"},
	} {
		var out, said drilltest.Output
		if code := run(t.Context(), args, strings.NewReader(""), &out, &said); code != drill.ExitUsage {
			t.Errorf("%q: exit code %d", args, code)
		}
		drilltest.MustContain(t, said.String(), want)
	}
}

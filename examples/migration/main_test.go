package main

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
)

func TestMain(m *testing.M) { drilltest.Main(m, main) }

// made is a migration whose old system's file is there.
func made(t *testing.T, url, queue string, records, rate int, seed uint64) Options {
	t.Helper()
	dir := t.TempDir()
	o, err := parse([]string{
		"export", "-url", url, "-queue", queue, "-records", strconv.Itoa(records), "-rate", strconv.Itoa(rate), "-seed", strconv.FormatUint(seed, 10),
		"-source", filepath.Join(dir, "old.csv"), "-store", filepath.Join(dir, "new.db"),
	}, t.Output())
	if err == nil {
		err = makeOld(o)
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// args are the flags of Options.
func (o Options) args(command string, more ...string) []string {
	return append([]string{
		command, "-url", o.URL, "-queue", o.Queue, "-source", o.Source, "-store", o.Store, "-rate", strconv.Itoa(o.Rate),
	}, more...)
}

func mustRead(t *testing.T, o Options) []Customer {
	t.Helper()
	all, err := readOld(o.Source)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// odd counts the customers with a date with dots, and those without a date.
func odd(all []Customer) (withDots, without int) {
	for _, c := range all {
		switch {
		case c.Birthday == "00.00.0000":
			without++
		case strings.Contains(c.Birthday, "."):
			withDots++
		}
	}
	return withDots, without
}

func TestAWrongCommandOrFlagIsNamedWithItsValue(t *testing.T) {
	for want, args := range map[string][]string{
		`the command is "", want export, import, account or forget`: {},
		`the command is "sell"`:                                 {"sell"},
		`"more" is not a flag`:                                  {"export", "more"},
		"-records is 0, want 1 to 10000000":                     {"export", "-records", "0"},
		"-rate is 0, want 1 to 1000000":                         {"export", "-rate", "0"},
		`-queue is "a/b"`:                                       {"import", "-queue", "a/b"},
		"flag provided but not defined: -unknown (-h shows all": {"import", "-unknown"},
	} {
		var out, said drilltest.Output
		if code := run(t.Context(), args, &out, &said); code != exitUsage || !strings.Contains(said.String(), want) {
			t.Errorf("%q: exit code %d: %s", args, code, said.String())
		}
	}
	var out, said drilltest.Output
	if code := run(t.Context(), []string{"-h"}, &out, &said); code != exitOK || !strings.Contains(out.String(), "-fixed") {
		t.Errorf("-h: exit code %d: %s", code, out.String())
	}
}

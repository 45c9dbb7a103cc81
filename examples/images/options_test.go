package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
)

func TestAWrongFlagIsNamedWithItsValue(t *testing.T) {
	for want, args := range map[string][]string{
		"-n is 0, want 1 to 1000000":                            {"-n", "0"},
		"-workers is 101, want 1 to 100":                        {"-workers", "101"},
		"-kills is 5, want 0 to 4":                              {"-n", "4", "-kills", "5"},
		`-queue-prefix is "a/b"`:                                {"-queue-prefix", "a/b"},
		`"more" is not a flag`:                                  {"more"},
		"-node: stat /no/worker.js":                             {"-node", "/no/worker.js"},
		"-fresh deletes what -applied says is there":            {"-fresh", "-applied"},
		"flag provided but not defined: -unknown (-h shows all": {"-unknown"},
	} {
		var out, said drilltest.Output
		if code := run(t.Context(), args, strings.NewReader(""), &out, &said); code != drill.ExitUsage {
			t.Errorf("%q: exit code %d", args, code)
		}
		drilltest.MustContain(t, said.String(), want)
	}
}

// Operators review the file, so it must be what the workers need.
func TestTheTopologyFileIsWhatTheAppsNeed(t *testing.T) {
	var out, said drilltest.Output
	if code := run(t.Context(), []string{"topology"}, strings.NewReader(""), &out, &said); code != drill.ExitOK {
		t.Fatal(said.String())
	}
	file, err := os.ReadFile("topology.yml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, []byte(out.String())) {
		t.Errorf("topology.yml is not what \"go run ./examples/images topology\" prints:\n%s", out.String())
	}
}

func TestThePicturesAreSmallAndListed(t *testing.T) {
	notice, err := os.ReadFile("testdata/NOTICE.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := pictures.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, f := range files {
		size += len(picture(f.Name()).Body)
		drilltest.MustContain(t, string(notice), "| `"+f.Name()+"` |")
	}
	if size > 300<<10 {
		t.Errorf("they have %d bytes together", size)
	}
}

func TestRequestsAreTheSameForTheSameSeed(t *testing.T) {
	a, b, other := requests(Options{N: 30, Seed: 1}, "x"), requests(Options{N: 30, Seed: 1}, "x"), requests(Options{N: 30, Seed: 2}, "x")
	same := true
	for i := range a {
		if a[i].ID != b[i].ID || a[i].Trouble != b[i].Trouble || a[i].Twice != b[i].Twice || !bytes.Equal(a[i].Body, b[i].Body) {
			t.Errorf("request %d differs: %s and %s", i, a[i].ID, b[i].ID)
		}
		same = same && bytes.Equal(a[i].Body, other[i].Body)
	}
	if same {
		t.Error("another seed makes the same")
	}
}

package upgrade_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/upgrade/fixture"
)

// fixtures calls test for each fixture and each of its schemes.
func fixtures(t *testing.T, test func(t *testing.T, file, scheme string)) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d fixtures: %v", len(files), err)
	}
	for _, file := range files {
		for _, scheme := range slices.Sorted(maps.Keys(fixture.Specs(""))) {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".json")+"/"+scheme, func(t *testing.T) { test(t, file, scheme) })
		}
	}
}

func readFixture(t *testing.T, file, base, scheme string) (fixture.Fixture, fixture.Scheme) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := fixture.Read(text, base)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(f.Schemes, func(s fixture.Scheme) bool { return s.Name == scheme })
	if i < 0 {
		t.Fatalf("%s has no scheme %s", file, scheme)
	}
	return f, f.Schemes[i]
}

func TestNothingIsDeclaredOtherwiseThanInTheFixture(t *testing.T) {
	fixtures(t, func(t *testing.T, file, scheme string) {
		const base = "q"
		_, left := readFixture(t, file, base, scheme)
		spec := fixture.Specs(base)[scheme]
		spec.Handler = func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }
		c, err := consumer.New(nil, spec, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var now fixture.Recorder
		if err := c.Topology().Declare(&now); err != nil {
			t.Fatal(err)
		}
		want := slices.DeleteFunc(left.Declared, func(d fixture.Declaration) bool { return d.Name == fixture.Existing(base) })
		if got, want := inOrder(t, now.Declared), inOrder(t, want); !slices.Equal(got, want) {
			t.Errorf("declared are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// inOrder are declarations as text, sorted: their order may change.
func inOrder(t *testing.T, all []fixture.Declaration) []string {
	t.Helper()
	var lines []string
	for _, d := range all {
		lines = append(lines, asText(t, d))
	}
	slices.Sort(lines)
	return lines
}

// asText is JSON, which has the type of each header and times in UTC.
func asText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// seen is what a handler sees of a message that was published like this.
func seen(m fixture.Message, user string) fixture.Content {
	c := m.Published
	c.Headers = maps.Clone(c.Headers)
	maps.DeleteFunc(c.Headers, func(name string, _ any) bool { return isOurs(name) || isBrokers(name) })
	if len(c.Headers) == 0 {
		c.Headers = nil
	}
	if c.UserID != "" {
		c.UserID = user
	}
	return c
}

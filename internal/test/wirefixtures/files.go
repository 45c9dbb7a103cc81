package wirefixtures

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/test/golden"
)

const contract = `This is what lies in queues, and a contract: consumers in other languages and earlier versions read it and
write it. Change it only so that they still understand it. Then say so in docs/wire/README.md and in
CHANGELOG.md, and run: go test -p 1 ./internal/test/wirefixtures ./consumer ./errorqueue -run TestWire -update`

// folder returns docs/wire.
func folder() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", "..", "docs", "wire")
}

// Each calls test for each file, by its name without .json.
func Each(t *testing.T, test func(t *testing.T, name string, m Message)) {
	files, err := filepath.Glob(filepath.Join(folder(), "*.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files in docs/wire, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			m, there := read(t, name)
			if !there {
				t.Fatal("it is gone")
			}
			test(t, name, m)
		})
	}
}

// EachEvent calls test for each event in docs/wire/events, by its name without .json.
func EachEvent(t *testing.T, test func(t *testing.T, name string, m Message)) {
	eachIn(t, "events", 4, test)
}

// EachOrder calls test for each record in docs/wire/orders, by its name without .json.
func EachOrder(t *testing.T, test func(t *testing.T, name string, m Message)) {
	eachIn(t, "orders", 6, test)
}

// EachOfPipeline calls test for each message and record in docs/wire/pipeline, by its name without
// .json.
func EachOfPipeline(t *testing.T, test func(t *testing.T, name string, m Message)) {
	eachIn(t, "pipeline", 7, test)
}

func eachIn(t *testing.T, sub string, least int, test func(t *testing.T, name string, m Message)) {
	files, err := filepath.Glob(filepath.Join(folder(), sub, "*.json"))
	if err != nil || len(files) < least {
		t.Fatalf("%d files in docs/wire/%s, %v", len(files), sub, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			m, _ := read(t, sub+"/"+name)
			test(t, name, m)
		})
	}
}

// Compare compares a message that today's code has written with the file of that name.
func Compare(t *testing.T, name, about string, got Message) {
	t.Helper()
	want, _ := read(t, name)
	got.About, got.Handled, got.Shown = about, want.Handled, want.Shown
	compare(t, name, "is written", got, want)
}

// CompareHandled compares what a handler sees of a message with its file.
func CompareHandled(t *testing.T, name string, m Message, got Handled) {
	t.Helper()
	want := m
	m.Handled = &got
	compare(t, name, "is handled", m, want)
}

// CompareShown compares what is shown of a parked message with its file.
func CompareShown(t *testing.T, name string, m Message, got Shown) {
	t.Helper()
	want := m
	m.Shown = &got
	compare(t, name, "is shown", m, want)
}

func compare(t *testing.T, name, what string, got, want Message) {
	t.Helper()
	if golden.Updating() {
		write(t, filepath.Join(folder(), name+".json"), text(t, got))
		return
	}
	if g, w := text(t, got), text(t, want); !bytes.Equal(g, w) {
		t.Errorf("docs/wire/%s.json %s otherwise.\n%s\n\ngot:\n%s\nwant:\n%s", name, what, contract, g, w)
	}
}

// write replaces the file at once: the tests of another package may be reading it.
func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file+".new", data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) (m Message, there bool) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder(), name+".json"))
	if os.IsNotExist(err) {
		return Message{}, false
	}
	if err != nil {
		t.Fatal(err)
	}
	known := json.NewDecoder(bytes.NewReader(data))
	known.DisallowUnknownFields()
	if err := known.Decode(&m); err != nil {
		t.Fatalf("docs/wire/%s.json: %v", name, err)
	}
	if again := text(t, m); !bytes.Equal(again, data) {
		t.Errorf("docs/wire/%s.json is not as it would be written:\n%s", name, again)
	}
	return m, true
}

func text(t *testing.T, m Message) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

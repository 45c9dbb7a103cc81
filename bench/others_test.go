package main

import (
	"maps"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

func TestAnotherLibrarysSideIsPlayedByItsProgram(t *testing.T) {
	w, _ := findCase("consume-16")
	v := variant{workload: w, QueueType: mainType, Size: mainSize, Count: 100}
	v.Sides = withOthers(w)[len(w.Sides):]
	if len(v.Sides) == 0 {
		t.Fatal("there is none")
	}
	r := &runner{others: "/nowhere/others", progress: func(string, ...any) {}}
	if _, err := r.playCase(t.Context(), v, 1); err == nil || !strings.Contains(err.Error(), "/nowhere/others") {
		t.Errorf("got %v", err)
	}
	r.others = program(t) // which has the sides of this program only
	if _, err := r.playCase(t.Context(), v, 1); err == nil || !strings.Contains(err.Error(), "has no side") {
		t.Errorf("got %v", err)
	}
}

func TestEveryOtherSideHasItsModule(t *testing.T) {
	for _, w := range workloads() {
		for _, name := range w.Others {
			if !isOther(name) {
				t.Errorf("%s: side %q has no module", w.Name, name)
			}
		}
		for _, s := range w.Sides {
			if isOther(s.Name) || s.do == nil {
				t.Errorf("%s: side %q is not one of this program", w.Name, s.Name)
			}
		}
	}
}

func TestOtherLibrariesHaveVersionsAndTheSameRawClient(t *testing.T) {
	modules := map[string]string{clientLibrary: "v1.2.3", "example.org/else": "v0.0.1"}
	for _, module := range turn.Modules {
		modules[module] = "v9.8.7"
	}
	got, err := libraries(modules, "v1.2.3")
	if err != nil || len(got) != 4 || got["github.com/wagslane/go-rabbitmq"] != "v9.8.7" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := libraries(modules, "v1.2.4"); err == nil || !strings.Contains(err.Error(), `"v1.2.3", and this program has "v1.2.4"`) {
		t.Errorf("another client: got %v", err)
	}
	fewer := maps.Clone(modules)
	delete(fewer, "github.com/makasim/amqpextra")
	if _, err := libraries(fewer, "v1.2.3"); err == nil || !strings.Contains(err.Error(), "does not have github.com/makasim/amqpextra") {
		t.Errorf("without a module: got %v", err)
	}
	if _, err := readLibraries("nowhere", "v1"); err == nil {
		t.Error("a program that is not there has libraries")
	}
}

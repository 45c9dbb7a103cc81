package main

import (
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/topology"
)

// names returns the names of the cases that flags select.
func names(t *testing.T, args ...string) []string {
	t.Helper()
	o, err := parse(args, &strings.Builder{})
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	var all []string
	for _, v := range o.variants() {
		all = append(all, v.Name())
	}
	return all
}

func TestFlagsSelectCases(t *testing.T) {
	everything := names(t)
	for _, tt := range []struct {
		args       []string
		has, lacks []string
	}{
		{nil, []string{"consume-16/quorum/256", "consume-16/quorum/262144", "consume-16/classic/256", "retry/quorum/256", "many-200/quorum/256"},
			[]string{"queues-10/quorum/256", "processes-1/quorum/256", "consume-16/classic/4096", "retry/classic/256", "backlog-1000000/quorum/256"}},
		{[]string{"-quick"}, []string{"consume-16/quorum/256", "publish-64/quorum/256", "backlog-10000/quorum/256", "many-10/quorum/256"}, []string{"backlog-100000/quorum/256", "consume-16/classic/256", "consume-16/quorum/4096"}},
		{[]string{"-run", "^consume-16"}, []string{"consume-16/quorum/256"}, []string{"consume-1/quorum/256"}},
		{[]string{"-queue", "classic"}, []string{"retry/classic/256"}, []string{"retry/quorum/256", "consume-16/classic/4096"}},
		{[]string{"-queue", "both", "-size", "64,4096"}, []string{"retry/classic/64", "retry/quorum/4096"}, []string{"retry/quorum/256", "backlog-100000/quorum/4096"}},
		{[]string{"-long"}, []string{"backlog-1000000/quorum/256", "parts/quorum/256", "queues-500/quorum/256", "processes-64/quorum/256"}, []string{"parts-order/quorum/256"}},
		{[]string{"-long", "-peer"}, []string{"parts/quorum/256", "parts-order/quorum/256"}, []string{"backlog-1000000/quorum/256"}},
		{[]string{"-peer"}, []string{"consume-16/quorum/256", "retry/quorum/256", "many-200/quorum/256"}, []string{"latency/quorum/256", "consume-16/classic/256"}},
	} {
		got := names(t, tt.args...)
		for _, name := range tt.has {
			if !slices.Contains(got, name) {
				t.Errorf("%v lacks %s", tt.args, name)
			}
		}
		for _, name := range tt.lacks {
			if slices.Contains(got, name) {
				t.Errorf("%v has %s", tt.args, name)
			}
		}
	}
	if len(everything) != len(slices.Compact(slices.Sorted(slices.Values(everything)))) {
		t.Error("a case is there twice")
	}
}

func TestOtherLibrariesAreMeasuredInTheMainCasesOrWhereSelected(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want []string // cases with sides of other libraries
	}{
		{nil, nil},
		{[]string{"-others", "program"}, []string{"publish-64/quorum/256", "consume-16/quorum/256"}},
		{[]string{"-others", "program", "-quick"}, []string{"publish-64/quorum/256", "consume-16/quorum/256"}},
		{[]string{"-others", "program", "-size", "4096"}, []string{"publish-64/quorum/4096", "consume-16/quorum/4096"}},
		{[]string{"-others", "program", "-peer"}, nil},
	} {
		o, err := parse(tt.args, &strings.Builder{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range o.variants() {
			if slices.ContainsFunc(v.Sides, func(s side) bool { return isOther(s.Name) }) {
				got = append(got, v.Name())
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%v: %q, want %q", tt.args, got, tt.want)
		}
	}
}

func TestWrongFlagsAreToldApart(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-run", "nothing"}, `selects no case (there are publish-1, publish-16`},
		{[]string{"-run", "("}, "-run: error parsing regexp"},
		{[]string{"-run", "latency", "-peer"}, "some cannot run on -peer"},
		{[]string{"-run", "1000000"}, "some need -long"},
		{[]string{"-queue", "stream"}, `-queue is "stream", want quorum, classic or both`},
		{[]string{"-size", "256,x"}, `-size has "x"`},
		{[]string{"-size", "8"}, `-size has "8"`},
		{[]string{"-rounds", "-1"}, "-rounds is -1"},
		{[]string{"-count", "3"}, "-count is 3"},
		{[]string{"-memory", "1ms"}, "-memory is 1ms"},
		{[]string{"-memory", "1m", "-peer"}, "-memory needs a broker"},
		{[]string{"quick"}, `"quick" is not a flag`},
		{[]string{"-fast"}, "-fast"},
	} {
		if _, err := parse(tt.args, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.args, err, tt.want)
		}
	}
}

func TestHelpHasExamplesAndEveryFlag(t *testing.T) {
	var out strings.Builder
	if _, err := parse([]string{"-h"}, &out); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{"bench -quick", "-rounds", "-compare", "-peer", "Ctrl-C"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the help", want)
		}
	}
}

func TestCountsShrinkWithTheSize(t *testing.T) {
	w, _ := findCase("consume-16")
	v := func(queue topology.QueueType, size int) variant {
		return variant{workload: w, QueueType: queue, Size: size}
	}
	var s selection
	whole, classic, middle, large := s.countOf(v(topology.Quorum, 256)), s.countOf(v(topology.Classic, 256)), s.countOf(v(topology.Quorum, 4096)), s.countOf(v(topology.Quorum, 262144))
	if whole != w.Count || classic >= whole || middle >= whole || large >= middle {
		t.Errorf("counts %d, %d, %d, %d", whole, classic, middle, large)
	}
	s.quick = true
	if quick := s.countOf(v(topology.Quorum, 256)); quick != w.Quick {
		t.Errorf("quick is %d, want %d", quick, w.Quick)
	}
	backlog, _ := findCase("backlog-100000")
	s.count = 77
	if got := s.countOf(variant{workload: backlog, QueueType: topology.Quorum, Size: mainSize}); got != backlog.Count {
		t.Errorf("-count 77 makes the backlog %d messages, want %d", got, backlog.Count)
	}
	if got := s.countOf(v(topology.Quorum, 262144)); got != 77 {
		t.Errorf("-count 77 gives %d", got)
	}
}

package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

const (
	readerFunction = clientLibrary + ".(*Connection).reader"
	workFunction   = "github.com/bunnicula-go/bunnicula/consumer.(*Consumer).work"
)

// madeProfile has one sample for each stack. A stack goes from the root to the leaf; functions
// joined by "+" are inlined.
func madeProfile(stacks map[string]time.Duration) *profile.Profile {
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 1,
	}
	functions := map[string]*profile.Function{}
	for text, took := range stacks {
		s := &profile.Sample{Value: []int64{1, int64(took)}}
		for place := range strings.FieldsSeq(text) {
			l := &profile.Location{ID: uint64(len(p.Location) + 1)}
			for name := range strings.SplitSeq(place, "+") {
				if functions[name] == nil {
					functions[name] = &profile.Function{ID: uint64(len(p.Function) + 1), Name: name}
					p.Function = append(p.Function, functions[name])
				}
				l.Line = append([]profile.Line{{Function: functions[name]}}, l.Line...)
			}
			p.Location = append(p.Location, l)
			s.Location = append([]*profile.Location{l}, s.Location...)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func someProfile() *profile.Profile {
	return madeProfile(map[string]time.Duration{
		"main.main " + workFunction:                  2 * time.Second,
		"main.main " + workFunction + "+main.handle": 3 * time.Second,
		"main.main " + workFunction + " main.handle": time.Second,
		"main.main":                      time.Second,
		readerFunction + " syscall.Read": 2 * time.Second,
		readerFunction + " slices.SortFunc[go.shape./x]": time.Second - 5*time.Millisecond,
		readerFunction + " tiny.one":                     5 * time.Millisecond,
	})
}

func folded(t *testing.T, p *profile.Profile) *stack {
	t.Helper()
	if err := p.CheckValid(); err != nil {
		t.Fatal(err)
	}
	all, err := fold(p)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEqualStacksAreFoldedAndTheLargestComesFirst(t *testing.T) {
	var got []string
	var list func(s *stack, depth int)
	list = func(s *stack, depth int) {
		got = append(got, fmt.Sprintf("%d %s %d %d", depth, shortName(s.Function), s.CPU/1e6, s.Self/1e6))
		sum := s.Self
		for _, c := range s.Calls {
			sum += c.CPU
			list(c, depth+1)
		}
		if sum != s.CPU {
			t.Errorf("%s took %d, and its parts %d", s.Function, s.CPU, sum)
		}
	}
	list(folded(t, someProfile()), 0)
	want := []string{
		"0 all 10000 0",
		"1 main.main 7000 1000",
		"2 consumer.(*Consumer).work 6000 2000",
		"3 main.handle 4000 4000",
		"1 amqp091-go.(*Connection).reader 3000 0",
		"2 syscall.Read 2000 2000",
		"2 slices.SortFunc 995 995",
		"2 tiny.one 5 5",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAProfileOfSomethingElseIsRefused(t *testing.T) {
	p := madeProfile(nil)
	p.SampleType[1].Type = "alloc_space"
	if _, err := flame(p, "", ""); err == nil {
		t.Error("allocations are drawn as CPU")
	}
}

// drawnBox is a function in a flame graph.
type drawnBox struct {
	Title string `xml:"title"`
	Label string `xml:"text"`
	Rect  struct {
		X     float64 `xml:"x,attr"`
		Y     float64 `xml:"y,attr"`
		Width float64 `xml:"width,attr"`
		Fill  string  `xml:"fill,attr"`
	} `xml:"rect"`
}

func drawnBoxes(t *testing.T, p *profile.Profile) []drawnBox {
	t.Helper()
	svg, err := flame(p, "consume <16> & more", "on 2 cores")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(svg, "consume &lt;16&gt; &amp; more") || !strings.Contains(svg, "on 2 cores") {
		t.Error("it has not got its title and what is under it")
	}
	var image struct {
		Boxes []drawnBox `xml:"g"`
	}
	if err := xml.Unmarshal([]byte(svg), &image); err != nil {
		t.Fatalf("%v\n%s", err, svg)
	}
	return image.Boxes
}

func TestAFlameGraphIsAsWideAsItsCPU(t *testing.T) {
	boxes := drawnBoxes(t, someProfile())
	rows := map[float64]float64{}
	for _, b := range boxes {
		rows[b.Rect.Y] += b.Rect.Width
		if b.Rect.X < flameMargin || b.Rect.X+b.Rect.Width > flameWidth-flameMargin+0.1 {
			t.Errorf("%s leaves the page", b.Title)
		}
		if wide := float64(len([]rune(b.Label))) * flameLetter; wide > b.Rect.Width {
			t.Errorf("%q is wider than its box", b.Label)
		}
	}
	const all = flameWidth - 2*flameMargin
	for row, want := range []float64{1, 1, 0.6 + 0.2 + 0.0995, 0.4} {
		if got := rows[float64(flameTop+flameRow*row)] / all; math.Abs(got-want) > 0.001 {
			t.Errorf("row %d is %.4f of the width, want %.4f", row, got, want)
		}
	}
}

func TestABoxSaysWhatItIsAndItsColourWhose(t *testing.T) {
	boxes := drawnBoxes(t, someProfile())
	for _, want := range []struct {
		title, label string
		owner        owner
	}{
		{workFunction + ": 6.00 s, 60.0 %, itself 2.00 s", "consumer.(*Consumer).work", thisLibrary},
		{readerFunction + ": 3.00 s, 30.0 %", "amqp091-go.(*Connection).reader", theClient},
		{"syscall.Read: 2.00 s, 20.0 %", "syscall.Read", theSystem},
		{"slices.SortFunc[go.shape./x]: 0.99 s, 9.9 %", "slices.SortFunc", theRest},
	} {
		found := false
		for _, b := range boxes {
			found = found || b.Title == want.title && b.Label == want.label && b.Rect.Fill == ownerLooks[want.owner].colour
		}
		if !found {
			t.Errorf("there is no %+v in %+v", want, boxes)
		}
	}
	for _, b := range boxes {
		if strings.Contains(b.Title, "tiny") {
			t.Errorf("%s is drawn, and took less than %v of all", b.Title, flameLeast)
		}
	}
}

func TestOwnersAreToldByTheFunctionsPackage(t *testing.T) {
	for function, want := range map[string]owner{
		workFunction:   thisLibrary,
		readerFunction: theClient,
		"github.com/bunnicula-go/bunnicula/internal/transport.(*counted).Read": thisLibrary,
		"runtime.mallocgc":                        theRuntime,
		"internal/runtime/maps.(*Map).getWithKey": theRuntime,
		"memeqbody":                               theRuntime,
		"runtime.futex":                           theSystem,
		"internal/runtime/syscall/linux.Syscall6": theSystem,
		"syscall.write":                           theSystem,
		"internal/poll.(*FD).Read":                theRest,
		"main.rawLoop":                            theRest,
	} {
		if got := ownerOf(function); got != want {
			t.Errorf("%s is %q, want %q", function, ownerLooks[got].name, ownerLooks[want].name)
		}
	}
}

func TestNamesAreCutWhereItHurtsLeast(t *testing.T) {
	for _, tt := range []struct {
		letters int
		want    string
	}{
		{40, "consumer.(*Consumer).attempt.func1"}, {33, "(*Consumer).attempt.func1"}, {20, "attempt.func1"}, {10, "attempt.f…"}, {4, ""},
	} {
		if got := fitted("consumer.(*Consumer).attempt.func1", float64(tt.letters)*flameLetter+0.1); got != tt.want {
			t.Errorf("%d letters: %q, want %q", tt.letters, got, tt.want)
		}
	}
}

func TestAFlameGraphOfManyFunctionsIsNotALargeFile(t *testing.T) {
	stacks := map[string]time.Duration{}
	for i := range 250 {
		var names []string
		for depth := range 40 {
			names = append(names, fmt.Sprintf("example.com/some/package/with/a/name.(*Type).method%d_%d", i, depth))
		}
		stacks[strings.Join(names, " ")] = time.Second
	}
	svg, err := flame(madeProfile(stacks), "many", "")
	if err != nil || len(svg) > flameBytes {
		t.Errorf("%d bytes, %v", len(svg), err)
	}
}

func TestAFlameGraphStandsBesideItsProfile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "case.side")
	if err := drawFlame(name, "", ""); err == nil {
		t.Error("nothing is drawn")
	}
	var text bytes.Buffer
	// The side ended before the first sample.
	if err := madeProfile(nil).Write(&text); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name+".cpu.pprof", text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := drawFlame(name, "case", "side"); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(name + ".cpu.svg")
	if err != nil || xml.Unmarshal(svg, new(struct{})) != nil {
		t.Errorf("%v\n%s", err, svg)
	}
}

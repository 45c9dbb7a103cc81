package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/pipeline"
)

func bankAt(done int) *pipeline.Progress {
	return &pipeline.Progress{Job: "import", Stages: []pipeline.StageProgress{
		{Queue: "bank.accounts", Emitted: 3, Done: 3},
		{Queue: "bank.transactions", Emitted: 200, Done: done, Parked: done / 100},
	}}
}

func TestAJobIsALineNowAndThenWhereNoBarCanBeDrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := &stageBars{out: &out}
		for i := range 111 { // eleven seconds
			b.tell(bankAt(i))
			time.Sleep(100 * time.Millisecond)
		}
		b.say("1 message is parked")
		b.end()
		want := "import: bank.accounts 3/3, bank.transactions 50/200\nimport: bank.accounts 3/3, bank.transactions 100/200\n1 message is parked\n"
		if out.String() != want {
			t.Errorf("got\n%swant\n%s", out.String(), want)
		}
	})
}

func TestAJobHasABarForEachStageOnATerminal(t *testing.T) {
	out := &shared{}
	b := &stageBars{out: out, draws: true}
	for i := range 20 {
		b.tell(bankAt(10 * i))
		if i == 10 {
			b.say("1 message is parked")
		}
		time.Sleep(20 * time.Millisecond) // the bars' goroutine draws them
	}
	b.end()
	for _, want := range []string{"bank.accounts      [", "bank.transactions  [", "3/3", "/200, 1 parked", "1 message is parked\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing says %q: %q", want, out.String())
		}
	}
}

func TestWhatIsParkedIsSaidWithTheCommandThatShowsIt(t *testing.T) {
	want := "1 message of bank.transactions parked: bunnicula errors groups bank.transactions header.job=import\n"
	if got := parkedLines(bankAt(100)); got != want {
		t.Errorf("got %q", got)
	}
	if got := parkedLines(bankAt(0)); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestAJobWhoseStartIsNotInTheStreamSaysSo(t *testing.T) {
	for want, p := range map[string]pipeline.Progress{
		"no start": {}, "starting": {Began: time.Now()}, "running": {Started: true}, "complete": {Started: true, Complete: true},
	} {
		if got := jobState(&p); got != want {
			t.Errorf("%+v is %q", p, got)
		}
		var text strings.Builder
		if writeJob(&text, "bank", &p, false, 80, time.Now()); strings.Contains(text.String(), "not in the stream") != (want == "no start") {
			t.Errorf("%s: %s", want, text.String())
		}
	}
}

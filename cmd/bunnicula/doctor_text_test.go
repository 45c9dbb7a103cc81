package main

import (
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/doctor"
)

func TestTheSameFindingAboutSeveralQueuesIsPrintedOnce(t *testing.T) {
	finding := func(subject, problem string) doctor.Finding {
		return doctor.Finding{Severity: doctor.Warning, Check: "missing", Subject: subject, Problem: problem, Why: "W.", Do: "D.", See: "S"}
	}
	all := []doctor.Finding{
		finding("queue a", "it is not there"), finding("queue b", "it is full"), finding("queue c", "it is not there"),
		finding("node a", "it is not there"), finding("node b", "it is not there"),
	}
	var out strings.Builder
	a := &app{terminal: terminal{out: &out, getenv: func(string) string { return "" }}}
	a.printFindings(doctorReport{Findings: all})
	for text, want := range map[string]int{
		"each of 2 queues: it is not there\n    of   a, c\n    why  W.": 1, "queue b: it is full\n    why": 1, "node a: it": 1, "node b: it": 1, "5 to be warned of": 1, "    of ": 1,
	} {
		if got := strings.Count(out.String(), text); got != want {
			t.Errorf("%q is there %d times, want %d:\n%s", text, got, want, out.String())
		}
	}
}

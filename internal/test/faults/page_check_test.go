//go:build unix

package faults_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

func samplePage() ([]scenario, []row) {
	matrix := []scenario{{name: "one", breaks: "this"}, {name: "two", breaks: "that", types: quorumOnly}}
	var rows []row
	for _, b := range []string{"3.10.8", "4.0.5"} {
		for _, r := range []row{{Scenario: "one", Queue: topology.Quorum}, {Scenario: "one", Queue: topology.Classic}, {Scenario: "two", Queue: topology.Quorum}} {
			r.Broker, r.Faults, r.Recovered = b, 1, 1234*time.Millisecond
			r.Confirmed = 100
			rows = append(rows, r)
		}
	}
	return matrix, rows
}

func TestThePageThatIsMadeFitsTheMatrix(t *testing.T) {
	matrix, rows := samplePage()
	text, err := render(matrix, rows)
	if err != nil {
		t.Fatal(err)
	}
	if complaints := checkPage(matrix, text); len(complaints) > 0 {
		t.Errorf("complaints: %q", complaints)
	}
	for _, want := range []string{"600 messages", "| `two` | that | quorum | 100 · 100 | 0 · 0 | 0 of 0 · 0 of 0 | 0 · 0 | 1.23s · 1.23s |", "3.10.8 and 4.0.5"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the page:\n%s", want, text)
		}
	}
}

func TestAScenarioThatIsNotPlayedOnABrokerHasADashThere(t *testing.T) {
	matrix, rows := samplePage()
	matrix[0].types43 = quorumOnly
	for _, r := range rows[:3] {
		if r.Broker, r.At = "4.3.6", time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC); r.Scenario != "one" || r.Queue == topology.Quorum {
			rows = append(rows, r)
		}
	}
	text, err := render(matrix, rows)
	if err != nil {
		t.Fatal(err)
	}
	if complaints := checkPage(matrix, text); len(complaints) > 0 {
		t.Errorf("complaints: %q", complaints)
	}
	for _, want := range []string{
		"| `one` | this | classic | 100 · 100 · – | 0 · 0 · – | 0 of 0 · 0 of 0 · – |", "| `one` | this | quorum | 100 · 100 · 100 | 0 · 0 · 0 |",
		"on 2026-11-29 with RabbitMQ 3.10.8, 4.0.5 and 4.3.6",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the page:\n%s", want, text)
		}
	}
}

func TestAPageThatDoesNotFitIsSeen(t *testing.T) {
	matrix, rows := samplePage()
	good, err := render(matrix, rows)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		matrix []scenario
		text   string
		want   string
	}{
		"a scenario is missing":     {append(matrix[:2:2], scenario{name: "new", types: quorumOnly}), good, "new quorum: is not on the page"},
		"one is gone":               {matrix[:1], good, "two quorum: is not in the matrix"},
		"one is described anew":     {[]scenario{matrix[0], {name: "two", breaks: "else", types: quorumOnly}}, good, "something else"},
		"a message was lost":        {matrix, strings.Replace(good, "quorum | 100 · 100 | 0 · 0", "quorum | 100 · 100 | 0 · 1", 1), "lost is 0 · 1"},
		"many were lost":            {matrix, strings.Replace(good, "quorum | 100 · 100 | 0 · 0", "quorum | 100 · 100 | 0 · 10", 1), "lost is 0 · 10"},
		"a row stands there twice":  {matrix, good + good, "twice"},
		"a queue type is not there": {[]scenario{matrix[0], {name: "two", breaks: "that"}}, good, "two classic: is not on the page"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			complaints := checkPage(test.matrix, test.text)
			if len(complaints) == 0 || !strings.Contains(strings.Join(complaints, "\n"), test.want) {
				t.Errorf("got %q, want %q", complaints, test.want)
			}
		})
	}
}

func TestNoPageIsMadeOfARunThatFailed(t *testing.T) {
	tests := map[string]func(rows []row) []row{
		"a result is missing": func(rows []row) []row { return rows[1:] },
		"one failed":          func(rows []row) []row { rows[0].Failed = true; return rows },
		"one broker only":     func(rows []row) []row { return rows[:len(rows)/2] },
		"one lost a message":  func(rows []row) []row { rows[0].Lost = 1; return rows },
		"the last run failed": func(rows []row) []row {
			again := rows[0]
			again.Failed = true
			return append(rows, again)
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			matrix, rows := samplePage()
			if _, err := render(matrix, spoil(rows)); err == nil {
				t.Error("the page was made")
			}
		})
	}
}

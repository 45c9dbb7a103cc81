package prometheus_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/bunnicula-go/bunnicula/outbox/outboxtest"
)

// expressions returns those of the dashboard's panels and of the alerts.
func expressions(t *testing.T) (panels, alerts map[string]string) {
	t.Helper()
	panels, alerts = map[string]string{}, map[string]string{}
	var dashboard struct {
		Panels []struct {
			Title       string
			Description string
			Targets     []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Query string }
		}
	}
	if err := json.Unmarshal(read(t, "dashboard.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %q has no title, description or target", p.Title)
		}
		for _, target := range p.Targets {
			panels[p.Title] += target.Expr + "\n"
		}
	}
	for _, v := range dashboard.Templating.List {
		panels["variable "+v.Name] = v.Query
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(read(t, "alerts.yml"), &rules); err != nil {
		t.Fatal(err)
	}
	runbook := string(read(t, "../OPERATIONS.md"))
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			alerts[r.Alert] = r.Expr
			_, anchor, _ := strings.Cut(r.Annotations["runbook"], "#")
			if heading := regexp.MustCompile(`(?im)^#+ ` + strings.ReplaceAll(anchor, "-", " ") + `$`); !heading.MatchString(runbook) {
				t.Errorf("alert %s: docs/OPERATIONS.md has no heading for %q", r.Alert, anchor)
			}
			if r.Annotations["summary"] == "" {
				t.Errorf("alert %s has no summary", r.Alert)
			}
		}
	}
	return panels, alerts
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var (
	metric = regexp.MustCompile(`bunnicula_[a-z_]+`)
	series = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// The dashboard and the alerts use only metrics that exist, and the dashboard uses all of them.
func TestTheDashboardShowsTheMetricsThatThereAre(t *testing.T) {
	m, registry := busy(t)
	_, box := outboxtest.New(t)
	m.Watch(box.Metrics)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	there, shown := map[string]bool{}, map[string]bool{}
	for _, f := range families {
		there[f.GetName()] = true
	}
	panels, alerts := expressions(t)
	if len(panels) < 10 || len(alerts) < 5 {
		t.Fatalf("%d panels and %d alerts were read", len(panels), len(alerts))
	}
	for kind, all := range map[string]map[string]string{"panel": panels, "alert": alerts} {
		for title, expr := range all {
			if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
				t.Errorf("%s %q: brackets do not match in %s", kind, title, expr)
			}
			for _, name := range metric.FindAllString(expr, -1) {
				name = series.ReplaceAllString(name, "")
				if shown[name] = true; !there[name] {
					t.Errorf("%s %q asks for %s, which there is not", kind, title, name)
				}
			}
		}
	}
	for name := range there {
		if !shown[name] {
			t.Errorf("%s is on no panel", name)
		}
	}
}

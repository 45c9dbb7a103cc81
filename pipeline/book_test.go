package pipeline_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/pipeline"
)

func TestWhatAnybodyWritesIntoTheStreamMakesNoJob(t *testing.T) {
	simulate(t, nil, pipeline.Config{}, func(t *testing.T, s *simulation) {
		for _, report := range []map[string]any{
			{"job": "", "path": "1", "stage": "rows"},
			{"job": "a\x1b[2J", "path": "1", "stage": "rows"},
			{"job": strings.Repeat("x", 1000), "path": "1", "stage": "rows"},
			{"job": "june", "path": "1..", "stage": "rows"},
			{"job": "june", "path": "1", "stage": ""},
			{"job": "june", "path": "1", "stage": strings.Repeat("x", 1000)},
			{"job": "june", "path": "1", "stage": "rows", "out": map[string]any{strings.Repeat("x", 1000): 1}},
			{"job": "june", "path": "1", "stage": "rows", "out": map[string]int{"rows": -1}},
			{"job": "june", "path": "1", "stage": "rows", "keys": "AA=="},
		} {
			if err := s.publish("bank-progress", map[string]any{"version": 1, "kind": "done", "done": []any{report}}); err != nil {
				t.Fatal(err)
			}
		}
		jobs, err := s.Jobs(t.Context())
		if err != nil || len(jobs) != 0 {
			t.Errorf("%d jobs: %+v, %v", len(jobs), jobs, err)
		}
		if _, err := s.Progress(t.Context(), "june"); !errors.Is(err, pipeline.ErrNoJob) {
			t.Error(err)
		}
	})
}

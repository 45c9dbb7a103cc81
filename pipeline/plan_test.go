package pipeline_test

import (
	"slices"
	"testing"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

func TestThePlanOfAStageHasWhatItEmits(t *testing.T) {
	conn, err := connection.New(connection.Config{URL: "amqp://localhost"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := pipeline.New(conn, new(publishertest.Recorder), pipeline.Config{Name: "texts"})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		queue string
		emits []string
	}{{"texts", []string{"lines"}}, {"lines", nil}} {
		spec := Lines(texts)
		if row.queue == "lines" {
			spec = Words(texts)
		}
		plan, err := spec.Plan()
		if err != nil || plan.Queue != row.queue || !slices.Equal(plan.Emits, row.emits) {
			t.Errorf("the plan of %s emits %q, want %q; error %v", plan.Queue, plan.Emits, row.emits, err)
		}
	}
}

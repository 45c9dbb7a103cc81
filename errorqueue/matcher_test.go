package errorqueue

import (
	"errors"
	"testing"
	"time"
)

func TestAMatcherChoosesTheSameAtAnyTime(t *testing.T) {
	m := &Message{Reason: "timeout", FailedAt: now.Add(-time.Hour)}
	at, err := Filter{Reasons: []string{"timeout"}, OlderThan: 2 * time.Hour}.At(now)
	if err != nil {
		t.Fatal(err)
	}
	if at.Matches(m) {
		t.Error("it chooses what is younger")
	}
	later, err := Filter{Reasons: []string{"timeout"}, OlderThan: 2 * time.Hour}.At(now.Add(90 * time.Minute))
	if err != nil || !later.Matches(m) {
		t.Errorf("it does not choose what is older, %v", err)
	}
	if !m.Since().Equal(m.FailedAt) {
		t.Errorf("since %v, want %v", m.Since(), m.FailedAt)
	}
}

func TestAMatcherOfAWrongFilterIsAFieldError(t *testing.T) {
	var wrong *FieldError
	if m, err := (Filter{OlderThan: -1}).At(now); !errors.As(err, &wrong) || m != nil {
		t.Errorf("got %v, %v", m, err)
	}
}

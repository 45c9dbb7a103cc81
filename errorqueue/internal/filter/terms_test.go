package filter

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTermsAreReadAsAShellLeavesThem(t *testing.T) {
	midnight := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		terms []string
		want  Filter
	}{
		{nil, Filter{}},
		{[]string{"reason=timeout,panic", "older=2h"}, Filter{Reasons: []string{"timeout", "panic"}, OlderThan: 2 * time.Hour}},
		{[]string{"reason=timeout", "reason=panic"}, Filter{Reasons: []string{"timeout", "panic"}}},
		{[]string{"error~connection refused"}, Filter{ErrorContains: "connection refused"}},
		{[]string{`error~"connection refused"`}, Filter{ErrorContains: "connection refused"}},
		{[]string{"error~no route, and no host"}, Filter{ErrorContains: "no route, and no host"}},
		{[]string{"body.name=Jane Doe"}, Filter{Body: []Body{{Path: "name", Value: "Jane Doe"}}}},
		{[]string{"header.tenant"}, Filter{Headers: []Header{{Name: "tenant", Exists: true}}}},
		{[]string{"before=2026-11-02", "after=2026-11-01T00:00:00Z"}, Filter{Before: midnight.AddDate(0, 0, 1), After: midnight}},
		{[]string{"mark=a,b", "redrive=r"}, Filter{Marks: []string{"a", "b"}, RedriveIDs: []string{"r"}}},
		{[]string{"host=my host,other"}, Filter{Hosts: []string{"my host", "other"}}},
	} {
		if got, err := ParseTerms(test.terms...); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %+v, %v", test.terms, got, err)
		}
	}
}

func TestATermThatDoesNotReadIsNamed(t *testing.T) {
	for _, test := range []struct {
		term, field, want string
	}{
		{"colour=red", "a term", "one of reason, error"},
		{"older=soon", "older", "soon"},
		{"reason=timeout older=2h", "a term", "an argument of its own"},
		{"older=2 hours", "older", "2"},
		{"timeout", "a term", "timeout"},
		{"", "a term", "name=value"},
		{" ", "a term", "name=value"},
		{`error~"x`, "a value", "closing quote"},
		{"body.a[=1", "body", "a["},
		{"group=a,", "group", "want a value"}, // from an unset variable
		{"id=,a", "id", "want a value"},
	} {
		_, err := ParseTerms("reason=panic", test.term)
		var field *Error
		if !errors.As(err, &field) || field.Field != test.field || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v", test.term, err)
		}
	}
	if _, err := ParseTerms("error~a", "error~b"); err == nil || !strings.Contains(err.Error(), "given once") {
		t.Errorf("two texts: %v", err)
	}
}

// Quotes that a shell removes do not change the choice.
func TestATermWithAnyValueIsThatValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[a-z][a-z ,.:/*-]{0,20}[a-z]`).Draw(t, "value")
		f, err := ParseTerms("error~" + value)
		if err != nil || f.ErrorContains != value {
			t.Fatalf("%q: %+v, %v", value, f, err)
		}
	})
}

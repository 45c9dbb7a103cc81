package operation

import (
	"testing"
	"time"
)

func TestAnIntentLeavesAloneWhatWasParkedLater(t *testing.T) {
	day := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		filter string
		before time.Time
		want   time.Time
	}{
		"the filter's is earlier":    {"before=2026-11-01", day, day.AddDate(0, 0, -1)},
		"the filter's is later":      {"before=2026-11-03", day, day},
		"the filter has none":        {"reason=timeout", day, day},
		"it is unknown of a message": {"reason=timeout", time.Time{}, time.Time{}},
	} {
		if f := (Intent{Filter: test.filter, Before: test.before}).filter([]string{"x"}); !f.Before.Equal(test.want) || len(f.Marks) != 1 {
			t.Errorf("%s: it is %v", name, f)
		}
	}
}

func TestMarksAloneChooseIfTheFilterIsOfChangedMessages(t *testing.T) {
	i := Intent{ID: "a", Kind: Export, Queue: "q", Count: 1, Filter: "error~withheld", ByMarks: true}
	if f := i.filter([]string{"x"}); f.ErrorContains != "" || len(f.Marks) != 1 {
		t.Errorf("it is %v", f)
	}
	if _, err := i.resolve(time.Now()); err == nil {
		t.Error("without marks it chooses all")
	}
}

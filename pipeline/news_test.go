package pipeline

import (
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/journal"
)

func TestAJobIsToldAlsoIfItsRecordsHaveNoTimestamp(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for began, want := range map[string]int{"2026-11-30T11:00:00Z": 1, "2026-09-01T11:00:00Z": 0} {
		n := newNews()
		for _, body := range []string{
			`{"version": 1, "kind": "begin", "job": "june", "queue": "rows", "at": "` + began + `"}`,
			`{"version": 1, "kind": "done", "done": [{"job": "june", "path": ""}]}`,
		} {
			n.see(&journal.Record{Body: []byte(body)})
		}
		n.folded()
		if all := n.due(now, 30*24*time.Hour); len(all) != want {
			t.Errorf("began %s: %+v", began, all)
		}
	}
}

package errorqueue

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestAPanicOfTheProgressEndsNoCall(t *testing.T) {
	queue := declare(t, topology.Quorum)
	const n = 20
	park(t, queue, n)
	var lines bytes.Buffer
	q, err := Open(t.Context(), connecttest.New(t, connection.Config{}), Config{Queue: queue}, slog.New(slog.NewTextHandler(&lines, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(t.Context())
	called := 0
	boom := func(Progress) { called++; panic("boom") }
	listed := 0
	for _, err := range q.List(t.Context(), ListOptions{Progress: boom}) {
		if err != nil {
			t.Fatal(err)
		}
		listed++
	}
	if listed != n || called != 1 {
		t.Errorf("%d messages are listed, want %d; the callback was called %d times", listed, n, called)
	}
	if report, err := q.Redrive(t.Context(), RedriveOptions{All: true, Progress: boom}); err != nil || report.Moved != n {
		t.Errorf("redriven %d, want %d, %v", report.Moved, n, err)
	}
	if got := amqptest.Depth(t, queue); got != n {
		t.Errorf("%d messages are back, want %d", got, n)
	}
	if got := strings.Count(lines.String(), "Progress panicked"); got != 2 {
		t.Errorf("%d panics are logged, want 2: %s", got, lines.String())
	}
}

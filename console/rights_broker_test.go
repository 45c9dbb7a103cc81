package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/console"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestAPlanTellsNothingOfAQueueIntoWhichTheViewerMayNotMove(t *testing.T) {
	var own string
	s := open(t, 3, func(cfg *console.Config) {
		own = cfg.Topology.Consumers[0].Plan.Queue
		cfg.Identify = func(*http.Request) (console.User, error) {
			return console.User{Name: "bob", Grants: []console.Grant{{Queues: own, Right: console.Move}, {Queues: own + "-error", Right: console.Move}}}, nil
		}
	})
	other := amqptest.Queue(t, "payroll")
	ch := amqptest.Channel(t)
	if _, err := ch.QueueDeclare(other, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.Consume(other, "", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	there, _ := s.plan("all=redrive&filled=1&to=" + other)
	missing, _ := s.plan("all=redrive&filled=1&to=" + other + "x")
	row := func(page, queue string) string {
		_, after, _ := strings.Cut(page, "Consumers now")
		_, after, _ = strings.Cut(after, "<tbody>")
		row, _, _ := strings.Cut(after, "</tbody>")
		return strings.ReplaceAll(row, queue, "QUEUE")
	}
	if a, b := row(there, other), row(missing, other+"x"); a != b || !strings.Contains(a, "not yours to move into") {
		t.Errorf("what is there shows as\n%s\nand what is not there as\n%s", a, b)
	}
	if strings.Contains(there, `button class="do"`) {
		t.Error("it could be done")
	}
}

package console_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// parkAt parks a message that has failed at a time.
func (s site) parkAt(id string, body []byte, at time.Time) {
	s.t.Helper()
	headers := maps.Clone(failure)
	headers[wire.FailedAt] = at.UTC().Format(time.RFC3339Nano)
	amqptest.Publish(s.t, "", s.queue+"-error", amqp.Publishing{MessageId: id, Body: body, DeliveryMode: amqp.Persistent, Headers: headers})
}

func TestAPlanLeavesAloneWhatWasParkedAgainByAForeignRedrive(t *testing.T) {
	for _, id := range []string{"id-%d", ""} { // without ids all that have the same body are alike
		t.Run(id, func(t *testing.T) {
			s := open(t, 0)
			counted := time.Now().Add(-time.Minute)
			named := func(i int) string {
				if id == "" {
					return ""
				}
				return fmt.Sprintf(id, i)
			}
			for i := range 6 {
				s.parkAt(named(i), fmt.Appendf(nil, `{"n":%d}`, i), counted.Add(time.Duration(i)*time.Second))
			}
			_, form := s.plan("kind=archive&filter=reason%3Dtimeout")
			q, err := errorqueue.Open(t.Context(), s.conn, errorqueue.Named(s.queue), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := q.Redrive(t.Context(), errorqueue.RedriveOptions{Filter: errorqueue.Filter{Body: []errorqueue.BodyMatch{{Path: "n", Value: "0"}}}}); err != nil {
				t.Fatal(err)
			}
			q.Close(context.Background())
			s.depths(1, 5)
			s.parkAt(named(0), []byte(`{"n":0}`), time.Now()) // it has failed again, with the same id and body
			s.depths(1, 6)
			page := s.over(s.do("archive", form), "Done.")
			if !strings.Contains(page, "5 messages archived, of 6 planned") || !strings.Contains(page, "1 was not there any more") {
				t.Errorf("the report is\n%s", page)
			}
			s.depths(1, 1)
		})
	}
}

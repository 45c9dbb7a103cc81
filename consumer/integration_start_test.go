package consumer_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// An app that cannot start says why once, in the error that Start returns. No line of the log says
// that the consumer goes on trying, because the process ends.
func TestAFailedStartIsReportedByItsErrorAlone(t *testing.T) {
	refused, err := url.Parse(amqptest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	refused.User = url.UserPassword(refused.User.Username(), "wrong")
	for name, row := range map[string]struct {
		url, reason string
		mode        topology.Mode
	}{
		"a wrong password":        {refused.String(), "ACCESS_REFUSED", topology.All},
		"a queue that is missing": {amqptest.URL(t), "NOT_FOUND", topology.Never},
	} {
		t.Run(name, func(t *testing.T) {
			log, prefix := new(memoryLog), amqptest.Queue(t, "start")
			app := fx.New(
				fx.NopLogger, fx.Supply(log.logger(), connection.Config{URL: row.url}), connection.Module, consumer.Module,
				consumer.Provide(func() (all []consumer.Spec) {
					for i := range 3 {
						all = append(all, consumer.Spec{Queue: fmt.Sprintf("%s-%d", prefix, i), Declare: row.mode, Handler: ack})
					}
					return all
				}),
			)
			err := app.Start(t.Context())
			wantError(t, err, `consumer`, "start: ", row.reason)
			if row.mode == topology.All && strings.Count(err.Error(), row.reason) != 1 {
				t.Errorf("one reason of three consumers is told more than once:\n%v", err)
			}
			if of, all := log.messages(""); strings.Contains(all, "cannot go on") || len(of) > 0 && of["consumer interrupted"]+of["consumer waits"] > 0 {
				t.Errorf("the log says that it goes on:\n%s", all)
			}
			if _, all := log.messages(""); strings.Contains(all, `"level":"ERROR"`) {
				t.Errorf("the log has the error too:\n%s", all)
			}
		})
	}
}

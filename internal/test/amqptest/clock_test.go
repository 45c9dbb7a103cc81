package amqptest_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestABrokersClockIsSetAndKeptOverARestart(t *testing.T) {
	amqptest.Long(t)
	broker := amqptest.StartBroker(t, amqptest.OwnClock)
	want := func(ahead time.Duration) {
		t.Helper()
		said := strings.TrimSpace(broker.Ctl("eval", "os:system_time(second)."))
		seconds, err := strconv.ParseInt(said, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Until(time.Unix(seconds, 0)); (got - ahead).Abs() > time.Minute {
			t.Errorf("it is ahead by %s, want %s", got, ahead)
		}
	}
	want(0)
	broker.SetClock(time.Hour)
	want(time.Hour)
	broker.Stop()
	broker.Start()
	want(time.Hour)
	broker.SetClock(-time.Hour)
	want(-time.Hour)
}

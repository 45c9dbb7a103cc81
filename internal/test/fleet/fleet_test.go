package fleet_test

import (
	"flag"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

var (
	size    = flag.Int("processes", 20, "how many processes the whole fleet has")
	rounds  = flag.Int("rounds", 50, "how often two operators contradict each other in the whole fleet")
	forgets = flag.Bool("forgetful", false, "whether agents forget at a restart, which fails")
)

func TestASmallFleetObeys(t *testing.T) {
	t.Parallel()
	s := newStage(t, amqptest.URL(t), nil)
	s.start(3, s.url)
	if since, _ := s.speed(2); since[0] > time.Second && !amqptest.Raced() {
		t.Errorf("a pause has reached all processes within %v", since)
	}
	s.holds("all are killed", func() { s.restart(true) })
	s.contradicts(2)
	s.refuses()
	s.end(false)
	s.obedient()
	s.left()
}

func TestASmallFleetSurvivesItsStream(t *testing.T) {
	amqptest.Long(t)
	t.Parallel()
	s := newStage(t, amqptest.URL(t), nil)
	s.start(3, s.url)
	s.deletes()
	s.end(false)
	s.left()
}

func TestTheWholeFleetObeysWhateverIsKilled(t *testing.T) {
	amqptest.Long(t)
	broker := amqptest.StartBroker(t)
	s := newStage(t, broker.URL, broker)
	s.start(*size, s.url)
	since, _ := s.speed(10)
	if since[5] > time.Second || since[8] > time.Second && !amqptest.Raced() {
		t.Errorf("a pause has reached all processes within %v", since)
	}
	s.holds("all are restarted", func() { s.restart(false) })
	s.holds("all are killed", func() { s.restart(true) })
	s.holds("the broker is killed", s.killBroker)
	s.ends(3 * time.Second)
	s.contradicts(*rounds)
	s.refuses()
	s.deletes()
	s.forbids()
	s.obedient()
	s.left()
}

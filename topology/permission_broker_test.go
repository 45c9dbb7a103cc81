package topology_test

import (
	"errors"
	"net/url"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// channelOf returns a channel of a new user with these permissions.
func channelOf(t *testing.T, user, configure, write, read string) *amqp.Channel {
	t.Helper()
	address, err := url.Parse(amqptest.URL(t))
	if err != nil {
		t.Fatal("AMQP_URL is not a URL")
	}
	amqptest.User(t, user, user, configure, write, read)

	address.User = url.UserPassword(user, user)
	conn := amqptest.DialURL(t, address.String())
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func TestAWorkerWithoutPermissionsUsesNever(t *testing.T) {
	queue := amqptest.Queue(t, "topology")
	plan := topology.Plan{Queue: queue, Delays: []time.Duration{time.Second}}
	if err := declare(t, plan); err != nil {
		t.Fatal(err)
	}
	worker := channelOf(t, queue, "^$", "^amq\\.default$", "^"+queue+"$")

	plan.Mode = topology.Never
	// From 4.3 on, brokers may refuse the check, and close the channel.
	if err := mustNew(t, plan).Declare(worker); errors.Is(err, topology.ErrUnchecked) {
		t.Skipf("this broker lets no worker look: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}

	plan.Mode = topology.Satellites
	err := mustNew(t, plan).Declare(worker)
	var cause *amqp.Error
	if !errors.Is(err, topology.ErrRefused) || !errors.As(err, &cause) || cause.Code != amqp.AccessRefused {
		t.Errorf("got %v", err)
	}
}

// The permissions that the documentation of All names are enough.
func TestAllNeedsNoMorePermissionsThanItSays(t *testing.T) {
	queue := amqptest.Queue(t, "topology")
	plan := topology.Plan{Queue: queue, Delays: []time.Duration{time.Second}}
	own := "^" + queue + "(-retry-1s|-quarantine|-error)?$"
	if err := mustNew(t, plan).Declare(channelOf(t, queue, own, "^amq\\.default$", own)); err != nil {
		t.Error(err)
	}
}

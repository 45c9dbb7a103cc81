//go:build unix

package faults_test

import (
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// scenario is one way to break things. Only name, breaks and run must be set.
type scenario struct {
	name   string // as in TestFaults/name and on the page
	breaks string // for the page: what is done, in a few words
	quick  bool   // run without -faults too

	// on is the broker. Defaults to the one that all tests share, which must be left alone.
	on where

	// settings are of its broker, if that is its own.
	settings []amqptest.Setting

	// types are the queue types for which it is promised. Defaults to both.
	types []topology.QueueType

	// types43 are those from RabbitMQ 4.3 on, where they differ.
	types43 []topology.QueueType

	// queues is how many queues, and consumers, each worker has. Defaults to 1.
	queues int

	// spec is what all its consumers have in common; what is zero gets the default of a
	// lane (see lane.spec). Queue, type and handler are the lane's.
	spec consumer.Spec

	// connection is how all its workers and publishers connect; what is zero gets the default of a
	// lane. The URLs are the lane's.
	connection connection.Config

	// publishes says that its workers have a publisher too, as "forward" needs.
	publishes bool

	// secure says that its workers and publishers connect over TLS. Its broker must be its own, or the victim.
	secure bool

	// tune changes what a worker is told, before it is started.
	tune func(s *slot)

	// recovery is how long after a fault's end a message published then may take to its
	// handler. Defaults to 5 s.
	recovery time.Duration

	// within is how long the work may take to end when all has been published. Defaults to 30 s.
	within time.Duration

	// grace is how long a worker has from SIGTERM to its end. Defaults to 15 s.
	grace time.Duration

	// stuck is how many handlers of a worker may be stuck at its end.
	stuck int

	run func(s *stage)
}

// where is a scenario's broker.
type where int

const (
	shared where = iota // the one of all tests; such scenarios run side by side
	victim              // one that may be broken, and must work again at the end; one scenario after the other
	own                 // one for this scenario alone
	trio                // a cluster of three, for this scenario alone
	aside               // the shared one, for minutes in which little is done: such scenarios start first, and run beside all others
)

var (
	everywhere = []topology.QueueType{topology.Quorum, topology.Classic}
	quorumOnly = []topology.QueueType{topology.Quorum}
)

// usual is what most scenarios let flow.
var usual = mix{"ack": 84, "retry 1": 4, "retry 2": 2, "error": 2, "retry-always": 2, "slow 100ms": 2, "snooze 150ms": 2, "panic": 1, "garbage": 1}

// is43 says whether a version such as "4.3.6" is 4.3 or later.
func is43(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return err == nil && (major > 4 || major == 4 && minor >= 3)
}

// on43 is the scenario as it is played from RabbitMQ 4.3 on.
func (sc scenario) on43() scenario {
	if sc.types43 != nil {
		sc.types = sc.types43
	}
	return sc
}

func (sc scenario) withDefaults() scenario {
	if sc.types == nil {
		sc.types = everywhere
	}
	sc.queues = max(1, sc.queues)
	for _, d := range []struct {
		value     *time.Duration
		otherwise time.Duration
	}{{&sc.recovery, 5 * time.Second}, {&sc.within, 30 * time.Second}, {&sc.grace, 15 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.otherwise
		}
	}
	return sc
}

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
	breaks string // for the page: a short description of the fault
	quick  bool   // runs without -faults too

	// on says which broker runs it. Defaults to the one that all tests share, which no scenario may
	// break.
	on where

	// settings are settings of the broker, if the scenario has its own.
	settings []amqptest.Setting

	// types are the queue types for which the promise holds. Defaults to both.
	types []topology.QueueType

	// types43 are the types from RabbitMQ 4.3 on, if they differ.
	types43 []topology.QueueType

	// queues is how many queues, and consumers, each worker has. Defaults to 1.
	queues int

	// spec has settings of all consumers. A zero field gets the default of a lane (see lane.spec).
	// Queue, type and handler are the lane's.
	spec consumer.Spec

	// connection has settings of all connections of workers and publishers. A zero field gets the
	// default of a lane. The URLs are the lane's.
	connection connection.Config

	// publishes says that the workers have a publisher too, which "forward" needs.
	publishes bool

	// secure says that workers and publishers connect over TLS. The broker must be the scenario's
	// own, or the victim.
	secure bool

	// tune changes the configuration of a worker before it is started.
	tune func(s *slot)

	// recovery is how long after a fault's end a message that is published then may take to its
	// handler. Defaults to 5 s.
	recovery time.Duration

	// within is how long the work may take after the last publish. Defaults to 30 s.
	within time.Duration

	// grace is how long a worker may take from SIGTERM to its end. Defaults to 15 s.
	grace time.Duration

	// stuck is how many handlers of a worker may be stuck at its end.
	stuck int

	run func(s *stage)
}

// where says which broker a scenario uses.
type where int

const (
	shared where = iota // the broker of all tests; these scenarios run in parallel
	// A broker that may be broken, and must work at the end; one scenario after the other.
	victim
	own  // a broker for this scenario alone
	trio // a cluster of three nodes for this scenario alone
	// A broker for this scenario alone too, for minutes with little work; these start first, and
	// run beside all others.
	aside
)

var (
	everywhere = []topology.QueueType{topology.Quorum, topology.Classic}
	quorumOnly = []topology.QueueType{topology.Quorum}
)

// usual is the mix of most scenarios.
var usual = mix{"ack": 84, "retry 1": 4, "retry 2": 2, "error": 2, "retry-always": 2, "slow 100ms": 2, "snooze 150ms": 2, "panic": 1, "garbage": 1}

// is43 says whether a version such as "4.3.6" is 4.3 or later.
func is43(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return err == nil && (major > 4 || major == 4 && minor >= 3)
}

// on43 returns the scenario for RabbitMQ 4.3 or later.
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

//go:build unix

package faults_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// slowRetry bounds how long a refused consumer takes to continue: it tries every 10 s.
const slowRetry = 15 * time.Second

// permissionScenarios take away permissions, passwords and certificates.
var permissionScenarios = []scenario{
	{
		name:   "declare-refused",
		breaks: "workers whose user may not declare their queues are started, and the right is given to them one after the other",
		on:     victim,
		tune: func(s *slot) {
			s.login("declarer")
			s.config.Consumers[0].Declare = []topology.Mode{topology.Never, topology.Satellites, topology.All}[s.number]
		},
		run: func(s *stage) {
			s.user("declarer", "^$", ".*", ".*")
			s.stream(50, mix{"ack": 8, "retry 1": 1, "error": 1})
			s.workers(1) // which needs no permission
			s.handling(20)
			s.each(func(l *lane) {
				l.newSlot()
				l.newSlot()
			})
			s.refused(1, "access refused")
			s.refused(2, "access refused")
			s.permit("declarer", ".*-(retry-.*|quarantine|error)$", ".*", ".*")
			s.ready(1)
			s.refused(2, "access refused")
			s.permit("declarer", ".*", ".*", ".*")
			s.ready(2)
			s.handling(20)
		},
	},
	{
		name:   "publish-refused",
		breaks: "the right to write is taken from the workers, which copy what they retry, and the publishers, and given back after two seconds",
		on:     victim, spec: consumer.Spec{Declare: topology.Never}, recovery: slowRetry,
		connection: connection.Config{Username: "writer", Password: "writer"},
		run: func(s *stage) {
			s.user("writer", "^$", ".*", ".*")
			s.workers(2)
			s.stream(50, usual)
			s.handling(50)
			s.fault(func() {
				s.permit("writer", "^$", "^$", ".*")
				s.allLinks().cut() // a channel caches its permissions
				s.publishRefused()
				s.publishCrafted(mix{"retry 1": 10, "error": 5, "ack": 5}) // on another connection
				s.healths(10*time.Second, "copies blocked, and all ready", func(all []vitals) bool {
					return blocked(all) >= 15 && !slices.ContainsFunc(all, func(v vitals) bool { return !v.Ready })
				})
				s.traffic(time.Second)
				s.permit("writer", "^$", ".*", ".*")
			})
		},
	},
	{
		name:   "consume-refused",
		breaks: "the right to read is taken from the workers, their connections are closed, and it is given back after two seconds",
		on:     victim, recovery: slowRetry,
		tune: func(s *slot) {
			s.login("reader")
			s.config.Consumers[0].Declare = []topology.Mode{topology.Never, topology.All}[s.number]
		},
		run: func(s *stage) {
			s.user("reader", ".*", ".*", ".*")
			s.workers(2)
			s.stream(50, usual)
			s.handling(50)
			s.fault(func() {
				s.permit("reader", ".*", ".*", "^$")
				s.broker.Ctl("close_all_user_connections", "reader", "permissions have changed")
				s.notReady("ACCESS_REFUSED")
				s.fatal(5*time.Second, "ACCESS_REFUSED")
				s.traffic(time.Second)
				s.permit("reader", ".*", ".*", ".*")
			})
		},
	},
	{
		name:   "password-rotated",
		breaks: "the password of workers and publishers is another for some seconds, in which their connections are cut and a worker is killed",
		on:     victim, connection: connection.Config{Username: "rotated", Password: "rotated", MaxBackoff: 2 * time.Second},
		run: func(s *stage) {
			s.user("rotated", ".*", ".*", ".*")
			s.workers(2)
			s.stream(50, usual)
			s.handling(50)
			s.fault(func() {
				s.broker.Ctl("change_password", "rotated", "another")
				s.allLinks().cut()
				s.notReady("check user and password")
				s.each(func(l *lane) { l.slots[0].process().kill() })
				s.refused(0, "check user and password")
				s.broker.Ctl("change_password", "rotated", "rotated")
			})
			s.ready(0)
			s.handling(50)
			for _, l := range s.lanes {
				if l.logged("password=") || l.logged(":rotated@") {
					s.t.Errorf("%s: the password is in a log", l.kind)
				}
			}
		},
	},
	{
		name:   "certificate-expired",
		breaks: "the broker's certificate has expired: connections stay, and those that are cut do not come back until there is another",
		on:     victim, secure: true, connection: connection.Config{MaxBackoff: 2 * time.Second},
		run: func(s *stage) {
			const good = 365 * 24 * time.Hour
			s.t.Cleanup(func() { s.broker.Certificate(good) }) // for other scenarios
			s.workers(2)
			s.stream(50, usual)
			s.handling(50)
			s.broker.Certificate(-time.Hour)
			s.handling(50) // existing connections are not affected
			s.fault(func() {
				s.allLinks().cut()
				s.notReady("refused us: its certificate is not trusted: x509: certificate has expired")
				s.broker.Certificate(good)
			})
		},
	},
}

// login makes a worker log in as this user, whose password is its name.
func (s *slot) login(user string) {
	s.config.Connection.Username, s.config.Connection.Password = user, user
}

// notReady waits until no worker is ready, and each has this text in its error.
func (s *stage) notReady(why string) {
	s.t.Helper()
	s.healths(10*time.Second, "not ready: "+why, func(all []vitals) bool {
		return len(all) > 0 && !slices.ContainsFunc(all, func(v vitals) bool { return v.Ready || !strings.Contains(v.Err, why) })
	})
}

// publishRefused waits until a publish ends with an error that has this text.
func (s *stage) publishRefused() {
	s.t.Helper()
	s.each(func(l *lane) {
		var last error
		if !l.await(10*time.Second, func() bool {
			for _, p := range l.account.all() {
				if p.err != nil {
					last = p.err
				}
			}
			var refused *publisher.RefusedError
			return errors.As(last, &refused) && refused.Code == 403 && strings.Contains(last.Error(), "refused by the broker: 403 ACCESS_REFUSED")
		}) {
			s.t.Errorf("%s: Publish said %v, want a refusal", l.kind, last)
		}
	})
}

// refused waits until a process in this slot could not start for this reason. It excuses all such
// processes.
func (s *stage) refused(slot int, why string) {
	s.t.Helper()
	s.each(func(l *lane) {
		before := l.excuse(slot, why)
		if !l.await(20*time.Second, func() bool { return l.excuse(slot, why) > before }) {
			s.t.Errorf("%s: worker %d was not refused with %q", l.kind, slot, why)
		}
	})
}

// ready waits until a worker in this slot consumes. It excuses the processes before it.
func (s *stage) ready(slot int) {
	s.t.Helper()
	s.each(func(l *lane) {
		consumes := func() bool { p := l.slots[slot].process(); return p != nil && p.started() }
		if !l.await(20*time.Second, consumes) {
			s.t.Errorf("%s: worker %d does not consume\n%s", l.kind, slot, l.slots[slot].process().tail())
		}
		l.excuse(slot, "")
	})
}

// excuse marks the processes of a slot that could not start for this reason as ended by the test,
// because the scenario has caused that. It returns how many there were.
func (l *lane) excuse(slot int, why string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, p := range l.processes {
		ours := strings.HasPrefix(p.name, fmt.Sprintf("worker%d-", slot))
		if ours && p.ended() && p.code == exitStart && p.last != nil && strings.Contains(p.last.StopError, why) {
			p.ordered.Store(true)
			n++
		}
	}
	return n
}

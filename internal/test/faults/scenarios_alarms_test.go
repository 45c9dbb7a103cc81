//go:build unix

package faults_test

import (
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// alarmScenarios have a broker that takes no messages for a while.
var alarmScenarios = []scenario{
	{
		name: "memory-alarm", on: victim, spec: alarmSpec, recovery: alarmRecovery,
		breaks: "the broker has a memory alarm for some seconds while messages are published, acked, retried and parked",
		run:    alarm(func(s *stage) func(bool) { return s.broker.MemoryAlarm }),
	},
	{
		name: "disk-alarm", on: victim, spec: alarmSpec, recovery: alarmRecovery,
		breaks: "the same with a disk alarm",
		run:    alarm(func(s *stage) func(bool) { return s.broker.DiskAlarm }),
	},
}

// alarmSpec has room for all blocked copies, so that they do not delay the acks.
var alarmSpec = consumer.Spec{Concurrency: 8, Prefetch: 50}

// alarmRecovery is longer than elsewhere: a message that is published after the alarm waits behind
// those from before it.
const alarmRecovery = 15 * time.Second

// alarm checks what works during an alarm, and what does not.
func alarm(of func(*stage) func(bool)) func(s *stage) {
	const patient = 3 * time.Second
	return func(s *stage) {
		for _, l := range s.lanes {
			l.account.patient = patient
		}
		s.workers(2)
		s.publish(mix{"slow 200ms": 900, "error": 15, "retry 1": 15, "retry-always": 3})
		s.published()
		s.stream(50, usual)
		set := of(s)
		s.fault(func() {
			set(true)
			began := time.Now()
			// Each worker has blocked copies.
			s.healths(10*time.Second, "copies that wait", func(all []vitals) bool {
				return !slices.ContainsFunc(all, func(v vitals) bool { return v.CopiesBlocked == 0 })
			})
			before := map[*lane]int{}
			for _, l := range s.lanes {
				before[l] = l.placed()
			}
			// More than both workers hold, so acks must arrive.
			s.handling(2 * 2 * alarmSpec.Prefetch)
			s.each(func(l *lane) {
				// The publishers wait, but no longer than their contexts.
				if !l.await(2*patient, func() bool { return l.account.failed(began) >= posters }) {
					s.t.Errorf("%s: %d Publish failed during the alarm, want %d", l.kind, l.account.failed(began), posters)
				}
				if n := l.account.took(began); n > 0 {
					s.t.Errorf("%s: the broker took %d messages during the alarm", l.kind, n)
				}
				if n := l.placed(); n != before[l] {
					s.t.Errorf("%s: %d copies were placed during the alarm", l.kind, n-before[l])
				}
			})
			set(false)
		})
		s.unbroken()
	}
}

// failed counts the publishes that began after a time and failed.
func (a *account) failed(since time.Time) int {
	n := 0
	for _, p := range a.all() {
		if p.began.After(since) && !p.ended.IsZero() && p.err != nil {
			n++
		}
	}
	return n
}

// took counts the publishes that began after a time and were confirmed.
func (a *account) took(since time.Time) int {
	n := 0
	for _, p := range a.all() {
		if p.began.After(since) && p.confirmed() {
			n++
		}
	}
	return n
}

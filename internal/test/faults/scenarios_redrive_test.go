//go:build unix

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// redriveScenarios redrive parked messages.
var redriveScenarios = []scenario{
	{
		name:   "redrive-killed",
		breaks: "what is parked is moved back, and the process that does it is killed (SIGKILL) four times",
		run: func(s *stage) {
			const parked, window, kills = 300, 10, 4
			s.workers(2)
			s.publish(mix{"broken": parked})
			s.holds(topology.RoleError, parked)
			s.repair()
			s.stream(50, mix{"ack": 1})
			redrivers := s.redrive(window)
			for i := range kills {
				s.handlingOf("broken", parked+parked/(kills+2)*(i+1))
				s.fault(func() {
					for i, p := range redrivers {
						if p.ended() {
							s.t.Errorf("%s: the redriver has ended by itself\n%s", s.lanes[i].kind, p.tail())
						}
						p.kill()
					}
					redrivers = s.redrive(window)
				})
			}
			s.each(func(l *lane) {
				if !l.await(s.scenario.within, func() bool { return l.acked("broken") == parked && l.depth(topology.RoleError) == 0 }) {
					s.t.Errorf("%s: %d of %d messages are acked, %d are parked", l.kind, l.acked("broken"), parked, l.depth(topology.RoleError))
				}
			})
			for i, p := range redrivers {
				if !p.terminate(10*time.Second) || p.code != 0 {
					s.t.Errorf("%s: the redriver did not end in order: %s\n%s", s.lanes[i].kind, p.end, p.tail())
				}
			}
			s.finish()
			for _, r := range s.rows {
				if most := kills * window; r.Duplicates > most {
					s.t.Errorf("%s: %d duplicates, want %d at most, a window for each kill", r.Queue, r.Duplicates, most)
				}
				if r.Parked > 0 {
					s.t.Errorf("%s: %d messages are parked still", r.Queue, r.Parked)
				}
			}
		},
	},
}

// repaired is a file beside the journals. It says that the broken dependency works.
const repaired = "repaired"

func init() {
	maps.Copy(behaviours, map[string]behaviour{
		"broken": {acked: true, parked: monitoring.ReasonError, do: func(_ context.Context, v visit) consumer.Result {
			if _, err := os.Stat(filepath.Join(filepath.Dir(v.worker.config.Journal), repaired)); err != nil {
				return consumer.Error(errors.New("broken"))
			}
			return consumer.Ack()
		}},
	})
}

// repair makes the handlers' broken dependency work.
func (s *stage) repair() {
	s.t.Helper()
	for _, l := range s.lanes {
		if err := os.WriteFile(filepath.Join(l.dir, repaired), nil, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

// redrive starts a process in each lane that redrives parked messages over a slow link. The caller
// ends them; if a scenario fails before, its cleanup kills them.
func (s *stage) redrive(window int) []*process {
	s.t.Helper()
	var all []*process
	for _, l := range s.lanes {
		cfg, links := l.connect("redriver")
		for _, link := range links {
			link.Slow(20*time.Millisecond, 0)
		}
		p, err := startProcess(l.dir, fmt.Sprintf("redriver%d-%d", len(all), time.Now().UnixNano()), workerConfig{
			Connection: connectionJSON{plainConfig: plainConfig(cfg)},
			Redrive:    &redriveConfig{From: l.names(topology.RoleError)[0], To: l.names(topology.RoleMain)[0], Window: window},
		})
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(p.kill) // it does nothing for a process that has ended
		all = append(all, p)
	}
	return all
}

// acked counts the messages of a behaviour that were acked.
func (l *lane) acked(do string) int {
	done := map[int]bool{}
	for _, e := range l.poll() {
		if p, ok := l.account.get(e.N); ok && e.What == end && e.Said == "ack" && p.do == do {
			done[e.N] = true
		}
	}
	return len(done)
}

//go:build unix

package faults_test

import (
	"net/url"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
)

// vhostScenarios delete the virtual host with everything in it.
var vhostScenarios = []scenario{
	{
		name: "vhost-deleted", on: victim, recovery: 10 * time.Second,
		// The broker refuses a vhost that does not exist, and the pause after a refusal is
		// MaxBackoff: 30 s by default.
		connection: connection.Config{MaxBackoff: 4 * time.Second},
		breaks:     "an operator deletes the vhost with all its queues and messages, and makes it again some seconds later; what was published before is forgotten",
		run: func(s *stage) {
			s.workers(2)
			s.publish(mix{"ack": 200, "slow 200ms": 100, "retry 1": 20, "error": 20})
			s.published()
			s.publish(mix{"slow 200ms": 200}) // they are in flight at the deletion
			s.handling(20)
			s.fault(func() {
				vhost, user := s.login()
				s.broker.Ctl("delete_vhost", vhost)
				gone := time.Now()
				for _, l := range s.lanes {
					l.account.forgive(gone, func(int, posting) bool { return true })
				}
				s.losing(gone.Add(-2*time.Second), 6*time.Second)
				s.healths(5*time.Second, "not ready, and why", func(all []vitals) bool {
					for _, v := range all {
						if v.Ready || v.Err == "" {
							return false
						}
					}
					return true
				})
				s.broker.Ctl("add_vhost", vhost)
				s.broker.Ctl("set_permissions", "-p", vhost, user, ".*", ".*", ".*")
				s.stream(100, usual) // refused until the workers have declared their queues
			})
			s.traffic(2 * time.Second)
		},
	},
}

// login returns the vhost and the user of the stage's URLs.
func (s *stage) login() (vhost, user string) {
	u, err := url.Parse(s.urls[0])
	if err != nil {
		s.t.Fatal("the broker's URL is not one") // the error would show its password
	}
	return strings.TrimPrefix(u.Path, "/"), u.User.Username()
}

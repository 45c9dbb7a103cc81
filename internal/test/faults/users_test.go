//go:build unix

package faults_test

import "net/url"

// user makes a user of the stage's broker with these permissions, whose password is its name. The
// user exists as long as the broker.
func (s *stage) user(name, configure, write, read string) {
	s.t.Helper()
	s.broker.Ctl("add_user", name, name)
	s.permit(name, configure, write, read)
}

// permit gives a user these permissions, and no others.
func (s *stage) permit(name, configure, write, read string) {
	s.t.Helper()
	s.broker.Ctl("set_permissions", "-p", vhost, name, configure, write, read)
}

// vhost is the virtual host of all private brokers.
const vhost = "bunnicula"

// as returns the broker's URLs for a user whose password is its name.
func (s *stage) as(name string) []string {
	var all []string
	for _, text := range s.urls {
		u, err := url.Parse(text)
		if err != nil {
			s.t.Fatal("the broker's URL is not one") // the error would show its password
		}
		u.User = url.UserPassword(name, name)
		all = append(all, u.String())
	}
	return all
}

package outbox_test

import (
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
)

// fault is something that happens to a run.
type fault struct {
	name   string
	happen func()
}

// plot returns what happens, in the order that the seed says: each fault at least once, but the
// broker, which takes some seconds to start, is killed with every other seed.
func (s *stage) plot() []fault {
	var plot []fault
	add := func(n int, f func() fault) {
		for range n {
			plot = append(plot, f())
		}
	}
	add(4, func() fault { return s.kill("relay") })
	add(2, func() fault { return s.kill("consumer") })
	add(2, func() fault { return s.kill("producer") })
	add(2, s.cut)
	add(1, s.freeze)
	add(1, s.refuse)
	if s.server != nil {
		add(3, s.terminate)
		add(1, s.killServer)
		add(1, s.restartServer)
	}
	if s.seed%2 == 1 {
		add(1, s.killBroker)
	}
	s.rng.Shuffle(len(plot), func(i, j int) { plot[i], plot[j] = plot[j], plot[i] })
	return plot
}

func (s *stage) kill(part string) fault {
	i, pause := s.rng.IntN(2), time.Duration(s.rng.IntN(300))*time.Millisecond
	return fault{fmt.Sprintf("kill %s %d", part, i), func() {
		s.of(part)[i].process.Kill()
		time.Sleep(pause) // nobody is there meanwhile
		if part == "relay" && s.server == nil {
			s.expireLease()
		}
	}}
}

// expireLease stands for the 30 s for which nobody publishes on SQLite when a relay was killed that
// has the lease. If the other one has it, that one finds out.
func (s *stage) expireLease() {
	s.t.Helper()
	if _, err := s.db.ExecContext(s.t.Context(), `UPDATE bunnicula_relay SET until = 0`); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) either() string { return []string{"relay", "consumer"}[s.rng.IntN(2)] }

func (s *stage) cut() fault {
	part := s.either()
	return fault{"cut " + part, func() { s.proxies[part].Cut() }}
}

func (s *stage) freeze() fault {
	part, d := s.either(), time.Duration(200+s.rng.IntN(1000))*time.Millisecond
	return fault{"freeze " + part, func() {
		s.proxies[part].Freeze()
		s.pause(d)
		if d > 700*time.Millisecond {
			s.proxies[part].Cut()
		}
		s.proxies[part].Thaw()
	}}
}

func (s *stage) refuse() fault {
	d := time.Duration(200+s.rng.IntN(1000)) * time.Millisecond
	return fault{"refuse", func() {
		s.proxies["relay"].Refuse()
		s.proxies["relay"].Cut()
		s.pause(d)
		s.proxies["relay"].Accept()
	}}
}

func (s *stage) terminate() fault {
	n := 1 + s.rng.IntN(6)
	return fault{fmt.Sprintf("terminate %d sessions of the database", n), func() { pgtest.Terminate(s.t, s.database.DSN, n) }}
}

func (s *stage) killServer() fault {
	return fault{"kill the database", func() {
		s.server.Kill()
		s.server.Start()
	}}
}

func (s *stage) restartServer() fault {
	d := time.Duration(s.rng.IntN(500)) * time.Millisecond
	return fault{"restart the database", func() {
		s.server.Stop()
		s.pause(d)
		s.server.Start()
	}}
}

func (s *stage) killBroker() fault {
	return fault{"kill the broker", func() {
		for _, p := range s.proxies {
			p.Refuse()
		}
		s.broker.Kill()
		s.broker.Start()
		for _, p := range s.proxies {
			p.Accept()
		}
	}}
}

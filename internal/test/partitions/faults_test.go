package partitions_test

import (
	"fmt"
	"time"
)

// fault is something that happens to a run, while messages are published.
type fault struct {
	name   string
	happen func()
}

// plot returns what happens, in the order that the seed says. The broker is killed between: see
// perform.
func (s *stage) plot(times int) []fault {
	var plot []fault
	for range times {
		plot = append(plot, s.kill(), s.kill(), s.cut(), s.cut(), s.isolate(), s.freeze(), s.leave())
	}
	s.rng.Shuffle(len(plot), func(i, j int) { plot[i], plot[j] = plot[j], plot[i] })
	return append([]fault{{"one joins", func() { s.join(nil).await() }}}, plot...)
}

func (s *stage) any() *slot { return s.slots[s.rng.IntN(len(s.slots))] }

func (s *stage) pause(most int) time.Duration {
	return time.Duration(s.rng.IntN(most)) * time.Millisecond
}

func (s *stage) kill() fault {
	return fault{"kill -9", func() {
		in := s.any()
		in.process.Kill()
		time.Sleep(s.pause(300)) // nobody is there meanwhile
		s.join(in)
	}}
}

// cut ends a process's connections. It connects again at once, beside its successors.
func (s *stage) cut() fault {
	return fault{"cut", func() { s.any().proxy.Cut() }}
}

// isolate keeps a process from the broker for a while.
func (s *stage) isolate() fault {
	return fault{"cut off", func() {
		in := s.any()
		in.proxy.Refuse()
		in.proxy.Cut()
		time.Sleep(s.pause(1000))
		in.proxy.Accept()
	}}
}

// freeze stops a process's connections, and then cuts them.
func (s *stage) freeze() fault {
	return fault{"frozen", func() {
		in := s.any()
		in.proxy.Freeze()
		time.Sleep(s.pause(700))
		in.proxy.Cut()
		in.proxy.Thaw()
	}}
}

func (s *stage) leave() fault {
	return fault{"one leaves and comes back", func() {
		in := s.any()
		s.end(in)
		time.Sleep(s.pause(300))
		s.join(in)
	}}
}

// killBroker is for a time in which nothing is published.
func (s *stage) killBroker() {
	s.t.Helper()
	for _, in := range s.slots {
		in.proxy.Refuse()
	}
	s.broker.Kill()
	s.broker.Start()
	for _, in := range s.slots {
		in.proxy.Accept()
	}
}

// perform breaks everything, lets the rest run out, and makes the account.
func (s *stage) perform(times int) verdict {
	s.t.Helper()
	began := time.Now()
	for range s.processes {
		s.join(nil)
	}
	for _, in := range s.slots {
		in.await()
	}
	if s.broker != nil {
		s.broker.Settle()
	}
	all, plot := s.sequence(), s.plot(times)
	parts := 1
	if s.broker != nil {
		parts = 2
	}
	for i := range parts {
		if i > 0 {
			s.t.Logf("%5.1fs the broker is killed", time.Since(began).Seconds())
			s.killBroker()
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.publish(all[len(all)*i/parts:len(all)*(i+1)/parts], s.span/time.Duration(parts))
		}()
		acts := plot[len(plot)*i/parts : len(plot)*(i+1)/parts]
		for _, f := range acts {
			time.Sleep(s.span / time.Duration(2*len(plot)))
			s.t.Logf("%5.1fs %s", time.Since(began).Seconds(), f.name)
			f.happen()
		}
		<-done
	}
	s.runOut(time.Minute)
	s.end(s.slots...)
	v := audit(s.collect())
	s.keep(v)
	s.t.Logf("%5.1fs %s", time.Since(began).Seconds(), fmt.Sprint(v))
	return v
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// processes runs so many children of a side until they have handled all messages.
func processes(n int) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		ctx, cancel := context.WithCancel(ctx)
		all := &children{news: make(chan news), tallies: make([]tally, n)}
		err := all.start(ctx, r.Order)
		if err == nil {
			r.Own, err = all.measure(r)
		}
		if err != nil {
			cancel() // kills them
		}
		err = errors.Join(err, all.end())
		cancel()
		return err
	}
}

// children is the children of a side, as the side's process sees them.
type children struct {
	running int
	stdins  []io.WriteCloser
	news    chan news
	tallies []tally // the latest of each
}

// news comes from one child: a tally, or its end.
type news struct {
	child int
	tally
	ended bool
	err   error
}

func (c *children) start(ctx context.Context, o turn.Order) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	for i := range c.tallies {
		cmd := exec.CommandContext(ctx, self, "-test.run=^$")
		cmd.Env = append(os.Environ(), turn.Env+"=", childEnv+"="+string(text))
		in, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		var complained bytes.Buffer
		cmd.Stderr = &complained
		if err := cmd.Start(); err != nil {
			return err
		}
		c.stdins = append(c.stdins, in)
		c.running++
		go func() { // ends with the child; end waits for its last news
			decoder := json.NewDecoder(out)
			for {
				n := news{child: i}
				if decoder.Decode(&n.tally) != nil {
					break
				}
				c.news <- n
			}
			n := news{child: i, ended: true}
			if err := cmd.Wait(); err != nil {
				n.err = fmt.Errorf("child %d: %w: %s", i, err, complained.Bytes())
			}
			c.news <- n
		}()
	}
	return nil
}

// next takes one piece of news.
func (c *children) next() (news, error) {
	n := <-c.news
	if !n.ended {
		c.tallies[n.child] = n.tally
		return n, nil
	}
	c.running--
	return n, n.err
}

// measure waits until all are subscribed, lets them begin, and waits until all messages are
// handled.
func (c *children) measure(r *run) (turn.Sample, error) {
	for range c.tallies {
		if n, err := c.next(); err != nil || n.ended {
			return nil, errors.Join(errors.New("a child has ended before its subscription"), err)
		}
	}
	brokerBefore, known := turn.ProcessCPU(r.BrokerPIDs)
	began := time.Now()
	for _, w := range c.stdins {
		if _, err := w.Write([]byte{'\n'}); err != nil {
			return nil, err
		}
	}
	for all := r.Meter.All(); c.handled() < all; {
		if n, err := c.next(); err != nil || n.ended {
			return nil, errors.Join(fmt.Errorf("a child has ended when %d of %d messages were handled", c.handled(), all), err)
		}
	}
	s := sharing(began, c.tallies)
	if broker, stillKnown := turn.ProcessCPU(r.BrokerPIDs); known && stillKnown {
		s[turn.BrokerCPU] = (broker - brokerBefore).Seconds() / float64(c.handled()) * 100_000
	}
	return s, nil
}

func (c *children) handled() (all int64) {
	for _, s := range c.tallies {
		all += s.Handled
	}
	return all
}

// end lets all children end, and waits for them.
func (c *children) end() error {
	for _, in := range c.stdins {
		_ = in.Close() // fails only if the child has ended
	}
	var errs []error
	for c.running > 0 {
		_, err := c.next()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// sharing returns how fast the children were together, and how evenly they have shared the
// messages: the least and the most that one has handled, as a part of the mean.
func sharing(began time.Time, tallies []tally) turn.Sample {
	var all, fewest, most int64
	var last time.Time
	var cpu time.Duration
	for i, s := range tallies {
		all += s.Handled
		cpu += s.CPU
		most = max(most, s.Handled)
		if i == 0 || s.Handled < fewest {
			fewest = s.Handled
		}
		if s.Last.After(last) {
			last = s.Last
		}
	}
	if all == 0 || !last.After(began) {
		return turn.Sample{}
	}
	mean := float64(all) / float64(len(tallies))
	return turn.Sample{
		turn.Rate:       float64(all) / last.Sub(began).Seconds(),
		turn.ClientCPU:  cpu.Seconds() / float64(all) * 100_000,
		turn.LeastShare: float64(fewest) / mean,
		turn.MostShare:  float64(most) / mean,
	}
}

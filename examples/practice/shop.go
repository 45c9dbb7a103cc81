package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/publisher"
)

const (
	pages    = 40  // of a common invoice
	tooMany  = 900 // pages, for the Timeout
	maxFails = 500 // failing messages of one day; the others that it publishes are handled
	outage   = time.Minute
	round    = 5 * time.Minute
	patience = time.Minute // with a broker that a version needs to start
)

// shop publishes, and consumes in one version. The goroutine of run uses it.
type shop struct {
	options
	conn *connection.Connection
	pub  *publisher.Client
	goods

	mailsRefused atomic.Bool // read by handlers
	open         *deployed   // nil before the first deploy
}

// deployed is one version at work.
type deployed struct {
	conn  *connection.Connection
	agent *control.Agent // obeys orders to pause
	group *consumer.Group
}

func openShop(o options) (*shop, error) {
	conn, err := connection.New(connection.Config{URL: o.url, Name: "webshop"}, o.log)
	if err != nil {
		return nil, err
	}
	pub, err := publisher.New(conn, publisher.Config{}, o.log)
	if err != nil {
		return nil, errors.Join(err, conn.Stop(context.Background()))
	}
	return &shop{options: o, conn: conn, pub: pub, goods: goods{pub: pub, prefix: o.prefix}}, nil
}

// close stops the shop, and leaves no queues to be deleted at the next start: RabbitMQ 3.10 may not
// survive that soon after its own start.
func (s *shop) close(ctx context.Context) error {
	return errors.Join(s.withdraw(ctx), s.pub.Stop(ctx), s.conn.Stop(ctx), s.forget())
}

// forget deletes the queues of the exercise, if there is a broker.
func (s *shop) forget() error {
	b, err := dial(s.url, s.options.prefix)
	if err != nil {
		return nil // the next start deletes them
	}
	defer b.close()
	return b.forget()
}

// deploy starts a version, and stops the one before when it works, as a rolling deploy does.
func (s *shop) deploy(ctx context.Context, version string) error {
	r, err := releaseOf(version)
	if err != nil {
		return err
	}
	next, err := s.start(ctx, r)
	if err != nil {
		return err
	}
	err = s.withdraw(ctx)
	s.open = next
	return err
}

func (s *shop) withdraw(ctx context.Context) error {
	if s.open == nil {
		return nil
	}
	err := s.open.stop(ctx)
	s.open = nil
	return err
}

func (d *deployed) stop(ctx context.Context) error {
	return errors.Join(d.group.Stop(ctx), d.agent.Stop(ctx), d.conn.Stop(ctx))
}

// start starts a version. A Group waits for its broker as long as its context lets it, so it has a
// minute.
func (s *shop) start(ctx context.Context, r release) (*deployed, error) {
	conn, err := connection.New(connection.Config{URL: s.url, Name: "shop", Version: r.version}, s.log)
	if err != nil {
		return nil, err
	}
	var all []*consumer.Consumer
	for _, spec := range r.specs(s.options.prefix, s.mailsRefused.Load) {
		c, err := consumer.New(conn, spec, nil, s.log)
		if err != nil {
			return nil, errors.Join(err, conn.Stop(ctx))
		}
		all = append(all, c)
	}
	agent, err := control.NewAgent(conn, control.AgentConfig{Stream: orderStream(s.options.prefix), Logger: s.log})
	if err != nil {
		return nil, errors.Join(err, conn.Stop(ctx))
	}
	group, err := consumer.NewGroup(all...)
	if err != nil {
		return nil, errors.Join(err, conn.Stop(ctx))
	}
	group.Oversee(agent)
	d := &deployed{conn, agent, group}
	soon, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := errors.Join(agent.Start(soon), group.Start(soon)); err != nil {
		if ctx.Err() == nil && soon.Err() != nil {
			err = fmt.Errorf("%s of the shop could not start in %s; end this and start it again, with -log to see why: %w", r.version, patience, err)
		}
		return nil, errors.Join(err, d.stop(context.WithoutCancel(ctx)))
	}
	return d, nil
}

// orderStream is the stream by which consumers are paused.
func orderStream(prefix string) string { return prefix + "control" }

// day publishes, and deploys what the lines say, until ctx ends.
func (s *shop) day(ctx context.Context, lines <-chan string, out io.Writer, d *door) error {
	began := time.Now()
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for n := 1; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.mailsRefused.Store(time.Since(began)%round < outage)
			if err := s.sell(ctx, n); err != nil && ctx.Err() == nil {
				fmt.Fprintln(out, "not published:", err)
			}
			n++
		case line, ok := <-lines:
			switch {
			case !ok:
				lines = nil // there is no terminal
			case line == "":
				fmt.Fprintln(out, d.link())
			default:
				if err := s.deploy(ctx, line); err != nil {
					fmt.Fprintln(out, "not deployed:", err)
				} else {
					fmt.Fprintln(out, line, "is deployed")
				}
			}
		}
	}
}

// sell publishes the nth message of the day.
func (s *shop) sell(ctx context.Context, n int) error {
	failing := n/8 < maxFails
	switch n % 8 {
	case 1, 6:
		return s.mail(ctx)
	case 2:
		return s.invoice(ctx, pages)
	case 3:
		if failing {
			return s.phoneOrder(ctx, n/8)
		}
	case 7:
		if n%48 == 7 && failing {
			return s.invoice(ctx, tooMany)
		}
	}
	return s.order(ctx)
}

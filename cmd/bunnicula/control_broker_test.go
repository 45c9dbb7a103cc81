package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
)

// worker is an app of the test's, with an Agent.
type worker struct {
	group *consumer.Group
	stop  func()
}

// startWorker starts an app that obeys the orders of a stream.
func startWorker(t *testing.T, stream string, specs ...consumer.Spec) worker {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	conn := connecttest.New(t, connection.Config{Name: "shop", Version: "1.2"})
	agent, err := control.NewAgent(conn, control.AgentConfig{Stream: stream, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	var all []*consumer.Consumer
	for _, s := range specs {
		c, err := consumer.New(conn, s, nil, log)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	group, err := consumer.NewGroup(all...)
	if err != nil {
		t.Fatal(err)
	}
	group.Oversee(agent)
	ctx := connecttest.Within(t, 30*time.Second)
	if err := agent.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := group.Start(ctx); err != nil {
		t.Fatal(err)
	}
	stopped := false
	w := worker{group: group}
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = group.Stop(ctx)
		_ = agent.Stop(ctx)
	}
	t.Cleanup(w.stop)
	return w
}

// ofStream returns the arguments of a command of control, on a stream of the test's.
func ofStream(t *testing.T) (stream string, with func(args ...string) []string) {
	t.Helper()
	stream = amqptest.Queue(t, "control")
	amqptest.Cleanup(t, stream)
	return stream, func(args ...string) []string {
		return append(append([]string{"control"}, args...), "--stream", stream)
	}
}

func TestTheCommandPausesLimitsAndResumesProcessesOfABroker(t *testing.T) {
	t.Parallel()
	stream, with := ofStream(t)
	queue := amqptest.Queue(t, "orders")
	amqptest.Cleanup(t, queue)
	s := online(t)
	s.run(with("pause", queue, "--yes")...).want(t, exitFailed, "there is no stream", "--anyway declares it")
	s.run(with("ls")...).want(t, exitOK, "no order stands: there is no stream")
	s.run(with("resume", queue, "--yes")...).want(t, exitOK, "nothing to resume")
	s.run(with("running")...).want(t, exitFailed, "there is no stream")
	if amqptest.Exists(t, stream) {
		t.Fatal("a command that reads has declared the stream")
	}

	begun, release := make(chan string, 10), make(chan struct{})
	spec := consumer.Spec{Queue: queue, Concurrency: 4, Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
		begun <- d.MessageID
		<-release
		return consumer.Ack()
	}}
	workers := []worker{startWorker(t, stream, spec), startWorker(t, stream, spec), startWorker(t, stream, spec)}
	released := false
	t.Cleanup(func() {
		if !released {
			close(release)
		}
	})
	amqptest.Publish(t, "", queue, amqp.Publishing{MessageId: "order-7", Type: "charge"})
	<-begun

	s.run(with("running", queue)...).want(t, exitOK, "order-7", "charge", "(shop 1.2)", "1 handler runs in 3 processes with 3 consumers")
	s.run(with("running", queue+"-none")...).want(t, exitFailed, "no process has", queue)
	s.run(with("limit", queue, "5", "--yes")...).want(t, exitFailed, "a limit of 5 is above the Concurrency of 4")
	s.run(with("pause", queue, "--yes", "--read-only")...).want(t, exitRefused)
	s.run(with("pause", queue+"x", "--yes")...).want(t, exitFailed, queue)
	s.run(with("ls")...).want(t, exitOK, "no order stands; 3 processes have told of 1 consumer")

	s.run(with("limit", queue, "2", "--for", "30m", "--yes")...).want(t, exitOK, "limited "+queue+" to 2 handlers in 3 of 3 processes within ", "(in 30m)")
	for _, w := range workers {
		if h := w.group.Health()[0]; h.Limit != 2 {
			t.Errorf("limited to %d, want 2", h.Limit)
		}
	}
	s.run(with("pause", queue[:len(queue)-1]+"*", "--for", "2h", "--why", "migrating", "--yes")...).
		want(t, exitOK, "paused "+queue+" in 3 of 3 processes within ", "(in 2h)", "1 handler runs on to the end")
	for _, w := range workers {
		if h := w.group.Health()[0]; !h.Paused || !h.PausedByOrder || !strings.Contains(h.OrderedWhy, "migrating") {
			t.Errorf("not paused: %+v", h)
		}
	}
	released = true
	close(release)
	workers[2].stop()
	late := startWorker(t, stream, spec)
	if h := late.group.Health()[0]; !h.PausedByOrder {
		t.Errorf("a process that starts is not paused: %+v", h)
	}
	r := s.run(with("ls", "--json")...).want(t, exitOK)
	var shown listShown
	if err := json.Unmarshal([]byte(r.out), &shown); err != nil || len(shown.Orders) != 1 || len(shown.Processes) != 3 {
		t.Fatalf("%v: %s", err, r.out)
	}
	if o := shown.Orders[0]; o.Consumer != queue || o.Order != "paused" || *o.Obeyed != 3 || *o.Of != 3 || o.Why != "migrating" || !strings.Contains(o.By, "@") || o.Until == nil {
		t.Errorf("listed is %+v", o)
	}
	amqptest.Publish(t, "", queue, amqp.Publishing{MessageId: "order-8"})
	s.run(with("resume", "*", "--yes")...).want(t, exitOK, "resumed "+queue+" in 3 of 3 processes within ")
	select {
	case id := <-begun:
		if id != "order-8" {
			t.Errorf("%s was handled", id)
		}
	case <-time.After(10 * time.Second):
		t.Error("after the resume nothing is handled")
	}
	s.run(with("ls")...).want(t, exitOK, "no order stands")
}

func TestAUserWithoutPermissionIsToldWhichOne(t *testing.T) {
	t.Parallel()
	stream, with := ofStream(t)
	queue := amqptest.Queue(t, "orders")
	amqptest.Cleanup(t, queue)
	startWorker(t, stream, consumer.Spec{Queue: queue, Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }})
	user := amqptest.Queue(t, "user")
	amqptest.Ctl(t, "add_user", user, "hunter2")
	t.Cleanup(func() { amqptest.Ctl(t, "delete_user", user) })
	s := online(t)
	s.env["AMQP_USERNAME"], s.env["AMQP_PASSWORD"] = user, "hunter2"
	// Orders can be listed, and not be given.
	amqptest.Ctl(t, "set_permissions", user, "^$", `^amq\.default$`, fmt.Sprintf("^%s$", stream))
	missing := fmt.Sprintf("write to the exchange %q: the user %s needs the permission to write to the exchange", stream, user)
	s.run(with("pause", queue, "--yes")...).want(t, exitFailed, missing)
	s.run(with("running")...).want(t, exitFailed, missing)
	s.run(with("ls")...).want(t, exitFound, "no order stands", "which processes obey is not known: ", missing)
}

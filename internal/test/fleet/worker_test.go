package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/control"
)

// taskVariable makes the test binary a process of the fleet, instead of running tests.
const taskVariable = "BUNNICULA_TEST_FLEET"

// task is what a process does.
type task struct {
	Name   string
	URL    string // of the broker
	Prefix string // of queues, and the name of the stream
	Ledger string
	MaxAge time.Duration

	// Forgetful has consumers start before their orders are known, as if the agent had forgotten
	// them.
	Forgetful bool
}

// kinds are the consumers that each process has. Their names are those of their queues.
var kinds = []string{"import", "mail", "index"}

// concurrency is that of each consumer.
const concurrency = 4

// takes is how long a handler takes.
const takes = 2 * time.Millisecond

const readyLine = "ready"

// play is the main function of a process. It ends at SIGTERM.
func play(text string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := work(ctx, text); err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	return 0
}

func work(ctx context.Context, text string) (err error) {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	l, err := openLedger(t.Ledger)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelInfo}))
	conn, err := connection.New(connection.Config{
		URL: t.URL, Name: t.Name, MinBackoff: 20 * time.Millisecond, MaxBackoff: 500 * time.Millisecond,
	}, log)
	if err != nil {
		return err
	}
	var consumers []*consumer.Consumer
	for _, kind := range kinds {
		name := t.Prefix + "-" + kind
		c, err := consumer.New(conn, consumer.Spec{
			Queue: name, Concurrency: concurrency, Prefetch: concurrency, Backoff: []time.Duration{time.Second}, MaxCrashes: 99,
			Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
				l.write(entry{time.Now(), begun, t.Name, name, d.MessageID})
				time.Sleep(takes)
				l.write(entry{time.Now(), done, t.Name, name, d.MessageID})
				return consumer.Ack()
			},
		}, nil, log)
		if err != nil {
			return err
		}
		consumers = append(consumers, c)
	}
	group, err := consumer.NewGroup(consumers...)
	if err != nil {
		return err
	}
	agent, err := control.NewAgent(conn, control.AgentConfig{Stream: t.Prefix, MaxAge: t.MaxAge, Logger: log})
	if err != nil {
		return err
	}
	if t.Forgetful {
		group.Oversee(forgetful{agent})
	} else {
		group.Oversee(agent)
	}
	if err := agent.Start(ctx); err != nil {
		return err
	}
	watched := watch(consumers, l, t.Name)
	if err := group.Start(ctx); err != nil {
		return err
	}
	fmt.Println(readyLine, t.Name)
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	watched()
	return errors.Join(group.Stop(end), agent.Stop(end), conn.Stop(end))
}

// watch writes down what consumers do, whenever that has changed, until the returned function is
// called.
func watch(consumers []*consumer.Consumer, l ledger, process string) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		last := map[string]string{}
		for {
			for _, c := range consumers {
				h := c.Health()
				text := free
				switch {
				case h.Paused:
					text = paused
				case h.Limit < concurrency:
					text = limited(h.Limit)
				}
				if (h.Subscribed || h.Paused || last[h.Name] != "") && last[h.Name] != text {
					last[h.Name] = text
					l.write(entry{time.Now(), state, process, h.Name, text})
				}
			}
			select {
			case <-end:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() { close(end); <-ended }
}

// forgetful lets consumers start at once, and has them obey later.
type forgetful struct{ agent *control.Agent }

func (f forgetful) Begins(_ context.Context, c *consumer.Consumer) {
	time.AfterFunc(2*time.Second, func() { f.agent.Begins(context.Background(), c) })
}

func (f forgetful) Ends(c *consumer.Consumer) { f.agent.Ends(c) }

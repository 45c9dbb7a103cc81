package outbox_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// taskVariable makes the test binary play a part, instead of running tests.
const taskVariable = "BUNNICULA_TEST_OUTBOX"

// task is what a process does.
type task struct {
	Part     string // producer, relay or consumer
	Name     string // of the process; ids of its messages begin with it
	URL      string // of the broker
	Database database
	Prefix   string // of the names of queues, and the name of the exchange
	Seed     uint64
}

// readyLine is what a process writes when it does its part.
const readyLine = "ready"

// part is a process that runs.
type part struct {
	task
	log  *slog.Logger
	rng  *rand.Rand
	db   *sql.DB
	box  *outbox.Box
	conn *connection.Connection
}

// play is the main function of a process. It ends at SIGTERM.
func play(text string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	p := &part{log: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if err := p.play(ctx, text); err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	return 0
}

func (p *part) play(ctx context.Context, text string) (err error) {
	if err := json.Unmarshal([]byte(text), &p.task); err != nil {
		return err
	}
	p.rng = rand.New(rand.NewPCG(p.Seed, 1))
	if p.db, err = p.Database.open(); err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, p.db.Close()) }()
	if p.box, err = outbox.New(p.db, p.Database.Dialect); err != nil {
		return err
	}
	if err := persist(ctx, func() error { return p.box.Migrate(ctx) }); err != nil {
		return unlessTold(ctx, err)
	}
	if p.Part == "producer" {
		return p.produce(ctx)
	}
	p.conn, err = connection.New(connection.Config{
		URL: p.URL, Name: p.Name, MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
	}, p.log)
	if err != nil {
		return err
	}
	defer ended(&err, p.conn.Stop)
	if p.Part == "relay" {
		return p.relay(ctx)
	}
	return p.consume(ctx)
}

// unlessTold returns an error, or nil if the process was told to end: then an error means nothing.
func unlessTold(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

func ended(err *error, stop func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	*err = cmp.Or(*err, stop(ctx))
}

// die is kill -9 of this process.
func die() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {}
}

func (p *part) relay(ctx context.Context) (err error) {
	var relay *outbox.Relay
	err = persist(ctx, func() error { // a start needs the database
		relay, err = outbox.NewRelay(p.box, p.conn, outbox.RelayConfig{Batch: 40, Poll: 100 * time.Millisecond, MaxAttempts: 2, Logger: p.log})
		if err != nil {
			return err
		}
		return relay.Start(ctx)
	})
	if err != nil {
		return unlessTold(ctx, err)
	}
	defer ended(&err, relay.Stop)
	fmt.Println(readyLine, p.Name)
	<-ctx.Done()
	return nil
}

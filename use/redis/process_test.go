package redis_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// readyLine is what a process writes when its consumer has started.
const readyLine = "ready"

// startAs starts the test binary as another process: a consumer, of the task in its environment.
func startAs(t *testing.T, variable string, task any) *amqptest.Process {
	t.Helper()
	text, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	return amqptest.StartProcess(t, []string{variable + "=" + string(text)})
}

// runAs is the main function of such a process. It ends at SIGTERM.
func runAs[T any](variable string, run func(T, context.Context) error) int {
	var task T
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := json.Unmarshal([]byte(os.Getenv(variable)), &task)
	if err == nil {
		err = run(task, ctx)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// runConsumer runs a consumer, whose Spec uses Redis, until ctx ends.
func runConsumer(ctx context.Context, url, server string, monitor monitoring.Monitor, spec func(*goredis.Client) (consumer.Spec, error)) (err error) {
	log := slog.New(slog.DiscardHandler)
	conn, err := connection.New(connection.Config{URL: url, Name: "worker"}, log)
	if err != nil {
		return err
	}
	defer ended(&err, conn.Stop)
	client := goredis.NewClient(&goredis.Options{Addr: server, DialerRetries: 1})
	defer func() { err = cmp.Or(err, client.Close()) }()
	s, err := spec(client)
	if err != nil {
		return err
	}
	c, err := consumer.New(conn, s, monitor, log)
	if err != nil {
		return err
	}
	if err := c.Start(ctx); err != nil {
		return err
	}
	defer ended(&err, c.Stop)
	fmt.Println(readyLine)
	<-ctx.Done()
	return nil
}

func ended(err *error, stop func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	*err = cmp.Or(*err, stop(ctx))
}

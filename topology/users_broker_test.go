package topology_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// addUsers makes users until the end of the test, with their names as passwords and these
// permissions. The zero permissions are none at all. It is one call, because each call takes a
// second.
func addUsers(t *testing.T, users map[string]permissions) {
	t.Helper()
	text := func(s string) string { return `<<"` + strings.ReplaceAll(s, `\`, `\\`) + `">>` }
	var add, remove []string
	for name, p := range users {
		add = append(add, fmt.Sprintf(`ok = rabbit_auth_backend_internal:add_user(%s, %s, <<"test">>)`, text(name), text(name)))
		remove = append(remove, fmt.Sprintf(`rabbit_auth_backend_internal:delete_user(%s, <<"test">>)`, text(name)))
		if p != (permissions{}) {
			add = append(add, fmt.Sprintf(`ok = rabbit_auth_backend_internal:set_permissions(%s, %s, %s, %s, %s, <<"test">>)`,
				text(name), text(vhost(t)), text(p.configure), text(p.write), text(p.read)))
		}
	}
	t.Cleanup(func() { amqptest.Ctl(t, "eval", strings.Join(remove, ", ")+".") })
	amqptest.Ctl(t, "eval", strings.Join(add, ", ")+".")
}

func vhost(t *testing.T) string {
	t.Helper()
	address, err := url.Parse(amqptest.URL(t))
	if err != nil {
		t.Fatal("AMQP_URL is not a URL")
	}
	if name := strings.TrimPrefix(address.Path, "/"); name != "" {
		return name
	}
	return "/"
}

func connectAs(t *testing.T, user string) *connection.Connection {
	t.Helper()
	conn, err := connection.New(connection.Config{URL: amqptest.URL(t), Username: user, Password: user}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := conn.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return conn
}

// newActor connects the queue's user, and declares what its role needs to exist.
func newActor(t *testing.T, queue, finds string) actor {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	amqptest.Cleanup(t, queue+"-events", queue+"-shop")
	switch finds {
	case "main":
		ch := amqptest.Channel(t)
		if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum", "x-max-length": int64(1000)}); err != nil {
			t.Fatal(err)
		}
		if err := ch.ExchangeDeclare(queue+"-shop", "direct", true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		if err := ch.QueueBind(queue, queue, queue+"-shop", false, nil); err != nil {
			t.Fatal(err)
		}
	case "all":
		if err := declare(t, topology.Plan{Queue: queue, Delays: []time.Duration{100 * time.Millisecond}}); err != nil {
			t.Fatal(err)
		}
	}
	return actor{t: t, ctx: ctx, conn: connectAs(t, queue), queue: queue, log: new(journal)}
}

// namesOf replaces the documentation's names by the test's own.
func namesOf(queue string) *strings.Replacer {
	return strings.NewReplacer("orders", queue, "events", queue+"-events", "shop", queue+"-shop", "control", queue+"-control", "bank", queue+"-bank")
}

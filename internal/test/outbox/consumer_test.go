package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/topology"
)

// backoff is the delay of retries. Their queues have it in their names.
const backoff = 300 * time.Millisecond

// queue is where the messages of a routing key go.
func (t task) queue(route string) string { return t.Prefix + "-" + route }

// spec is that of the consumer of one routing key.
func (p *part) spec(route string) consumer.Spec {
	return consumer.Spec{
		Queue: p.queue(route), Bindings: []topology.Bind{{Exchange: p.Prefix, Kind: "direct", Keys: []string{route}}},
		// However often the database is away, and whoever is killed: only poison is parked.
		MaxRetries: 10_000, MaxCrashes: 99, Backoff: []time.Duration{backoff},
		Concurrency: 5, Prefetch: 20, Timeout: 10 * time.Second,
		Handler: consumer.JSON(outbox.Once(p.box, p.handle)),
	}
}

func (p *part) consume(ctx context.Context) (err error) {
	var consumers []*consumer.Consumer
	for _, route := range []string{work.route(), mail.route()} {
		c, err := consumer.New(p.conn, p.spec(route), p.box.Monitor(), p.log)
		if err != nil {
			return err
		}
		consumers = append(consumers, c)
	}
	group, err := consumer.NewGroup(consumers...)
	if err != nil {
		return err
	}
	if err := group.Start(ctx); err != nil {
		return unlessTold(ctx, err)
	}
	defer ended(&err, group.Stop)
	fmt.Println(readyLine, p.Name)
	<-ctx.Done()
	return nil
}

// handle writes its effect, and puts mail for a part of the messages. What then goes wrong takes
// both back.
func (p *part) handle(ctx context.Context, tx *sql.Tx, m consumer.Message[message]) consumer.Result {
	early := 0
	if m.Payload.delay() > 0 {
		early = 1
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO effects (consumer, id, early) VALUES ($1, $2, $3)`, m.Consumer, m.Payload.ID, early)
	if err != nil {
		return consumer.Retry(err)
	}
	if m.Payload.Kind == work && m.Payload.chance(3) == 0 {
		// An attempt that is rolled back has an id of its own, so that the account knows its mail.
		id := fmt.Sprintf("%s/mail-%d", m.Payload.ID, m.Attempt)
		switch err := p.put(ctx, tx, message{ID: id, Kind: mail}); {
		case errors.Is(err, outbox.ErrDuplicate):
			return consumer.Error(err) // the handler has run twice
		case err != nil:
			return consumer.Retry(err)
		}
	}
	return p.outcome(m)
}

func (p *part) outcome(m consumer.Message[message]) consumer.Result {
	if m.Payload.Kind == poison {
		return consumer.Error(errors.New("poison"))
	}
	switch dice := rand.IntN(400); { // not of the message, so that it is handled in the end
	case dice == 0:
		die()
	case dice < 15:
		return consumer.Retry(errors.New("once more"))
	case dice < 30:
		return consumer.Snooze(backoff)
	case dice < 45:
		panic("once more")
	}
	return consumer.Ack()
}

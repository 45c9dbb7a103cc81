package outboxtest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/outbox/outboxtest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

func TestWhatIsCommittedIsRelayedAndWhatIsRolledBackIsNot(t *testing.T) {
	db, box := open(t)
	place(t, db, box, Order{"7", 500}, publisher.Header("tenant", int32(3)))
	outboxtest.FailCommit(t, db)
	if err := Place(t.Context(), db, box, Order{"8", 100}); err == nil {
		t.Error("the commit did not fail")
	}

	sent := outboxtest.Relay(t, box, nil)
	if len(sent.Messages) != 1 || sent.Refused != 0 || sent.Left != (outbox.Stats{}) {
		t.Fatalf("relayed: %+v", sent)
	}
	m := sent.To("invoices")[0]
	if m.MessageId != "invoice-7" || string(m.Body) != `{"ID":"7","Cents":500}` || m.Headers["tenant"] != int32(3) {
		t.Errorf("relayed: %+v", m)
	}
	if again := outboxtest.Relay(t, box, nil); len(again.Messages) != 0 {
		t.Errorf("relayed again: %+v", again)
	}
}

func TestAMessageIsDeliveredAsItWasPublished(t *testing.T) {
	db, box := open(t)
	place(t, db, box, Order{"7", 500}, publisher.Header("tenant", "acme"), publisher.Type("order"), publisher.CorrelationID("c"))
	m := outboxtest.Relay(t, box, nil).Messages[0]
	q := consumertest.New(t, Invoices(box))

	seen := outboxtest.Idempotent(t, db, q, m.Body, outboxtest.As(m)).Seen()
	if seen.MessageID != "invoice-7" || seen.Headers["tenant"] != "acme" || seen.Type != "order" || seen.CorrelationID != "c" || seen.RoutingKey != "invoices" {
		t.Errorf("seen: %+v", seen)
	}
	if n := count(t, db, "invoices"); n != 1 {
		t.Errorf("%d invoices", n)
	}
}

func TestWhatIsRefusedIsTriedAgainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, box := open(t)
		place(t, db, box, Order{"7", 500})
		pub := &publishertest.Recorder{ErrFor: func(string) error { return publisher.ErrUnroutable }}
		sent := outboxtest.Relay(t, box, pub)
		if len(sent.Messages) != 0 || sent.Refused != 1 || sent.Left.Waiting+sent.Left.Delayed != 1 {
			t.Errorf("relayed: %+v", sent)
		}
		pub.ErrFor = nil
		time.Sleep(time.Hour)
		if sent := outboxtest.Relay(t, box, pub); len(sent.Messages) != 1 || len(pub.Messages()) != 1 {
			t.Errorf("relayed: %+v", sent)
		}
	})
}

func TestADelayTakesNoTimeInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, box := open(t)
		place(t, db, box, Order{"7", 500}, publisher.Delay(24*time.Hour))
		time.Sleep(24*time.Hour - time.Second)
		if early := outboxtest.Relay(t, box, nil); len(early.Messages) != 0 || early.Left.Delayed != 1 {
			t.Errorf("early: %+v", early)
		}
		time.Sleep(time.Second)
		if due := outboxtest.Relay(t, box, nil); len(due.Messages) != 1 {
			t.Errorf("due: %+v", due)
		}
	})
}

func TestRelayedMessagesReachTheBrokerInMemory(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		db, box := open(t)
		c, err := consumer.New(b.Connection(), Invoices(box), nil, nil)
		if err == nil {
			err = c.Start(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Stop(context.WithoutCancel(t.Context())) }()
		place(t, db, box, Order{"7", 500})
		place(t, db, box, Order{"8", 100})
		if sent := outboxtest.Relay(t, box, b.Publisher()); len(sent.Messages) != 2 {
			t.Errorf("relayed: %+v", sent)
		}
		b.Settle(time.Minute)
		b.Want("invoices", brokertest.Status{})
		if n := count(t, db, "invoices"); n != 2 {
			t.Errorf("%d invoices", n)
		}
	})
}

package amqptest_test

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// dialBroker opens a connection to a broker that may be frozen or full, so all of its timeouts are
// short.
func dialBroker(url string) (*amqp.Connection, error) {
	return amqp.DialConfig(url, amqp.Config{Dial: amqp.DefaultDial(time.Second)})
}

func channelOn(t *testing.T, url string) (*amqp.Connection, *amqp.Channel) {
	t.Helper()
	conn := amqptest.DialURL(t, url)
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return conn, ch
}

func wantWithin[T any](t *testing.T, events <-chan T, within time.Duration, what string) T {
	t.Helper()
	select {
	case event := <-events:
		return event
	case <-time.After(within):
		t.Fatalf("no %s within %v", what, within)
		panic("not reached")
	}
}

func TestWhatATestCanDoToABrokerOfItsOwn(t *testing.T) {
	amqptest.Long(t)
	broker := amqptest.StartBroker(t,
		amqptest.Setting{Name: "consumer_timeout", Value: "2000"},
		amqptest.Setting{Name: "channel_tick_interval", Value: "500"},
		amqptest.Setting{Name: "dead_letter_worker_publisher_confirm_timeout", Value: "1000"},
	)

	t.Run("a frozen broker keeps its connections and says nothing until the thaw", func(t *testing.T) {
		conn, ch := channelOn(t, broker.URL)
		broker.Freeze()
		if late, err := dialBroker(broker.URL); err == nil {
			_ = late.Close()
			t.Error("it answers")
		}
		answered := make(chan error, 1)
		go func() {
			_, err := ch.QueueDeclare("", false, true, true, false, nil)
			answered <- err
		}()
		select {
		case err := <-answered:
			t.Errorf("it answered: %v", err)
		case <-time.After(300 * time.Millisecond):
		}
		broker.Thaw()
		if err := wantWithin(t, answered, 10*time.Second, "answer after the thaw"); err != nil || conn.IsClosed() {
			t.Errorf("after the thaw: %v", err)
		}
	})

	for _, alarm := range []struct {
		name string
		set  func(bool)
	}{{"memory", broker.MemoryAlarm}, {"disk", broker.DiskAlarm}} {
		t.Run("a "+alarm.name+" alarm blocks who publishes", func(t *testing.T) {
			conn, ch := channelOn(t, broker.URL)
			blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 2))
			alarm.set(true)
			// A second alarm must not replace the limit that the node keeps.
			alarm.set(true)
			if err := ch.Publish("", "nowhere", false, false, amqp.Publishing{}); err != nil {
				t.Fatal(err)
			}
			if b := wantWithin(t, blocked, 10*time.Second, "connection.blocked"); !b.Active || !strings.Contains(b.Reason, alarm.name) {
				t.Errorf("got %+v", b)
			}
			alarm.set(false)
			if b := wantWithin(t, blocked, 10*time.Second, "connection.unblocked"); b.Active {
				t.Errorf("got %+v", b)
			}
			if alarms := strings.TrimSpace(broker.Ctl("eval", "rabbit_alarm:get_alarms().")); alarms != "[]" {
				t.Errorf("alarms afterwards: %s", alarms)
			}
		})
	}

	t.Run("an operator closes all connections", func(t *testing.T) {
		conn, _ := channelOn(t, broker.URL)
		closed := conn.NotifyClose(make(chan *amqp.Error, 1))
		broker.CloseConnections("for a test")
		err := wantWithin(t, closed, 10*time.Second, "end of the connection")
		if err == nil || err.Code != amqp.ConnectionForced || !strings.Contains(err.Reason, "for a test") {
			t.Errorf("got %v", err)
		}
	})

	t.Run("a setting changes while it runs", func(t *testing.T) {
		broker.Set("frame_max", "8192")
		conn, _ := channelOn(t, broker.URL)
		if got := conn.Config.FrameSize; got != 8192 {
			t.Errorf("frame size %d, want 8192", got)
		}
	})

	t.Run("settings of its start are in effect", func(t *testing.T) { wantSettings(t, broker.URL) })
	broker.Settle()
	broker.Kill()
	broker.Start()
	t.Run("and again after a restart, which forgets those that were changed", func(t *testing.T) {
		wantSettings(t, broker.URL)
		conn, _ := channelOn(t, broker.URL)
		if got := conn.Config.FrameSize; got == 8192 {
			t.Errorf("frame size is still %d", got)
		}
	})

	t.Run("certificates expire", func(t *testing.T) { certificatesExpire(t, broker) })
}

// wantSettings checks two settings. The broker removes a consumer that does not ack: from 4.3 on
// only the consumer, before 4.3 the whole channel. It also tries a dead letter without a
// destination again.
func wantSettings(t *testing.T, url string) {
	_, ch := channelOn(t, url)
	name := "settings-" + strings.ToLower(rand.Text()[:8])
	letters := name + "-letters"
	for queue, args := range map[string]amqp.Table{
		name: {"x-queue-type": "quorum"},
		letters: {
			"x-queue-type": "quorum", "x-message-ttl": 1, "x-overflow": "reject-publish",
			"x-dead-letter-exchange": "", "x-dead-letter-routing-key": letters + "-target", "x-dead-letter-strategy": "at-least-once",
		},
	} {
		if _, err := ch.QueueDeclare(queue, true, false, false, false, args); err != nil {
			t.Fatal(err)
		}
		if err := ch.Publish("", queue, true, false, amqp.Publishing{Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}

	_, slow := channelOn(t, url)
	closed := slow.NotifyClose(make(chan *amqp.Error, 1))
	cancelled := slow.NotifyCancel(make(chan string, 1))
	deliveries, err := slow.Consume(name, "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantWithin(t, deliveries, 10*time.Second, "delivery")
	if amqptest.AtLeast(t, 4, 3) {
		wantWithin(t, cancelled, 15*time.Second, "consumer timeout")
	} else if err := wantWithin(t, closed, 15*time.Second, "consumer timeout"); err == nil || err.Code != amqp.PreconditionFailed {
		t.Errorf("the channel ended with %v", err)
	}

	// By now the broker has tried to dead-letter, and the target did not exist.
	if _, err := ch.QueueDeclare(letters+"-target", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 15*time.Second, func() bool {
		_, ok, err := ch.Get(letters+"-target", true)
		return ok && err == nil
	}, "the dead letter is not tried again")
}

func certificatesExpire(t *testing.T, broker *amqptest.Broker) {
	files := broker.TLS()
	dial := func() error {
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp",
			strings.TrimPrefix(files.URL[:strings.LastIndex(files.URL, "/")], "amqps://bunnicula:bunnicula@"), files.Config(t))
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	if files.URL == amqptest.TLSFiles(t).URL {
		t.Fatal("it is the listener of the broker that all tests share")
	}
	if err := dial(); err != nil {
		t.Fatal(err)
	}
	broker.Certificate(-time.Minute)
	var invalid *tls.CertificateVerificationError
	if err := dial(); !errors.As(err, &invalid) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("with a certificate that has expired: %v", err)
	}
	broker.Certificate(15 * time.Second)
	if err := dial(); err != nil {
		t.Errorf("with one that is good for a while: %v", err)
	}
	amqptest.Eventually(t, 30*time.Second, func() bool { return errors.As(dial(), &invalid) }, "it does not expire")
	broker.Certificate(time.Hour)
	if conn, err := amqp.DialTLS(files.URL, files.Config(t)); err != nil {
		t.Errorf("with a good one: %v", err)
	} else {
		_ = conn.Close()
	}
}

package amqptest_test

import (
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func declare(t *testing.T, queue string) {
	t.Helper()
	_, err := amqptest.Channel(t).QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsPublishedCanBeCountedAndTaken(t *testing.T) {
	queue := amqptest.Queue(t, "amqptest")
	declare(t, queue)
	for _, body := range []string{"a", "b", "c"} {
		amqptest.Publish(t, "", queue, amqp.Publishing{Body: []byte(body)})
	}

	amqptest.Eventually(t, 5*time.Second, func() bool { return amqptest.Depth(t, queue) == 3 }, "3 messages in %s", queue)
	got := string(amqptest.Get(t, queue).Body)
	for _, d := range amqptest.Drain(t, queue) {
		got += string(d.Body)
	}
	if got != "abc" {
		t.Errorf("got %q, want %q", got, "abc")
	}
}

func TestAMessageThatIsGivenBackAsAFailureIsCounted(t *testing.T) {
	queue := amqptest.Queue(t, "failure")
	declare(t, queue)
	amqptest.Publish(t, "", queue, amqp.Publishing{Body: []byte("x")})
	amqptest.Fail(t, queue)
	amqptest.Fail(t, queue)
	if d := amqptest.Get(t, queue); d.Headers["x-delivery-count"] != int64(2) {
		t.Errorf("the headers are %v", d.Headers)
	}
}

func TestQueuesOfATestAreGoneAfterIt(t *testing.T) {
	var names []string
	t.Run("a test", func(t *testing.T) {
		queue := amqptest.Queue(t, "amqptest", "-retry-70ms")
		names = []string{queue, queue + "-error", queue + "-retry-10s", queue + "-retry-70ms"}
		for _, name := range names {
			declare(t, name)
			if !amqptest.Exists(t, name) {
				t.Errorf("%s is not there", name)
			}
		}
	})
	for _, name := range names {
		if amqptest.Exists(t, name) {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestVersionIsTheBrokersOwn(t *testing.T) {
	version := amqptest.Version(t)
	if !strings.Contains(amqptest.Ctl(t, "version"), version) {
		t.Errorf("rabbitmqctl does not say %s", version)
	}
	if amqptest.Major(t) < 3 {
		t.Errorf("major version %d of %s", amqptest.Major(t), version)
	}
}

func TestTLSListenerWantsACertificateOfItsAuthority(t *testing.T) {
	files := amqptest.TLSFiles(t)
	conn, err := amqp.DialTLS(files.URL, files.Config(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}

	unknown := files
	unknown.Cert, unknown.Key = files.WrongCert, files.WrongKey
	if conn, err := amqp.DialTLS(files.URL, unknown.Config(t)); err == nil {
		_ = conn.Close()
		t.Error("a client of the wrong authority got in")
	}
	misled := files
	misled.CA = files.WrongCA
	if conn, err := amqp.DialTLS(files.URL, misled.Config(t)); err == nil {
		_ = conn.Close()
		t.Error("a client that trusts the wrong authority believed the server")
	}
}

func TestABrokerOfOnesOwnKeepsConfirmedMessagesWhenKilled(t *testing.T) {
	amqptest.Long(t)
	broker := amqptest.StartBroker(t)
	if broker.URL == amqptest.URL(t) {
		t.Fatal("it is the broker that all tests share")
	}
	queue := amqptest.Queue(t, "amqptest")
	send := func() error {
		ch, err := amqptest.DialURL(t, broker.URL).Channel()
		if err != nil {
			return err
		}
		if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
			return err
		}
		if err := ch.Confirm(false); err != nil {
			return err
		}
		confirm, err := ch.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{DeliveryMode: amqp.Persistent})
		if err == nil {
			confirm.Wait()
		}
		return err
	}
	if err := send(); err != nil {
		t.Fatal(err)
	}

	broker.Settle()
	broker.Kill()
	if conn, err := amqp.Dial(broker.URL); err == nil {
		_ = conn.Close()
		t.Fatal("it answers after kill -9")
	}
	broker.Start()

	if out := broker.Ctl("--quiet", "list_queues", "name", "messages"); !strings.Contains(out, queue+"\t1") {
		t.Errorf("the message is not there:\n%s", out)
	}
}

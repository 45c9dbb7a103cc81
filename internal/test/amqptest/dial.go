package amqptest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Dial opens a connection to the shared broker. The connection has the test's name, and is closed
// at the test's cleanup.
func Dial(t testing.TB) *amqp.Connection {
	t.Helper()
	return DialURL(t, URL(t))
}

// DialURL is [Dial] for a broker or a [Proxy] of the test's choice.
func DialURL(t testing.TB, url string) *amqp.Connection {
	t.Helper()
	conn, err := amqp.DialConfig(url, amqp.Config{
		Heartbeat:  10 * time.Second,
		Properties: amqp.Table{"connection_name": t.Name()},
	})
	if err != nil {
		t.Fatalf("amqptest: dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.CloseDeadline(time.Now().Add(5 * time.Second)) })
	return conn
}

// Channel opens a channel on the test's own connection.
func Channel(t testing.TB) *amqp.Channel {
	t.Helper()
	ch, err := own(t).Channel()
	if err != nil {
		t.Fatalf("amqptest: channel: %v", err)
	}
	t.Cleanup(func() { _ = ch.Close() })
	return ch
}

// Version is the broker's version, such as "3.10.8".
func Version(t testing.TB) string {
	t.Helper()
	version, _ := own(t).Properties["version"].(string)
	if version == "" {
		t.Fatal("amqptest: the broker does not say its version")
	}
	return version
}

// Major is the first number of [Version].
func Major(t testing.TB) int {
	t.Helper()
	major, _ := numbers(t)
	return major
}

// AtLeast says whether the broker is of that version, or of a later one.
func AtLeast(t testing.TB, major, minor int) bool {
	t.Helper()
	ownMajor, ownMinor := numbers(t)
	return ownMajor > major || ownMajor == major && ownMinor >= minor
}

func numbers(t testing.TB) (major, minor int) {
	t.Helper()
	if _, err := fmt.Sscanf(Version(t), "%d.%d", &major, &minor); err != nil {
		t.Fatalf("amqptest: the broker's version %q: %v", Version(t), err)
	}
	return major, minor
}

// connections holds the own connection of each running test.
var connections sync.Map // testing.TB -> *amqp.Connection

// own returns the test's own connection. It makes a new one if the old one is closed.
func own(t testing.TB) *amqp.Connection {
	t.Helper()
	if conn, ok := connections.Load(t); ok && !conn.(*amqp.Connection).IsClosed() {
		return conn.(*amqp.Connection)
	}
	conn := Dial(t)
	connections.Store(t, conn)
	t.Cleanup(func() { connections.Delete(t) })
	return conn
}

// with calls use with a channel of the test's own connection, and returns its error. The channel is
// closed after the call.
func with(t testing.TB, use func(*amqp.Channel) error) error {
	t.Helper()
	ch, err := own(t).Channel()
	if err != nil {
		return err
	}
	defer func() { _ = ch.Close() }()
	return use(ch)
}

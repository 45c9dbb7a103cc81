package amqptest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Dial opens a connection to the shared broker, named after the test and closed at its
// cleanup.
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

// Version is the broker's, such as "3.10.8".
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

// connections holds the connection that each running test has for these helpers.
var connections sync.Map // testing.TB -> *amqp.Connection

// own returns the test's own connection, a new one if it is closed.
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

// with calls use with a channel of the test's own connection that lives as long as the
// call, and returns its error.
func with(t testing.TB, use func(*amqp.Channel) error) error {
	t.Helper()
	ch, err := own(t).Channel()
	if err != nil {
		return err
	}
	defer func() { _ = ch.Close() }()
	return use(ch)
}

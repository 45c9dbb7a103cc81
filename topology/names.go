package topology

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// maxName is how many bytes a name or a routing key may have. Both are short strings (AMQP 0-9-1,
// section 4.2.5.3).
const maxName = 255

// reservedPrefix is the prefix of names that belong to the broker (AMQP 0-9-1, sections 3.1.3 and
// 3.1.4).
const reservedPrefix = "amq."

// RetryQueue returns the name of the queue in which messages of queue wait for delay, such as
// "orders-retry-10s". [FormatDelay] writes the delay.
func RetryQueue(queue string, delay time.Duration) string {
	return queue + "-retry-" + FormatDelay(delay)
}

// ErrorQueue returns the name of the error queue of queue, such as "orders-error", unless its
// [Plan] has another name.
func ErrorQueue(queue string) string { return queue + "-error" }

// QuarantineQueue returns the name of the queue in which messages of queue wait to be handled
// alone, such as "orders-quarantine". A message is set aside there when it was returned twice.
func QuarantineQueue(queue string) string { return queue + "-quarantine" }

// checkName returns what is wrong with the name of a queue that is to be declared.
func checkName(name string) error {
	if strings.HasPrefix(name, reservedPrefix) {
		return fmt.Errorf("names that start with %q are the broker's", reservedPrefix)
	}
	return checkExisting(name)
}

// checkExisting returns what is wrong with the name of something that exists already.
func checkExisting(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > maxName:
		return fmt.Errorf("the name has %d bytes, the longest allowed has %d", len(name), maxName)
	case !utf8.ValidString(name):
		return errors.New("the name is not valid UTF-8")
	case strings.ContainsAny(name, "\r\n"):
		return errors.New("the name has a line break, which the broker would remove")
	}
	return nil
}

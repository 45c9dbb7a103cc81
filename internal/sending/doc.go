// Package sending puts messages into queues and knows when they are safe. Package publisher is its
// public face; consumers and error queues use it directly.
package sending

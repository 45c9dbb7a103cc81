package errorqueue

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"
)

const markBytes = 16 // of the digest; two messages do not share a mark by chance, nor on purpose

// markOf returns the mark of a message: see Message.Mark.
func markOf(d *amqp.Delivery) string {
	h := sha256.New()
	// The length keeps apart what is in the id and what is in the body.
	_, _ = h.Write([]byte(strconv.Itoa(len(d.MessageId)) + ":" + d.MessageId)) // it never fails
	_, _ = h.Write(d.Body)
	return hex.EncodeToString(h.Sum(nil)[:markBytes])
}

// Package wire knows the headers of messages: the framework's own, who writes each header, and
// which sizes and types AMQP, the broker and the client library allow.
package wire

import "strings"

// The headers that the framework writes. Clojure's Bunnicula has RetryAttempts too. No other count
// decides how often a message is retried.
const (
	Prefix = "bunnicula-"

	RetryAttempts      = "retry-attempts"
	Reason             = Prefix + "reason"
	Error              = Prefix + "error"
	ErrorType          = Prefix + "error-type"
	Stack              = Prefix + "stack"
	ErrorGroup         = Prefix + "error-group"
	History            = Prefix + "history"
	FirstFailedAt      = Prefix + "first-failed-at"
	FailedAt           = Prefix + "failed-at"
	Queue              = Prefix + "queue"
	Consumer           = Prefix + "consumer"
	App                = Prefix + "app"
	AppVersion         = Prefix + "app-version"
	Host               = Prefix + "host"
	OriginalExchange   = Prefix + "original-exchange"
	OriginalRoutingKey = Prefix + "original-routing-key"
	OriginalExpiration = Prefix + "original-expiration"
	OriginalUserID     = Prefix + "original-user-id"
	NotBefore          = Prefix + "not-before"
	Due                = Prefix + "due"              // when a message that was published with a delay is due
	MessageIDGiven     = Prefix + "message-id-given" // true: the message id is ours, not the publisher's
	Crashes            = Prefix + "crashes"          // returns that a copy from quarantine carries on
	CrashedAt          = Prefix + "crashed-at"       // when a message in quarantine reached MaxCrashes
	Illegible          = Prefix + "illegible"        // headers that the library cannot read
	RedriveCount       = Prefix + "redrive-count"
	RedrivenAt         = Prefix + "redriven-at"
	RedriveID          = Prefix + "redrive-id"
)

// The counts of a quorum queue. DeliveryCount is how often the queue has got the message back. From
// RabbitMQ 4.3 on it leaves out a message that was given back without a failure, which
// AcquiredCount includes.
const (
	DeliveryCount = "x-delivery-count"
	AcquiredCount = "x-acquired-count"
)

// IsCount says whether a header is one of these counts. Each reading of a message changes them.
func IsCount(name string) bool { return name == DeliveryCount || name == AcquiredCount }

// IsOurs says whether the framework writes this header.
func IsOurs(name string) bool { return name == RetryAttempts || strings.HasPrefix(name, Prefix) }

// IsBrokers says whether a broker writes this header. A copy has none of them: a republished
// x-death can look like a cycle, and the broker drops a message in a cycle. Other headers with
// x-opt- and x-stream- are their publisher's. Brokers (3.10 to 4.3) pass them on as they are.
func IsBrokers(name string) bool {
	switch name {
	case "x-stream-offset", DeliveryCount, AcquiredCount:
		return true
	}
	return IsDeath(name) || strings.HasPrefix(name, "x-opt-rabbitmq-")
}

// IsDeath says whether a header belongs to the broker's record of where, when and why it has
// dead-lettered the message. It does not allocate.
func IsDeath[T string | []byte](name T) bool {
	return string(name) == "x-death" || begins(name, "x-first-death-") || begins(name, "x-last-death-")
}

func begins[T string | []byte](name T, with string) bool {
	return len(name) >= len(with) && string(name[:len(with)]) == with
}

// IsRouting says whether the broker routes further copies by this header at each publish.
func IsRouting(name string) bool { return name == "CC" || name == "BCC" }

// IsUsers says whether a header is the user's: neither ours, nor the broker's, nor one that routes.
func IsUsers(name string) bool { return !IsOurs(name) && !IsBrokers(name) && !IsRouting(name) }

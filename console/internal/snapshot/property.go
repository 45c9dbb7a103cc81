package snapshot

import (
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// Property is what [Snapshot.Counts] counts.
type Property string

// The properties.
const (
	ByReason   Property = "reason"
	ByType     Property = "type"
	ByError    Property = "error"
	ByConsumer Property = "consumer"
	ByVersion  Property = "version"
	ByHost     Property = "host"
	ByTarget   Property = "queue"
	// From the first failure until it was parked: "below 1s", "below 1m", "below 1h", "below 1d",
	// "1d and more" or "unknown".
	ByDelay Property = "delay"
)

var values = map[Property]func(*errorqueue.Message) string{
	ByReason:   func(m *errorqueue.Message) string { return m.Reason },
	ByType:     func(m *errorqueue.Message) string { return m.Type },
	ByError:    func(m *errorqueue.Message) string { return m.Error },
	ByConsumer: func(m *errorqueue.Message) string { return m.Consumer },
	ByVersion:  func(m *errorqueue.Message) string { return m.AppVersion },
	ByHost:     func(m *errorqueue.Message) string { return m.Host },
	ByTarget:   func(m *errorqueue.Message) string { return m.Target },
	ByDelay:    func(m *errorqueue.Message) string { return delay(m.FirstFailedAt, m.FailedAt) },
}

// delay returns the class of the time between two moments.
func delay(from, to time.Time) string {
	if from.IsZero() || to.Before(from) {
		return "unknown"
	}
	switch took := to.Sub(from); {
	case took < time.Second:
		return "below 1s"
	case took < time.Minute:
		return "below 1m"
	case took < time.Hour:
		return "below 1h"
	case took < 24*time.Hour:
		return "below 1d"
	}
	return "1d and more"
}

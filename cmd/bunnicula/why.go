package main

import "github.com/bunnicula-go/bunnicula/errorqueue"

// why says in words why the broker parked a message, where no consumer has written an error. It is
// "" for a message that says so itself.
func why(m *errorqueue.Message) string {
	switch {
	case m.Origin != errorqueue.OriginBroker:
		return ""
	case m.Reason == "rejected" && m.Illegible:
		return "a consumer rejected it, because its headers cannot be read"
	case m.Reason == "rejected":
		return "a consumer rejected it, because the broker refuses a copy of it: it may be above max_message_size; the consumer's log says what the broker said"
	case m.Reason == "delivery_limit":
		return "it came back to its queue too often, and was never settled"
	case m.Reason == "expired":
		return "it expired in its queue"
	}
	return ""
}

// errorOr returns the error of a message, or else why the broker parked it.
func errorOr(m *errorqueue.Message) string {
	if m.Error != "" {
		return m.Error
	}
	return why(m)
}

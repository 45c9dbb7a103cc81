package use

import (
	"net/http"
	"net/url"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// throttled is how long a message waits after a 429 that does not say how long.
const throttled = 10 * time.Second

// HTTPResult turns the error of an HTTP request into a Result. The error is one of CheckResponse,
// or of an http.Client, or wraps one of them. The first row that fits counts:
//
//	error                                  Result
//	nil                                    Ack
//	consumer.Permanent, After, SnoozeFor   Error, RetryAfter, Snooze
//	429                                    SnoozeBecause: its Retry-After, or 10 s
//	503 with Retry-After                   SnoozeBecause: its Retry-After
//	501, 505                               Error: the server does not know such requests
//	another 4xx or 5xx with Retry-After    RetryAfter: the server says that it is temporary
//	other 5xx                              Retry
//	408, 421, 425                          Retry: the RFCs let a client repeat the request
//	409, 412, 423                          Retry: the next attempt sees the resource as it is then
//	401, 403, 404, other 4xx               Error: the same request gets the same answer
//	3xx                                    Error: a redirect that the client does not follow
//	no response in time                    Timeout
//	a URL that cannot be parsed            Error
//	any other                              Retry
//
// A Retry and a Timeout wait for Spec.Backoff, a minute unless set.
//
// Retry-After is seconds, decimals too, or a date, which is compared with the response's Date.
// Negative values, dates in the past and what is neither count as none, and more than MaxRetryAfter
// counts as that. A handler whose context was cancelled by a stop may return the Result: the
// message is interrupted, whatever it says.
//
// It does not promise that the API is spared: messages that snooze for the same time come back
// together. Rate and RatePerKey keep a limit, and Breaker spares an API that is down.
func HTTPResult(err error) consumer.Result {
	err = redact(err)
	if marked := consumer.ResultOf(err); !marked.Retried() || marked.Delay() > 0 {
		return marked
	}
	if status, ok := foreign.As[*StatusError](err); ok && status != nil {
		return status.result(err)
	}
	if isTimeout(err) {
		return consumer.Timeout(err)
	}
	if request, ok := foreign.As[*url.Error](err); ok && request != nil && request.Op == "parse" {
		return consumer.Error(err)
	}
	return consumer.Retry(err)
}

// result is the Result of a status. err is the StatusError as the client returned it.
func (e *StatusError) result(err error) consumer.Result {
	switch e.Status {
	case http.StatusTooManyRequests:
		if e.RetryAfter > 0 {
			return snooze(e.RetryAfter, err)
		}
		return snooze(throttled, err)
	case http.StatusServiceUnavailable:
		if e.RetryAfter > 0 {
			return snooze(e.RetryAfter, err)
		}
		return consumer.Retry(err)
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return consumer.Error(err)
	case http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooEarly, // RFC 9110, 9110, 8470
		http.StatusConflict, http.StatusPreconditionFailed, http.StatusLocked:
		return e.again(err)
	}
	if e.Status >= 300 && e.Status <= 399 || e.Status >= 400 && e.Status <= 499 && e.RetryAfter == 0 {
		return consumer.Error(err)
	}
	return e.again(err)
}

// again is a retry, not before the server wants it.
func (e *StatusError) again(err error) consumer.Result {
	if e.RetryAfter > 0 {
		return consumer.RetryAfter(e.RetryAfter, err)
	}
	return consumer.Retry(err)
}

// isTimeout returns whether something in the chain of err says that it took too long.
func isTimeout(err error) bool {
	return foreign.Walk(err, func(e error) bool {
		t, ok := e.(interface{ Timeout() bool })
		return ok && t.Timeout()
	})
}

package sentry

import (
	"regexp"
	"strings"
	"unicode/utf8"

	sdk "github.com/getsentry/sentry-go"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

const (
	maxTag   = 200     // bytes; Sentry refuses longer tags
	maxValue = 8 << 10 // bytes of an error's text; Sentry cuts longer ones
	maxDepth = 10      // errors of a chain, from the outermost on
	maxChain = 30      // errors of a chain that branches, in all
)

// newEvent makes the event of a delivery. It contains at most payload bytes of the body.
func newEvent(d monitoring.Delivery, o monitoring.Outcome, payload int) *sdk.Event {
	event := sdk.NewEvent()
	event.Level = sdk.LevelError
	event.Logger = "bunnicula"
	event.Transaction = d.Consumer
	event.Exception = exceptions(o)
	event.Fingerprint = fingerprint(d, o)
	event.Tags = map[string]string{
		"consumer": tag(d.Consumer),
		"queue":    tag(d.Queue),
		"reason":   tag(string(o.Reason)),
		"action":   o.Action.String(),
	}
	delivery := sdk.Context{
		"attempt":     d.Attempt,
		"max_retries": d.MaxRetries,
		"message_id":  d.MessageID,
		"duration_ms": float64(o.Duration.Microseconds()) / 1000,
	}
	if payload > 0 {
		delivery["payload"] = d.Excerpt(payload)
		delivery["payload_size"] = len(d.Body)
	}
	event.Contexts["delivery"] = delivery
	return event
}

// fingerprint groups events as bunnicula-error-group groups messages. Sentry itself groups failures
// without a group, separately for each consumer.
func fingerprint(d monitoring.Delivery, o monitoring.Outcome) []string {
	if o.Group == "" {
		return []string{"{{ default }}", d.Consumer}
	}
	return []string{d.Consumer, o.Group}
}

// exceptions returns the errors of the chain. The outermost is the last, as Sentry expects, and has
// the handler's stack. sentry-go would use the stack of this goroutine, which says nothing.
func exceptions(o monitoring.Outcome) []sdk.Exception {
	if o.Err == nil {
		return []sdk.Exception{{Type: nameless(o), Value: "message " + o.Action.String(), Stacktrace: parseStack(o.Stack)}}
	}
	var event sdk.Event
	event.SetException(o.Err, maxDepth)
	chain := event.Exception[max(0, len(event.Exception)-maxChain):]
	for i := range chain {
		chain[i].Value = cut(redact(chain[i].Value), maxValue)
	}
	last := &chain[len(chain)-1]
	last.Stacktrace = parseStack(o.Stack)
	if last.Stacktrace == nil {
		last.Stacktrace = sdk.ExtractStacktrace(o.Err)
	}
	return chain
}

// nameless returns the title of a failure without an error.
func nameless(o monitoring.Outcome) string {
	if o.Reason == monitoring.ReasonNone {
		return "failed"
	}
	return string(o.Reason)
}

// password matches the secret in scheme://user:secret@host.
var password = regexp.MustCompile(`(://[^/\s:@]*):[^/\s@]+@`)

// redact replaces the passwords in URLs. Errors of dialling often quote a URL.
func redact(text string) string {
	if !strings.Contains(text, "://") {
		// A fast check, even for a megabyte of text.
		return text
	}
	return password.ReplaceAllString(text, "$1:***@")
}

// tag shortens a value to one line of the length that Sentry allows for a tag.
func tag(value string) string {
	return cut(strings.Join(strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' }), " "), maxTag)
}

// cut keeps at most n bytes of s, and whole runes only.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

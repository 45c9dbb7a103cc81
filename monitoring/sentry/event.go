package sentry

import (
	"os"
	"reflect"
	"regexp"
	"strings"

	sdk "github.com/getsentry/sentry-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
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
		"message_id":  foreign.Line(d.MessageID, maxValue),
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
// the handler's stack.
func exceptions(o monitoring.Outcome) []sdk.Exception {
	if o.Err == nil {
		return []sdk.Exception{{Type: nameless(o), Value: "message " + o.Action.String(), Stacktrace: parseStack(o.Stack)}}
	}
	chain := chainOf(foreign.Safe(o.Err))
	chain = chain[max(0, len(chain)-maxChain):]
	for i := range chain {
		chain[i].Value = foreign.Cut(redact(chain[i].Value), maxValue)
		if chain[i].Type == safeType {
			chain[i].Type = "error"
		}
	}
	last := &chain[len(chain)-1]
	last.Type = typeOf(o.Err)
	if stack := parseStack(o.Stack); stack != nil {
		last.Stacktrace = stack
	}
	return chain
}

// chainOf lets sentry-go read a chain of errors. It finds methods for stack traces by their names,
// and may panic over what they are.
func chainOf(err error) (chain []sdk.Exception) {
	defer func() {
		if recover() != nil {
			chain = []sdk.Exception{{Value: err.Error()}}
		}
	}()
	var event sdk.Event
	event.SetException(err, maxDepth)
	// Without a stack of its own the outermost error has got this goroutine's, which says nothing.
	event.Exception[len(event.Exception)-1].Stacktrace = sdk.ExtractStacktrace(err)
	return event.Exception
}

// safeType is the type of errors that [foreign.Safe] has replaced. The name says nothing to
// anybody.
var safeType = reflect.TypeOf(foreign.Safe((*os.PathError)(nil))).String()

func typeOf(err error) string { return reflect.TypeOf(foreign.Original(err)).String() }

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
func tag(value string) string { return foreign.Line(value, maxTag) }

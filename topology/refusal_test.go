package topology_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/topology"
)

// refuse declares a plan at a broker that refuses the call with this prefix.
func refuse(t *testing.T, p topology.Plan, call string, code int, reason string) error {
	t.Helper()
	r := recorder{Refuse: call, Err: &amqp.Error{Code: code, Reason: reason, Server: true}}
	err := mustNew(t, p).Declare(&r)
	var cause *amqp.Error
	if !errors.As(err, &cause) || cause.Code != code {
		t.Errorf("%v: the broker's error is not in it", err)
	}
	return err
}

func TestAMismatchIsReadFromTheBrokersWords(t *testing.T) {
	plan := topology.Plan{
		Queue: "q", Delays: []time.Duration{2 * time.Second},
		Bindings: []topology.Bind{{Exchange: "e", Kind: "topic"}},
	}
	for _, c := range []struct {
		call, words string
		want        topology.MismatchError
		remedy      string
	}{
		{ // values
			"queue q-retry-2s", "inequivalent arg 'x-message-ttl' for queue 'q-retry-2s' in vhost '/': received '2000' but current is '1000'",
			topology.MismatchError{What: "queue", Name: "q-retry-2s", Role: topology.RoleRetry, Argument: "x-message-ttl", Existing: "1000", Wanted: "2000"},
			"let it drain",
		},
		{ // nothing there
			"queue q", "inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received the value '5' of type 'long' but current is none",
			topology.MismatchError{What: "queue", Name: "q", Role: topology.RoleMain, Argument: "x-delivery-limit", Existing: "none", Wanted: "5"},
			"Declare: topology.Satellites",
		},
		{ // nothing wanted
			"queue q", "inequivalent arg 'x-expires' for queue 'q' in vhost '/': received none but current is the value '1000' of type 'long'",
			topology.MismatchError{What: "queue", Name: "q", Role: topology.RoleMain, Argument: "x-expires", Existing: "1000", Wanted: "none"},
			"Declare: topology.Satellites",
		},
		{ // an empty value, and a vhost with a name like the broker's words
			"queue q", "inequivalent arg 'x-dead-letter-exchange' for queue 'q' in vhost ': received 'x' but': received '' but current is 'dlx'",
			topology.MismatchError{What: "queue", Name: "q", Role: topology.RoleMain, Argument: "x-dead-letter-exchange", Existing: "dlx", Wanted: `""`},
			"Declare: topology.Satellites",
		},
		{ // an attribute, with the words of old brokers
			"queue q", "inequivalent arg 'durable'for queue 'q' in vhost '/': received 'true' but current is 'false'",
			topology.MismatchError{What: "queue", Name: "q", Role: topology.RoleMain, Argument: "durable", Existing: "false", Wanted: "true"},
			"Declare: topology.Satellites",
		},
		{ // the text is cut, but the wanted value is known
			"queue q-retry-2s", "inequivalent arg 'x-message-ttl' for queue 'qqqqqqqqq...",
			topology.MismatchError{What: "queue", Name: "q-retry-2s", Role: topology.RoleRetry, Argument: "x-message-ttl", Wanted: "2000"},
			"something else at the broker",
		},
		{
			"exchange e", "inequivalent arg 'type' for exchange 'e' in vhost '/': received 'topic' but current is 'fanout'",
			topology.MismatchError{What: "exchange", Name: "e", Argument: "type", Existing: "fanout", Wanted: "topic"},
			"leave Kind empty",
		},
	} {
		err := refuse(t, plan, c.call+" ", amqp.PreconditionFailed, "PRECONDITION_FAILED - "+c.words)
		var got *topology.MismatchError
		if !errors.As(err, &got) {
			t.Errorf("%v: not a MismatchError", err)
			continue
		}
		text := got.Error()
		for _, part := range []string{got.Name, got.Argument, got.Existing, got.Wanted, c.remedy} {
			if !strings.Contains(text, part) {
				t.Errorf("%q is not in the text: %s", part, text)
			}
		}
		got.Err = nil
		if *got != c.want {
			t.Errorf("got  %+v\nwant %+v", *got, c.want)
		}
	}
}

// The reasons are brokers' own, of 3.10, 4.0 and 4.3.
func TestARefusalThatWaitingDoesNotMendIsInvalid(t *testing.T) {
	plan := topology.Plan{Queue: "q", Bindings: []topology.Bind{{Exchange: "e", Kind: "x-foo"}}}
	for _, c := range []struct {
		call    string
		code    int
		reason  string
		invalid bool
	}{
		{"queue q", amqp.PreconditionFailed, "PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue", true},
		{"queue q", amqp.PreconditionFailed, "PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': {value_negative,-1}", true},
		{"queue q", amqp.PreconditionFailed, "PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'q' in vhost '/': \"unsupported queue type 'nonsense'\"", true},
		{"queue q", amqp.PreconditionFailed, "PRECONDITION_FAILED - invalid type 'long' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'", true},
		{"queue q", amqp.PreconditionFailed, "PRECONDITION_FAILED - cannot declare queue 'q': queue limit in vhost 'lim' (1) is reached", true},
		{"queue q", amqp.InternalError, "INTERNAL_ERROR - Feature `queue_master_locator` is deprecated.\nBy default, this feature is not permitted anymore.", true},
		{"exchange e", amqp.PreconditionFailed, "PRECONDITION_FAILED - unknown exchange type 'x-foo'", true},
		{"exchange e", amqp.CommandInvalid, "COMMAND_INVALID - unknown exchange type 'x-foo'", true},

		{"queue q", amqp.PreconditionFailed, "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received '2' but current is '1'", false},
		{"queue q", amqp.PreconditionFailed, "PRECONDITION_FAILED - queue 'q' in vhost '/' is not available now", false},
		{"queue q", amqp.InternalError, "INTERNAL_ERROR - Cannot declare quorum queue: not enough nodes", false},
		{"queue q", amqp.InternalError, "INTERNAL_ERROR", false},
		{"queue q", amqp.NotFound, "NOT_FOUND - invalid arg", false},
	} {
		err := refuse(t, plan, c.call, c.code, c.reason)
		if errors.Is(err, topology.ErrInvalid) != c.invalid {
			t.Errorf("%v: is ErrInvalid: %v, want %v", err, !c.invalid, c.invalid)
		}
		var mismatch *topology.MismatchError
		if errors.As(err, &mismatch) != strings.Contains(c.reason, "inequivalent") {
			t.Errorf("%v: is a mismatch: %v", err, mismatch != nil)
		}
		if !strings.Contains(err.Error(), strconv.Quote(c.reason)) {
			t.Errorf("the broker's words are not in it: %v", err)
		}
	}
}

func TestARefusalSaysWhichOfThreeItIs(t *testing.T) {
	var (
		all        = topology.Plan{Queue: "q", Bindings: []topology.Bind{{Exchange: "e", Kind: "topic"}, {Exchange: "there", Keys: []string{"k"}}}}
		never      = topology.Plan{Queue: "q", Mode: topology.Never}
		satellites = topology.Plan{Queue: "q", Mode: topology.Satellites, Bindings: []topology.Bind{{Exchange: "there"}}}
	)
	for _, c := range []struct {
		plan   topology.Plan
		call   string
		code   int
		reason string
		is     error
		words  string
	}{
		{all, "bind", amqp.NotFound, "NOT_FOUND - no exchange 'e' in vhost '/'", topology.ErrMissing, `exchange "e", needed for the binding of queue "q"`},
		{never, "passive q", amqp.NotFound, "NOT_FOUND - no queue 'q' in vhost '/'", topology.ErrMissing, `queue "q"`},
		{satellites, "passive q", amqp.NotFound, "NOT_FOUND - no queue 'q' in vhost '/'", topology.ErrMissing, `queue "q"`},
		{satellites, "bind", amqp.NotFound, "NOT_FOUND - no queue 'q' in vhost '/'", topology.ErrMissing, `queue "q"`},
		{never, "passive q", amqp.NotFound, "NOT_FOUND - queue 'q' in vhost '/' process is stopped by supervisor", nil, "stopped by supervisor"},
		{never, "passive q", amqp.AccessRefused, "ACCESS_REFUSED - configure access to queue 'q'", topology.ErrUnchecked, `queue "q"`},
		{all, "queue q", amqp.AccessRefused, "ACCESS_REFUSED - configure access to queue 'q'", topology.ErrRefused, "configure on the queue"},
		{all, "exchange e", amqp.AccessRefused, "ACCESS_REFUSED - configure access to exchange 'e'", topology.ErrRefused, "configure on the exchange"},
		{all, "bind q to there", amqp.AccessRefused, "ACCESS_REFUSED - read access to exchange 'there'", topology.ErrRefused, `exchange "there" with key "k": it takes write on the queue and read on the exchange`},
		{all, "queue q", amqp.ResourceLocked, "RESOURCE_LOCKED - cannot obtain exclusive access", nil, "RESOURCE_LOCKED"},
	} {
		err := refuse(t, c.plan, c.call, c.code, c.reason)
		for _, sentinel := range []error{topology.ErrMissing, topology.ErrRefused, topology.ErrUnchecked, topology.ErrInvalid} {
			if errors.Is(err, sentinel) != (sentinel == c.is) {
				t.Errorf("%v: is %v: %v", err, sentinel, errors.Is(err, sentinel))
			}
		}
		if !strings.HasPrefix(err.Error(), "topology: ") || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%q is not in it: %v", c.words, err)
		}
	}
}

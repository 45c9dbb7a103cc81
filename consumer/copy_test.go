package consumer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// copied is the copy of a delivery after one kind of failure.
func copied(t testing.TB, raw amqp.Delivery, e ending) amqp.Publishing {
	t.Helper()
	c := quiet(t, spec(nil))
	s := c.settlement(decoded(c, raw), e, time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC))
	if s.Copy == nil {
		t.Fatalf("%v makes no copy", e)
	}
	return s.Copy.Publishing
}

func failing(err error) ending { return ending{result: Retry(err)} }

// ours are the headers of a copy that the framework wrote.
func ours(h amqp.Table) amqp.Table {
	found := amqp.Table{}
	for name, value := range h {
		if wire.IsOurs(name) {
			found[name] = value
		}
	}
	return found
}

// users are the others.
func users(h amqp.Table) amqp.Table {
	found := maps.Clone(h)
	maps.DeleteFunc(found, func(name string, _ any) bool { return wire.IsOurs(name) })
	return found
}

func TestACopyKeepsBodyPropertiesAndHeaders(t *testing.T) {
	raw := amqp.Delivery{
		ContentType: "text/plain", ContentEncoding: "gzip", Priority: 255, CorrelationId: "c", ReplyTo: "r",
		MessageId: "m", Timestamp: time.Unix(1, 0), Type: "t", AppId: "a", Redelivered: true, DeliveryTag: 7,
		Exchange: "shop", RoutingKey: "order.placed", Body: []byte{0, 255, 1}, Headers: everyType(),
	}
	for name, e := range map[string]ending{
		"retried": failing(errBoom), "snoozed": {result: Snooze(0)}, "parked": {result: Error(nil)}, "interrupted": {interrupted: true},
	} {
		t.Run(name, func(t *testing.T) {
			got := copied(t, raw, e)
			headers := got.Headers
			got.Headers = nil
			want := amqp.Publishing{
				ContentType: "text/plain", ContentEncoding: "gzip", DeliveryMode: amqp.Persistent, Priority: 255, CorrelationId: "c", ReplyTo: "r",
				MessageId: "m", Timestamp: time.Unix(1, 0), Type: "t", AppId: "a", Body: []byte{0, 255, 1},
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v\nwant %+v", got, want)
			}
			if !reflect.DeepEqual(users(headers), everyType()) {
				t.Errorf("headers\n%v, want\n%v", users(headers), everyType())
			}
			if err := headers.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestACopyDoesNotCarryWhatWouldLoseItOrCloseTheChannel(t *testing.T) {
	h := amqp.Table{"tenant": "acme"}
	for _, name := range []string{
		"x-death", "x-delivery-count", "x-acquired-count", "x-first-death-queue", "x-first-death-reason", "x-first-death-exchange",
		"x-last-death-queue", "x-last-death-reason", "x-last-death-exchange", "x-stream-offset", "x-opt-rabbitmq-sent-time", "CC", "BCC",
	} {
		h[name] = "x"
	}
	raw := delivery(h)
	raw.Expiration, raw.UserId = "5000", "ann"
	for name, e := range map[string]ending{"retried": failing(errBoom), "parked": {result: Error(nil)}, "interrupted": {interrupted: true}} {
		got := copied(t, raw, e)
		if !reflect.DeepEqual(users(got.Headers), amqp.Table{"tenant": "acme"}) || got.Expiration != "" || got.UserId != "" {
			t.Errorf("%s: expiration %q, user %q, headers %v", name, got.Expiration, got.UserId, got.Headers)
		}
		if got.Headers["bunnicula-original-expiration"] != "5000" || got.Headers["bunnicula-original-user-id"] != "ann" {
			t.Errorf("%s: what was left out is not kept: %v", name, got.Headers)
		}
	}
}

func TestACopyCarriesTheUserIDOnlyIfItIsTheConnectionsOwn(t *testing.T) {
	for user, want := range map[string]string{"guest": "guest", "ann": "", "": ""} {
		c := quiet(t, spec(nil))
		raw := delivery(nil)
		raw.UserId = user
		d := decoded(c, raw)
		d.from = &channel{session: userSession{}}
		if got := c.settlement(d, failing(errBoom), time.Now()).Copy.UserId; got != want {
			t.Errorf("the copy of %q has the user id %q, want %q", user, got, want)
		}
	}
}

func TestACopyOfAMessageThatSaysNothingGetsAnIDATimestampAndAContentType(t *testing.T) {
	got := copied(t, amqp.Delivery{RoutingKey: "orders"}, failing(errBoom))
	id, err := uuid.Parse(got.MessageId)
	if err != nil || id.Version() != 7 {
		t.Errorf("message id %q: %v", got.MessageId, err)
	}
	if want := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC); !got.Timestamp.Equal(want) || got.ContentType != "application/octet-stream" || got.DeliveryMode != amqp.Persistent {
		t.Errorf("timestamp %v, content type %q, mode %d", got.Timestamp, got.ContentType, got.DeliveryMode)
	}
}

func TestACopySaysWhatHappened(t *testing.T) {
	for action, want := range map[monitoring.Action]amqp.Table{
		monitoring.Retried: {"retry-attempts": int64(2)},
		monitoring.Parked: {
			"retry-attempts": int64(1), "bunnicula-failed-at": "2026-05-04T03:02:01Z", "bunnicula-error-type": "*fs.PathError",
			"bunnicula-consumer": "billing", "bunnicula-app": "shop", "bunnicula-app-version": "v1.2.3", "bunnicula-host": hostname,
			"bunnicula-reason": "panic", "bunnicula-error": "panic: open a: boom", "bunnicula-stack": "at line 1",
			"bunnicula-first-failed-at": "2026-05-04T03:02:01Z", "bunnicula-original-exchange": "", "bunnicula-original-routing-key": "orders",
		},
	} {
		t.Run(action.String(), func(t *testing.T) {
			c := quiet(t, spec(func(s *Spec) { s.Name, s.MaxRetries = "billing", 2 }))
			if action == monitoring.Parked {
				c.rules.MaxRetries = 1
			}
			c.rules.App, c.rules.Version = "shop", "v1.2.3"
			d := decoded(c, delivery(amqp.Table{"retry-attempts": int64(1), "bunnicula-app-version": "v1.2.2"}))
			now := time.Date(2026, 5, 4, 5, 2, 1, 999, time.FixedZone("", 7200))
			e := ending{panicked: fmt.Errorf("panic: %w", &fs.PathError{Op: "open", Path: "a", Err: errBoom}), stack: "at line 1", duration: 1500 * time.Millisecond}
			got := c.settlement(d, e, now)
			if action == monitoring.Parked {
				want["bunnicula-error-group"] = got.Group
			}
			maps.Copy(want, amqp.Table{
				"bunnicula-queue":   "orders",
				"bunnicula-history": `[{"at":"2026-05-04T03:02:01Z","attempt":2,"reason":"panic","error":"panic: open a: boom","host":"` + hostname + `","ms":1500}]`,
			})
			if h := got.Copy.Headers; got.Action != action || !reflect.DeepEqual(h, want) {
				t.Errorf("%v: %v\nwant\n%v", got.Action, h, want)
			}
			c.rules.Version = ""
			if v, ok := c.settlement(d, e, now).Copy.Headers["bunnicula-app-version"]; ok {
				t.Errorf("the version is %v, and nobody knows it", v)
			}
		})
	}
}

func TestOriginalsAreSetOnceOverSeveralHops(t *testing.T) {
	c := quiet(t, spec(func(s *Spec) { s.MaxRetries, s.Handler = 5, returns(Retry(errBoom)) }))
	raw := delivery(nil)
	raw.Exchange, raw.RoutingKey, raw.Expiration, raw.UserId = "shop", "order.placed", "5000", "ann"
	for hop := range 4 {
		s := c.Process(t.Context(), raw)
		h := s.Copy.Headers
		if h["bunnicula-original-exchange"] != "shop" || h["bunnicula-original-routing-key"] != "order.placed" ||
			h["bunnicula-original-expiration"] != "5000" || h["bunnicula-original-user-id"] != "ann" {
			t.Fatalf("hop %d: %v", hop, h)
		}
		raw = back(s)
	}
}

func TestWhenAMessageFirstFailedIsKnownHoweverOftenItFails(t *testing.T) {
	const retries = 25
	c := quiet(t, spec(func(s *Spec) { s.MaxRetries = retries }))
	raw, now := delivery(nil), time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	for hop := range retries + 1 {
		s := c.settlement(decoded(c, raw), failing(errBoom), now.Add(time.Duration(hop)*time.Hour))
		h := s.Copy.Headers
		if got, there := h["bunnicula-first-failed-at"]; there != (hop >= 10) || there && got != "2026-05-04T03:02:01Z" {
			t.Errorf("hop %d: first failed at %v; of fewer than ten the history says it", hop, got)
		}
		raw = back(s)
	}
	for hops := range 3 {
		raw = delivery(nil)
		for hop := range hops {
			raw = back(c.settlement(decoded(c, raw), failing(errBoom), now.Add(time.Duration(hop)*time.Hour)))
		}
		h := c.settlement(decoded(c, raw), ending{result: Error(errBoom)}, now.Add(time.Duration(hops)*time.Hour)).Copy.Headers
		if h["bunnicula-first-failed-at"] != "2026-05-04T03:02:01Z" {
			t.Errorf("parked after %d retries: %v", hops, h)
		}
	}
}

func TestACopyDoesNotSayWhatItsWayBackSays(t *testing.T) {
	clojure := func(s *Spec) { s.Scheme, s.QueueType = topology.Bunnicula, topology.Classic }
	for name, row := range map[string]struct {
		change        func(*Spec)
		exchange, key string
		want          amqp.Table
	}{
		"to the queue":                    {nil, "", "orders", nil},
		"by an exchange":                  {nil, "shop", "order.placed", amqp.Table{"exchange": "shop", "routing-key": "order.placed"}},
		"by an exchange, with its name":   {nil, "shop", "orders", amqp.Table{"exchange": "shop"}},
		"by a queue that forwards":        {nil, "", "inbox", amqp.Table{"routing-key": "inbox"}},
		"to the queue, of the old queues": {clojure, "", "orders", amqp.Table{"exchange": "", "routing-key": "orders"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := quiet(t, spec(row.change))
			raw := delivery(nil)
			raw.Exchange, raw.RoutingKey = row.exchange, row.key
			waits := c.settlement(decoded(c, raw), failing(errBoom), time.Now())
			for _, name := range []string{"exchange", "routing-key"} {
				if got := waits.Copy.Headers["bunnicula-original-"+name]; got != row.want[name] {
					t.Errorf("%s is %v, want %v", name, got, row.want[name])
				}
			}
			came := back(waits)
			came.Exchange, came.RoutingKey = "", "orders"
			if d := decoded(c, came).facts.Delivery(&c.rules); d.Exchange != row.exchange || d.RoutingKey != row.key {
				t.Errorf("it comes back as of %q, %q", d.Exchange, d.RoutingKey)
			}
			parked := c.settlement(decoded(c, came), ending{result: Error(errBoom)}, time.Now()).Copy.Headers
			if parked["bunnicula-original-exchange"] != row.exchange || parked["bunnicula-original-routing-key"] != row.key {
				t.Errorf("it is parked with %v", parked)
			}
		})
	}
}

func TestHeadersOfAnotherQueueAreNotCarriedOn(t *testing.T) {
	raw := delivery(amqp.Table{
		"bunnicula-queue": "emails", "retry-attempts": int64(2), "bunnicula-original-exchange": "post", "bunnicula-original-routing-key": "mail",
		"bunnicula-first-failed-at": "2020-01-01T00:00:00Z", "bunnicula-history": `[{"attempt":9}]`, "bunnicula-redrive-count": int64(1), "bunnicula-not-before": "2999-01-01T00:00:00Z",
	})
	h := copied(t, raw, ending{result: Error(errBoom)}).Headers
	if h["retry-attempts"] != int64(0) || h["bunnicula-queue"] != "orders" || h["bunnicula-original-routing-key"] != "orders" ||
		h["bunnicula-first-failed-at"] != "2026-05-04T03:02:01Z" || h["bunnicula-redrive-count"] != nil || h["bunnicula-not-before"] != nil ||
		strings.Contains(h["bunnicula-history"].(string), `"attempt":9`) {
		t.Error(h)
	}
}

func TestWhatRedrivingSaidIsCarriedOn(t *testing.T) {
	redriven := amqp.Table{"bunnicula-redrive-count": int64(2), "bunnicula-redriven-at": "2026-01-01T00:00:00Z", "bunnicula-redrive-id": "r-1"}
	h := copied(t, delivery(maps.Clone(redriven)), failing(errBoom)).Headers
	for name, value := range redriven {
		if h[name] != value {
			t.Errorf("%s is %v, want %v", name, h[name], value)
		}
	}
}

func TestASnoozeKeepsWhatIsKnownOfEarlierFailures(t *testing.T) {
	c := quiet(t, spec(nil))
	failed := c.settlement(decoded(c, delivery(nil)), ending{panicked: errBoom, stack: "at line 1"}, time.Now())
	snoozed := c.settlement(decoded(c, back(failed)), ending{result: Snooze(0)}, time.Now())
	if !reflect.DeepEqual(snoozed.Copy.Headers, failed.Copy.Headers) {
		t.Errorf("%v\nwant\n%v", snoozed.Copy.Headers, failed.Copy.Headers)
	}
}

func TestAFailureReplacesWhatTheOneBeforeSaid(t *testing.T) {
	c := quiet(t, spec(nil))
	before := amqp.Table{"bunnicula-reason": "panic", "bunnicula-error": "boom", "bunnicula-error-type": "*a.B", "bunnicula-stack": "at line 1"}
	h := c.settlement(decoded(c, delivery(before)), ending{result: Error(nil)}, time.Now()).Copy.Headers
	for _, name := range []string{"bunnicula-error", "bunnicula-error-type", "bunnicula-stack"} {
		if v, ok := h[name]; ok {
			t.Errorf("%s is still %v", name, v)
		}
	}
	if h["bunnicula-reason"] != "error" {
		t.Errorf("the reason is %v", h["bunnicula-reason"])
	}
}

func TestNoHeaderThatAStrangerWroteWithOurPrefixIsCarriedOn(t *testing.T) {
	h := amqp.Table{"bunnicula-of-a-later-version": "x", "bunnicula-queue": "orders"}
	for _, name := range []string{wire.OriginalExpiration, wire.OriginalUserID, wire.RedriveCount, wire.RedrivenAt, wire.RedriveID, wire.NotBefore} {
		h[name] = amqp.Table{"deep": "x"}
	}
	h[wire.RedriveCount] = strings.Repeat("1", 20_000) // a count, of a kind
	for name, value := range map[string]string{wire.OriginalRoutingKey: strings.Repeat("k", 256), wire.FirstFailedAt: strings.Repeat("k", 256)} {
		h[name] = value
	}
	got := copied(t, delivery(h), ending{result: Error(errBoom)}).Headers
	for name, value := range h {
		if name != wire.Queue && reflect.DeepEqual(got[name], value) {
			t.Errorf("%s is carried on", name)
		}
	}
	if got[wire.OriginalRoutingKey] != "orders" || got[wire.FirstFailedAt] != "2026-05-04T03:02:01Z" {
		t.Error(got)
	}
}

func TestErrorsAreCutAtARune(t *testing.T) {
	for name, text := range map[string]string{
		"ASCII":         strings.Repeat("x", 100_000),
		"two bytes":     strings.Repeat("é", 50_000),
		"three bytes":   "x" + strings.Repeat("€", 50_000),
		"four bytes":    "xx" + strings.Repeat("🐇", 50_000),
		"invalid UTF-8": strings.Repeat("a\xff", 50_000),
	} {
		t.Run(name, func(t *testing.T) {
			last := delivery(amqp.Table{"retry-attempts": int64(defaultMaxRetries)})
			h := copied(t, last, ending{panicked: errors.New(text), stack: text}).Headers
			for name, most := range map[string]int{"bunnicula-error": 2 << 10, "bunnicula-stack": 8 << 10} {
				got := h[name].(string)
				if len(got) > most || len(got) < most-6 || !utf8.ValidString(got) {
					t.Errorf("%s has %d bytes, valid %t, want at most %d", name, len(got), utf8.ValidString(got), most)
				}
			}
			if n := wire.Size(ours(h)); n > 16<<10 {
				t.Errorf("ours have %d bytes", n)
			}
		})
	}
}

// verbose is a type whose name has more than 200 bytes.
type verbose[T any] struct{ T T }

func (verbose[T]) Error() string { return "verbose" }

func TestErrorTypesAreCut(t *testing.T) {
	got := errorTypeHeader(t, verbose[verbose[verbose[verbose[verbose[int]]]]]{})
	if len(got) > 200 || !strings.HasPrefix(got, "consumer.verbose[") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

func errorTypeHeader(t *testing.T, err error) string {
	t.Helper()
	return copied(t, delivery(nil), ending{result: Error(err)}).Headers["bunnicula-error-type"].(string)
}

func TestTheErrorTypeIsTheInnermostThatSaysSomething(t *testing.T) {
	path := &fs.PathError{Op: "open", Path: "a", Err: errBoom}
	for name, row := range map[string]struct {
		err  error
		want string
	}{
		"plain":                {errBoom, "error"},
		"wrapped":              {fmt.Errorf("a: %w", errBoom), "error"},
		"typed":                {path, "*fs.PathError"},
		"typed and wrapped":    {fmt.Errorf("a: %w", fmt.Errorf("b: %w", path)), "*fs.PathError"},
		"the inner of two":     {&fs.PathError{Err: list{"a"}}, "consumer.list"},
		"joined":               {errors.Join(errBoom, path), "*fs.PathError"},
		"wrapped with several": {fmt.Errorf("%w and %w", errBoom, path), "*fs.PathError"},
		"permanent":            {Permanent(path), "*fs.PathError"},
		"after":                {After(time.Second, path), "*fs.PathError"},
		"undecodable":          {&DecodeError{&json.SyntaxError{}}, "*json.SyntaxError"},
		"a nil that panics":    {fmt.Errorf("a: %w", (*silent)(nil)), "*consumer.silent"},
		"a circle":             {circle{}, "consumer.circle"},
		"joined nothing":       {joined{}, "consumer.joined"},
	} {
		if got := errorTypeHeader(t, row.err); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

type circle struct{}

func (circle) Error() string { return "circle" }
func (c circle) Unwrap() error {
	return c
}

type joined struct{}

func (joined) Error() string   { return "joined" }
func (joined) Unwrap() []error { return nil }

func TestAUsersHeadersAreNeverCut(t *testing.T) {
	long := strings.Repeat("é", 2000)
	for size := range 59 { // times 2 KiB, up to what nearly fills a frame
		h := amqp.Table{"long": long, "deep": amqp.Table{"list": []any{long}}}
		for i := range size {
			h[fmt.Sprintf("header-%03d", i)] = strings.Repeat("x", 2<<10-30)
		}
		want := maps.Clone(h)
		stack := strings.Repeat("at line 1\n", 1000)
		e := ending{panicked: errors.New(strings.Repeat("boom ", 1000)), stack: stack}
		p := copied(t, delivery(h), e)
		if !reflect.DeepEqual(users(p.Headers), want) {
			t.Errorf("%d headers: the user's were changed", size)
		}
		if wire.PropertiesSize(&p) > wire.MaxProperties-3<<10 {
			t.Errorf("%d headers: they have %d bytes and leave the broker no room", size, wire.PropertiesSize(&p))
		}
		if p.Headers["retry-attempts"] != int64(1) || p.Headers["bunnicula-queue"] != "orders" {
			t.Errorf("%d headers: what decides is gone: %v", size, ours(p.Headers))
		}
	}
}

func TestAMessageWhoseHeadersFillAFrameIsParkedAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := quiet(t, spec(nil))
		big := amqp.Table{"long": strings.Repeat("x", 128<<10-110)}
		d := decoded(c, delivery(big))
		soon := decoded(c, delivery(amqp.Table{wire.NotBefore: wire.Stamp(time.Now().Add(time.Hour))}))
		soon.facts.Raw.Headers = big
		for name, s := range map[string]Settlement{
			"early":       before(c, soon),
			"retried":     c.settlement(d, failing(errBoom), time.Now()),
			"snoozed":     c.settlement(d, ending{result: Snooze(time.Minute)}, time.Now()),
			"parked":      c.settlement(d, ending{result: Error(errBoom)}, time.Now()),
			"undecodable": c.settlement(d, ending{result: undecodable(errBoom)}, time.Now()),
		} {
			if s.Action != monitoring.Parked || s.Reason == monitoring.ReasonNone || s.Group == "" || s.Delay != 0 || early(s) {
				t.Errorf("%s: %v, group %q", name, in(s), s.Group)
			}
			if s.Copy.RoutingKey != "orders-error" || !reflect.DeepEqual(s.Copy.Headers, big) || wire.PropertiesSize(&s.Copy.Publishing) > wire.MaxProperties {
				t.Errorf("%s: to %q, with %v, %v", name, s.Copy.RoutingKey, ours(s.Copy.Headers), wire.PropertiesSize(&s.Copy.Publishing))
			}
			if !strings.Contains(fmt.Sprint(s.Err), "no room") {
				t.Errorf("%s: the error is %v", name, s.Err)
			}
		}
		if s := c.settlement(d, ending{interrupted: true}, time.Now()); s.Action != monitoring.Interrupted || s.Deed != DeedLeave || s.Copy != nil {
			t.Errorf("interrupted, though nothing failed: %v, given back %t", in(s), s.Deed == DeedLeave)
		}
	})
}

// The client cannot read a table of more than 8192 headers, ours and the broker's included.
func TestAMessageWithAsManyHeadersAsCanBeReadIsParkedAsItIs(t *testing.T) {
	for n, want := range map[int]monitoring.Action{8100: monitoring.Retried, 8174: monitoring.Parked, 8192: monitoring.Parked} {
		many := amqp.Table{}
		for i := range n {
			many[strconv.Itoa(i)] = true
		}
		c := quiet(t, spec(nil))
		s := c.settlement(decoded(c, delivery(many)), failing(errBoom), time.Now())
		if s.Action != want || len(s.Copy.Headers) > max(n, 8192-16) {
			t.Errorf("with %d headers: %s, and the copy has %d", n, s.Action, len(s.Copy.Headers))
		}
	}
}

// What is left of ours, as a user's headers leave less and less room.
func TestNearTheLimitOursShrinkInOrder(t *testing.T) {
	size := func(h amqp.Table, name string) int {
		s, _ := h[name].(string)
		return len(s)
	}
	e := ending{panicked: errors.New(strings.Repeat("e", 5000)), stack: strings.Repeat("s", 10_000)}
	full := copied(t, delivery(amqp.Table{wire.RetryAttempts: int64(defaultMaxRetries)}), e).Headers
	stack, past, text := size(full, wire.Stack), size(full, wire.History), size(full, wire.Error)
	before := maps.Clone(full)
	shrunk := map[string]bool{}
	for room := 14_000; room >= 0; room -= 50 {
		h := maps.Clone(full)
		wire.Shrink(h, room)
		if n := wire.Size(h); n > room && room > 200 {
			t.Fatalf("%d bytes do not fit %d", n, room)
		}
		if size(h, wire.History) < past && size(h, wire.Stack) > 0 {
			t.Fatalf("room %d: the history shrank before the stack was gone", room)
		}
		if size(h, wire.Error) < text && (size(h, wire.History) > 0 || size(h, wire.Stack) > 0) {
			t.Fatalf("room %d: the error shrank before the history was gone", room)
		}
		if size(h, wire.Reason) == 0 && size(h, wire.Error) > 0 {
			t.Fatalf("room %d: the reason went before the error", room)
		}
		for _, name := range []string{wire.Stack, wire.Error} {
			if n := size(h, name); n > 0 && n < size(before, name) {
				shrunk[name] = true
			}
		}
		if h[wire.RetryAttempts] != int64(defaultMaxRetries) || h[wire.Queue] != "orders" {
			t.Fatalf("room %d: what decides is gone: %v", room, h)
		}
		before = h
	}
	if stack == 0 || !shrunk[wire.Stack] || !shrunk[wire.Error] {
		t.Error("stack and error went at once, want bit by bit")
	}
}

func TestHistoryKeepsTheLastTen(t *testing.T) {
	c := quiet(t, spec(func(s *Spec) { s.MaxRetries, s.Handler = 50, returns(Retry(errors.New(strings.Repeat("é", 500)))) }))
	raw := delivery(nil)
	for attempt := 1; attempt <= 25; attempt++ {
		s := c.Process(t.Context(), raw)
		var all []past
		if err := json.Unmarshal([]byte(s.Copy.Headers["bunnicula-history"].(string)), &all); err != nil {
			t.Fatal(err)
		}
		if want := min(attempt, 10); len(all) != want {
			t.Fatalf("after attempt %d there are %d entries, want %d", attempt, len(all), want)
		}
		for i, one := range all {
			if one.Attempt != attempt-len(all)+1+i || one.Reason != "retry" || len(one.Error) > 200 || !utf8.ValidString(one.Error) || one.Host != hostname {
				t.Errorf("after attempt %d: entry %d is %+v", attempt, i, one)
			}
		}
		raw = back(s)
	}
}

func TestAHistoryThatCannotBeReadIsBegunAnew(t *testing.T) {
	for name, header := range map[string]any{
		"no JSON": "[{", "no list": `{"attempt":1}`, "another list": `["a"]`, "half a list": `[{"attempt":1},{"attempt":"x"}]`,
		"null": "null", "nothing": "", "deep": strings.Repeat("[", 15_000), "long": `[{"error":"` + strings.Repeat("x", 20_000) + `"}]`,
		"a number": int64(7), "a table": amqp.Table{"a": "b"}, "bytes": []byte(`[{"attempt":1}]`), "nil": nil,
	} {
		t.Run(name, func(t *testing.T) {
			h := copied(t, delivery(amqp.Table{"bunnicula-history": header}), failing(errBoom)).Headers
			var all []past
			if err := json.Unmarshal([]byte(h["bunnicula-history"].(string)), &all); err != nil || len(all) != 1 || all[0].Error != "boom" {
				t.Errorf("%v, %v", h["bunnicula-history"], err)
			}
		})
	}
}

func TestAForeignHistoryIsCut(t *testing.T) {
	text := strings.Repeat("x", 1000)
	one := fmt.Sprintf(`{"at":%q,"attempt":1,"reason":%q,"error":%q,"host":%q}`, text, text, text, text)
	h := copied(t, delivery(amqp.Table{"bunnicula-history": "[" + one + "," + one + "]"}), failing(errBoom)).Headers
	if got := h["bunnicula-history"].(string); len(got) > 2000 || strings.Count(got, `"attempt"`) != 3 {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

func TestOursStayBelow16KiBWhateverWasThere(t *testing.T) {
	long := strings.Repeat("\x00", 255) // six times as long in JSON
	h := amqp.Table{"bunnicula-queue": "orders"}
	for _, name := range []string{
		"reason", "error-type", "error-group", "first-failed-at", "failed-at", "consumer", "app", "host", "original-exchange",
		"original-routing-key", "original-expiration", "original-user-id", "redriven-at", "redrive-id",
	} {
		h["bunnicula-"+name] = long
	}
	var entries []past
	for range 10 {
		entries = append(entries, past{Reason: long, Error: long, Host: long, At: long})
	}
	text, _ := json.Marshal(entries)
	h["bunnicula-history"] = string(text)
	h["bunnicula-stack"], h["bunnicula-error"] = strings.Repeat("s", 16<<10), strings.Repeat("e", 16<<10)
	for name, e := range map[string]ending{"snoozed": {result: Snooze(0)}, "failed": {panicked: errors.New(strings.Repeat("\x00", 3000)), stack: strings.Repeat("s", 9000)}} {
		raw := delivery(maps.Clone(h))
		for hop := range 3 {
			got := copied(t, raw, e).Headers
			if n := wire.Size(ours(got)); n > 16<<10 {
				t.Errorf("%s, hop %d: ours have %d bytes", name, hop, n)
			}
			raw.Headers = got
		}
	}
}

func TestAMessageKeepsItsGroupFromItsFirstRetryUntilItIsParked(t *testing.T) {
	c := quiet(t, spec(func(s *Spec) { s.MaxRetries, s.Handler = 1, returns(Retry(errBoom)) }))
	first := c.Process(t.Context(), delivery(nil))
	if last := c.Process(t.Context(), back(first)); last.Action != monitoring.Parked || last.Group != first.Group || last.Copy.Headers["bunnicula-error-group"] != last.Group {
		t.Errorf("%q and %q", first.Group, last.Group)
	}
}

func TestACopyDoesNotShareItsHeaders(t *testing.T) {
	raw := delivery(amqp.Table{"tenant": "acme"})
	p := copied(t, raw, failing(errBoom))
	p.Headers["tenant"] = "other"
	if raw.Headers["tenant"] != "acme" || len(raw.Headers) != 1 {
		t.Error(raw.Headers)
	}
}

func TestACopyIsNeverOneThatTheBrokerRefuses(t *testing.T) {
	long := strings.Repeat("c", 300)
	c := quiet(t, Spec{Queue: strings.Repeat("q", 240), Name: long, Handler: everyAck, Backoff: []time.Duration{time.Second}, QueueType: topology.Classic})
	s := c.settlement(decoded(c, delivery(nil)), ending{result: Error(errBoom)}, time.Now())
	if got := s.Copy.Headers["bunnicula-consumer"].(string); len(got) > 255 {
		t.Errorf("the consumer's name has %d bytes", len(got))
	}
	if err := s.Copy.Headers.Validate(); err != nil {
		t.Error(err)
	}
}

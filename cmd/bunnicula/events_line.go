package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// other is what a message is that is no event of ours.
const other = "other"

// Widths of columns. That of queues grows with the longest one so far.
const (
	eventWidth   = len("recovered")
	queueWidth   = 12
	widestQueue  = 32
	attemptWidth = len("10/10")
	outcomeWidth = len("timeout, again in 10s")
	wide         = 140 // columns of a terminal on which a line need not be wrapped
)

// eventLines prints events, one in a line, and counts them.
type eventLines struct {
	app     *app
	options eventsOptions

	counts map[string]int
	shown  int
	queue  int // width of the longest queue so far
}

// strange is what --json prints for a message that is no event.
type strange struct {
	Key   string  `json:"routing_key"`
	Text  *string `json:"body,omitempty"`
	Bytes []byte  `json:"body_base64,omitempty"`
}

// delivery prints a message, if it is wanted. It returns whether it was the last one.
func (l *eventLines) delivery(d amqp.Delivery) (enough bool, err error) {
	e, ok := readEvent(d.Body)
	if !l.wants(e, ok) {
		return false, nil
	}
	what := other
	if ok {
		what = string(e.What)
	}
	l.counts[what]++
	l.shown++
	switch {
	case l.app.json:
		err = l.json(d, ok)
	case ok:
		_, err = fmt.Fprintln(l.app.out, l.line(e))
	default:
		_, err = fmt.Fprintln(l.app.out, l.raw(d))
	}
	return l.options.count > 0 && l.shown >= l.options.count, err
}

// readEvent reads an event of this version or a later one. Anybody may have published anything
// else.
func readEvent(body []byte) (e control.Event, ok bool) {
	err := json.Unmarshal(body, &e)
	return e, err == nil && e.Version >= 1 && e.What != "" && e.Queue != ""
}

// wants says whether a message fits the flags. The keys of the bindings are more than that if the
// name of a queue has a word "*" or "#".
func (l *eventLines) wants(e control.Event, ok bool) bool {
	if !ok {
		return len(l.options.reason) == 0
	}
	return (len(l.options.queues) == 0 || slices.Contains(l.options.queues, e.Queue)) &&
		(len(l.options.what) == 0 || slices.Contains(l.options.what, string(e.What))) &&
		(len(l.options.reason) == 0 || slices.Contains(l.options.reason, string(e.Reason)))
}

// json prints an event on one line, with all fields that came.
func (l *eventLines) json(d amqp.Delivery, ok bool) error {
	if ok {
		var line bytes.Buffer
		if err := json.Compact(&line, d.Body); err != nil {
			return err // never: it was read
		}
		line.WriteByte('\n')
		_, err := l.app.out.Write(harmless(line.Bytes()))
		return err
	}
	s := strange{Key: d.RoutingKey, Bytes: d.Body}
	if utf8.Valid(d.Body) {
		text := string(d.Body)
		s.Text, s.Bytes = &text, nil
	}
	return l.app.printJSON(s, true)
}

func (l *eventLines) line(e control.Event) string {
	rest := []string{
		l.name(e.Queue),
		fmt.Sprintf("%*s", attemptWidth, fmt.Sprintf("%d/%d", e.Attempt, e.MaxRetries+1)),
		fmt.Sprintf("%-*s", outcomeWidth, plain(outcomeOf(e))),
		plain(e.MessageID),
	}
	if e.Error != "" {
		rest = append(rest, plain(e.Error))
	}
	return l.columns(e.At, string(e.What), colorOf(e), rest...)
}

// raw shows a message that is no event.
func (l *eventLines) raw(d amqp.Delivery) string {
	return l.columns(time.Now(), other, "", l.name(d.RoutingKey), foreign.Line(string(d.Body), maxLine))
}

// columns puts a line together. On a terminal it is cut at the right.
func (l *eventLines) columns(at time.Time, what, color string, rest ...string) string {
	clock := strings.Repeat(" ", len(time.TimeOnly))
	if foreign.IsTime(at) && !at.IsZero() {
		clock = at.Local().Format(time.TimeOnly)
	}
	what = fmt.Sprintf("%-*s", eventWidth, plain(what))
	text := strings.TrimRight(strings.Join(rest, "  "), " ")
	if width := l.app.width(); width > 0 {
		if width < wide { // so that the error, at the end, can be read
			width *= 2
		}
		text = cut(text, width-len(clock)-2-utf8.RuneCountInString(what)-2)
	}
	if color != "" {
		what = l.app.paint(color, what)
	}
	return strings.TrimRight(clock+"  "+what+"  "+text, " ")
}

// name returns a name that is as wide as the widest so far.
func (l *eventLines) name(name string) string {
	name = plain(name)
	if l.app.shows {
		name = shorten(name, widestQueue)
	}
	l.queue = min(max(l.queue, queueWidth, utf8.RuneCountInString(name)), widestQueue)
	return fmt.Sprintf("%-*s", l.queue, name)
}

// outcomeOf says why it happened, or how it ended, and when there will be another attempt.
func outcomeOf(e control.Event) string {
	text := string(e.Reason)
	switch {
	case text == "":
		text = e.Action
	case e.What != control.Retried && e.What != control.Parked:
		text = e.Action + ", " + text
	}
	if e.DelayMS > 0 {
		// A number that anybody wrote may be more than a duration can be.
		text += ", again in " + time.Duration(min(e.DelayMS, int64(100*365*24*time.Hour/time.Millisecond))*int64(time.Millisecond)).String()
	}
	return text
}

func colorOf(e control.Event) string {
	switch e.Action {
	case "parked":
		return red
	case "retried":
		return yellow
	case "acked":
		return green
	}
	return ""
}

// summary counts what was shown.
func (l *eventLines) summary() string {
	if l.shown == 0 {
		return "no events"
	}
	var parts []string
	for _, what := range control.Whats {
		if n := l.counts[string(what)]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
			delete(l.counts, string(what))
		}
	}
	rest := 0 // of later versions, and no events
	for _, n := range l.counts {
		rest += n
	}
	if rest > 0 {
		parts = append(parts, fmt.Sprintf("%d %s", rest, other))
	}
	return counted(l.shown, "event", "events") + ": " + strings.Join(parts, ", ")
}

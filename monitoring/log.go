package monitoring

import (
	"context"
	"log/slog"

	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Log is a Monitor that writes one line for each delivery, after it was settled: at level debug for
// an acked message, info for a snoozed or interrupted one, warn for a retried one, error for a
// parked one. AckedLevel and SnoozedLevel change the first two.
//
// The zero Log works. A line whose level is off is not built. The payload is not logged unless
// LogPayload asks for it. Everything that a handler writes into its errors is in the log: the text
// of the error, at most 8 KiB of it, without line breaks and control characters.
type Log struct {
	// Logger writes the lines.
	//
	// Defaults to the logger of the consumer that calls the Log, also through a [Multi] or another
	// Monitor: in an fx app the app's *slog.Logger, and else the one that consumer.New got. That
	// logger is in the contexts of Begin, End and the handler. Without a consumer it is the result
	// of slog.Default at each line.
	Logger *slog.Logger

	// AckedLevel is the level of the lines about acked messages. A consumer may ack thousands of
	// messages a second, so they are off where only info is logged. With slog.LevelInfo they are
	// as Clojure's Bunnicula logs them. A *slog.LevelVar can be changed while the app runs.
	//
	// Defaults to slog.LevelDebug.
	AckedLevel slog.Leveler

	// SnoozedLevel is the level of the lines about snoozed messages. A limit may have each message
	// of a flood snooze once: with slog.LevelDebug that is not logged where only info is.
	//
	// Defaults to slog.LevelInfo.
	SnoozedLevel slog.Leveler

	// LogPayload is how many bytes of the payload are logged, as [Delivery.Excerpt] cuts them.
	//
	// Defaults to 0: the payload is not logged.
	LogPayload int
}

var _ Monitor = Log{}

// maxLogged is how many bytes of a text a line has at most.
const maxLogged = 8 << 10

// Begin returns ctx as it is.
func (l Log) Begin(ctx context.Context, _ Delivery) context.Context { return ctx }

// End writes the line.
func (l Log) End(ctx context.Context, d Delivery, o Outcome) {
	logger := applog.First(l.Logger, applog.Of(ctx))
	level, message := line(o.Action)
	switch {
	case o.Action == Acked && l.AckedLevel != nil:
		level = l.AckedLevel.Level()
	case o.Action == Snoozed && l.SnoozedLevel != nil:
		level = l.SnoozedLevel.Level()
	}
	if !logger.Enabled(ctx, level) {
		return
	}
	logger.LogAttrs(ctx, level, message, l.attrs(d, o)...)
}

// line returns the level and the message for an action. The messages never vary, so that people can
// search for a line.
func line(a Action) (slog.Level, string) {
	switch a {
	case Acked:
		return slog.LevelDebug, "message acked"
	case Retried:
		return slog.LevelWarn, "message retried"
	case Snoozed:
		return slog.LevelInfo, "message snoozed"
	case Parked:
		return slog.LevelError, "message parked"
	case Interrupted:
		return slog.LevelInfo, "message interrupted"
	default:
		return slog.LevelWarn, "message settled in an unknown way"
	}
}

// attrs returns the attributes of a line. The first six are in every line.
func (l Log) attrs(d Delivery, o Outcome) []slog.Attr {
	attrs := make([]slog.Attr, 0, 14)
	attrs = append(attrs,
		slog.String("consumer", d.Consumer),
		slog.String("queue", d.Queue),
		slog.String("message_id", foreign.Line(d.MessageID, maxLogged)),
		slog.Int("attempt", d.Attempt),
		slog.Int("max_retries", d.MaxRetries),
		slog.Duration("duration", o.Duration),
	)
	if o.Reason != ReasonNone {
		attrs = append(attrs, slog.String("reason", string(o.Reason)))
	}
	if o.Err != nil {
		attrs = append(attrs, slog.String("err", foreign.Line(foreign.Text(o.Err, maxLogged), maxLogged)))
	}
	if o.Delay != 0 {
		attrs = append(attrs, slog.Duration("delay", o.Delay))
	}
	if o.Group != "" {
		attrs = append(attrs, slog.String("group", o.Group))
	}
	if o.Stack != "" {
		attrs = append(attrs, slog.String("stack", foreign.Lines(o.Stack, foreign.MaxText)))
	}
	if l.LogPayload > 0 {
		excerpt := d.Excerpt(l.LogPayload)
		const widest = len("·") // which stands for a control character
		attrs = append(attrs, slog.String("payload", foreign.Line(excerpt, widest*len(excerpt))), slog.Int("payload_size", len(d.Body)))
	}
	return attrs
}

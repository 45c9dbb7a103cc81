package errorqueue

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// ExportOptions are those of [Queue.Export]. The zero value exports all.
type ExportOptions struct {
	// Filter, Limit and Progress are as in ListOptions.
	Filter   Filter
	Limit    int
	Progress func(Progress)
}

// Export writes messages as JSON Lines, and changes nothing in the queue. The first line says what the file is, the last one how many
// messages there are, and each between them is a message: exchange and routing key, properties, headers, and the body as
// text if it is UTF-8, else in base64. Headers keep their AMQP types:
//
//	null, true, "text", 42           themselves; a number is an int64
//	{"int8": 1}                      and int16, int32, uint8, uint16, uint32, float32, float64
//	{"decimal": {"scale": 2, "value": 314}}
//	{"timestamp": "2026-01-02T15:04:05Z"}
//	{"bytes": "AAEC"}                base64; and so is {"text": ...} for text that is not UTF-8
//	{"table": {...}}, {"array": [...]}
//
// A name that is not UTF-8 is written as "base64:...".
//
// The count of deliveries, which reading changes, is left out. It returns how many messages were written; the errors are those of
// [Queue.List] and of w. It holds the queue's messages while it writes.
func (q *Queue) Export(ctx context.Context, w io.Writer, o ExportOptions) (messages int, err error) {
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	if err := lines.Encode(firstLine{Format: format, Version: version, Queue: q.name, Main: q.main, At: time.Now().UTC().Truncate(time.Second)}); err != nil {
		return 0, q.failed(fmt.Errorf("export: %w", err))
	}
	var broken error
	err = q.each(ctx, ListOptions(o), func(d *held) bool {
		if broken = lines.Encode(lineOf(&d.Delivery)); broken != nil {
			return false
		}
		messages++
		return true
	})
	if err == nil {
		err = broken
	}
	if err == nil {
		err = lines.Encode(lastLine{End: true, Messages: messages})
	}
	if e := out.Flush(); err == nil {
		err = e
	}
	if err != nil {
		return messages, q.failed(fmt.Errorf("export: %w", err))
	}
	return messages, nil
}

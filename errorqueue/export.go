package errorqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue/internal/archive"
)

// ExportOptions are the options of [Queue.Export]. The zero value exports all.
type ExportOptions struct {
	// Filter, Limit and Progress are as in ListOptions.
	Filter   Filter
	Limit    int
	Progress func(Progress)

	// Now, Within and Observe are as in RedriveOptions.
	Now     time.Time
	Within  int
	Observe func(*Message)

	// Written gets the mark of each message that is written, in the order of the file. It is called
	// as Observe is.
	Written func(mark string)
}

// Export writes messages as JSON Lines, and changes nothing in the queue. The first line describes
// the file, the last one says how many messages there are, and each line between them is a message:
// exchange and routing key, properties, headers, and the body as text if it is UTF-8, otherwise in
// base64. Headers keep their AMQP types:
//
//	null, true, "text", 42           themselves; a number is an int64
//	{"int8": 1}                      and int16, int32, uint8, uint16, uint32, float32, float64
//	{"decimal": {"scale": 2, "value": 314}}
//	{"timestamp": "2026-01-02T15:04:05Z"}
//	{"bytes": "AAEC"}                base64; and so is {"text": ...} for text that is not UTF-8
//	{"table": {...}}, {"array": [...]}
//
// A message with a content encoding has one more field, for people and programs that read the file.
// "decoded" is the body as [Message.Decoded] returns it, as text or as {"bytes": ...};
// "not_decoded" says why it is not there. More than 1 MiB is not decoded. Import ignores both
// fields: it publishes the body as it was.
//
// A name that is not UTF-8 is written as "base64:...".
//
// The broker's counts of deliveries are left out, because reading changes them. Export returns how
// many messages were written. The errors are those of [Queue.List] and of w. With an
// *UnreadableError the file is complete, with all messages in front of the unreadable one. With
// other errors it has no last line, and Import refuses it. Export holds the queue's messages while
// it writes.
func (q *Queue) Export(ctx context.Context, w io.Writer, o ExportOptions) (messages int, err error) {
	chosen, err := o.Filter.at(frozen(o.Now, time.Now()))
	if err = cmp.Or(err, checkWithin(o.Within)); err != nil {
		return 0, q.failed(err)
	}
	file, err := archive.NewWriter(w, q.name, q.main, time.Now())
	if err != nil {
		return 0, q.failed(fmt.Errorf("export: %w", err))
	}
	follow := &follower{log: q.log, observe: o.Observe, settled: o.Written}
	var broken error
	err = q.list(ctx, &listing{
		queue: q, chosen: chosen, limit: o.Limit, report: newReporter(o.Progress, q.log), within: &within{most: o.Within}, follower: follow,
		yield: func(d *held) bool {
			if broken = file.Write(&d.Delivery); broken == nil {
				follow.gone([]*held{d})
			}
			return broken == nil
		},
	})
	if broken != nil {
		err = broken
	}
	whole := err == nil || errors.As(err, new(*UnreadableError))
	if whole {
		if broken = file.End(); broken != nil {
			err = broken
		}
	}
	if broken = file.Flush(); broken != nil && whole {
		err = broken
	}
	if err != nil {
		return file.Messages(), q.failed(fmt.Errorf("export: %w", err))
	}
	return file.Messages(), nil
}

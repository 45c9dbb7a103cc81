package snapshot

import (
	"strings"
	"time"
	"unsafe"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// columns holds rows, with texts that many rows have in common once. It only grows, so that what a
// view covers is never written again. Its owner locks it for add and view.
type columns struct {
	chunks []*[chunk]record
	n      int
	kinds  []kind
	texts  []string
	keys   [][]uint32 // of the rows of a chunk: see keyed

	// Known while rows are added.
	textAt map[string]uint32
	kindAt map[kind]uint32
}

const chunk = 1024 // rows

// record is a row: its texts are places in columns.texts and columns.kinds.
type record struct {
	mark                     mark
	id                       string
	first, failed, published stamp
	place                    int64 // in the spool, or absent
	position                 int32
	size                     uint32
	kind                     uint32
	err                      uint32
}

// kind is what rows usually have in common.
type kind struct {
	reason, group, typ, consumer, app, version, host, target, redrive uint32
}

// stamp is a time of any year.
type stamp struct {
	sec  int64
	nsec int32
}

func stampOf(t time.Time) stamp   { return stamp{t.Unix(), int32(t.Nanosecond())} } //nolint:gosec // below 1e9
func (s stamp) time() time.Time   { return time.Unix(s.sec, int64(s.nsec)).UTC() }
func (c *columns) freeze()        { c.textAt, c.kindAt = nil, nil }
func (c *columns) view() view     { return view{c.chunks, c.n, c.kinds, c.texts, c.keys, nil} }
func (v view) at(i int32) *record { return &v.chunks[i/chunk][i%chunk] }

// add adds a row and returns how many bytes it has taken, by estimate. values are those of
// Config.Index.
func (c *columns) add(m *errorqueue.Message, place int64, values []errorqueue.Value) (took int64) {
	if c.textAt == nil {
		c.textAt, c.kindAt = map[string]uint32{}, map[kind]uint32{}
	}
	took = int64(unsafe.Sizeof(record{})) + int64(len(m.ID))
	of := kind{
		c.text(m.Reason, &took), c.text(m.Group, &took), c.text(m.Type, &took), c.text(m.Consumer, &took), c.text(m.App, &took),
		c.text(m.AppVersion, &took), c.text(m.Host, &took), c.text(m.Target, &took), c.text(m.RedriveID, &took),
	}
	at, known := c.kindAt[of]
	if !known {
		at = uint32(len(c.kinds)) //nolint:gosec // no more than rows
		c.kinds = append(c.kinds, of)
		c.kindAt[of] = at
		took += 4 * int64(unsafe.Sizeof(of))
	}
	k, _ := readMark(m.Mark) // errorqueue has made it
	if c.n%chunk == 0 {
		c.chunks = append(c.chunks, new([chunk]record))
	}
	c.chunks[c.n/chunk][c.n%chunk] = record{
		mark: k, id: strings.Clone(m.ID), kind: at, err: c.text(m.Error, &took),
		first: stampOf(m.FirstFailedAt), failed: stampOf(m.FailedAt), published: stampOf(m.Timestamp),
		place: place, position: int32(m.Position), size: uint32(m.BodySize), //nolint:gosec // a queue and a body are smaller
	}
	if len(values) > 0 {
		c.keyed(values, &took)
	}
	c.n++
	return took
}

// text returns the place of a text, and adds to took what a new one takes.
func (c *columns) text(s string, took *int64) uint32 {
	if at, known := c.textAt[s]; known {
		return at
	}
	at := uint32(len(c.texts)) //nolint:gosec // no more than ten times the rows
	s = strings.Clone(s)       // it may be a part of a large one
	c.texts = append(c.texts, s)
	c.textAt[s] = at
	*took += int64(len(s)) + textCost
	return at
}

const textCost = 72 // bytes beside the text: two strings, and a place in a map

// view is the rows that were there at one moment. It is immutable.
type view struct {
	chunks []*[chunk]record
	n      int
	kinds  []kind
	texts  []string
	keys   [][]uint32
	gone   []uint64 // bits of rows: see gone
}

// fill sets what a filter without headers and bodies looks at.
func (v view) fill(m *errorqueue.Message, r *record) {
	v.fillKind(m, &v.kinds[r.kind])
	m.ID, m.Error = r.id, v.texts[r.err]
	m.FirstFailedAt, m.FailedAt, m.Timestamp = r.first.time(), r.failed.time(), r.published.time()
}

func (v view) fillKind(m *errorqueue.Message, k *kind) {
	m.Reason, m.Group, m.Type, m.Consumer = v.texts[k.reason], v.texts[k.group], v.texts[k.typ], v.texts[k.consumer]
	m.App, m.AppVersion, m.Host = v.texts[k.app], v.texts[k.version], v.texts[k.host]
	m.Target, m.RedriveID = v.texts[k.target], v.texts[k.redrive]
}

// row returns what viewers see of a row.
func (v view) row(i int32) Row {
	var m errorqueue.Message
	r := v.at(i)
	v.fill(&m, r)
	return Row{
		Position: int(r.position), Mark: r.mark.String(), ID: m.ID,
		Reason: m.Reason, Group: m.Group, Error: m.Error, Type: m.Type,
		Consumer: m.Consumer, App: m.App, Version: m.AppVersion, Host: m.Host, Target: m.Target, RedriveID: m.RedriveID,
		FirstFailedAt: m.FirstFailedAt, FailedAt: m.FailedAt, Published: m.Timestamp, Since: m.Since(),
		Size: int(r.size), Kept: r.place != absent, Gone: has(v.gone, i),
	}
}

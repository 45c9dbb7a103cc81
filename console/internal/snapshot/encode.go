package snapshot

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/typed"
)

// plain is a message without its MarshalJSON, which is for people.
type plain errorqueue.Message

// kept is a message as the spool has it, beside its body.
type kept struct {
	plain
	Headers map[string]typed.Field `json:"headers,omitempty"`
	// JSON has no years beyond 9999, so it is [seconds, nanoseconds] since 1970.
	Timestamp [2]int64 `json:"timestamp"`
}

const headSize = 4 // bytes: the length of the JSON

// encode returns a message with the first 64 KiB of its body: the length of its JSON, the JSON, the
// body.
func encode(m *errorqueue.Message) ([]byte, error) {
	k := kept{plain: plain(*m), Headers: typed.Fields(m.Headers), Timestamp: [2]int64{m.Timestamp.Unix(), int64(m.Timestamp.Nanosecond())}}
	for _, t := range []*time.Time{&k.FirstFailedAt, &k.FailedAt, &k.Due, &k.RedrivenAt} {
		*t = foreign.Known(*t)
	}
	k.Deaths = slices.Clone(m.Deaths)
	for i := range k.Deaths {
		k.Deaths[i].At = foreign.Known(k.Deaths[i].At)
	}
	text, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("encode a message: %w", err)
	}
	body := m.Body[:min(len(m.Body), mostBody)]
	all := make([]byte, headSize, headSize+len(text)+len(body))
	binary.BigEndian.PutUint32(all, uint32(len(text))) //nolint:gosec // a message is smaller
	return append(append(all, text...), body...), nil
}

// decode reads the output of encode.
func decode(all []byte) (errorqueue.Message, error) {
	if len(all) < headSize {
		return errorqueue.Message{}, errTruncated
	}
	n := int(binary.BigEndian.Uint32(all))
	all = all[headSize:]
	if n > len(all) {
		return errorqueue.Message{}, errTruncated
	}
	var k kept
	if err := json.Unmarshal(all[:n], &k); err != nil {
		return errorqueue.Message{}, fmt.Errorf("decode a message: %w", err)
	}
	m := errorqueue.Message(k.plain)
	headers, err := typed.Table(k.Headers)
	if err != nil {
		return errorqueue.Message{}, fmt.Errorf("decode a message's headers: %w", err)
	}
	m.Headers = headers
	m.Timestamp = stamp{k.Timestamp[0], int32(k.Timestamp[1])}.time() //nolint:gosec // below 1e9
	m.Body = append([]byte{}, all[n:]...)
	return m, nil
}

var errTruncated = errors.New("a message in the spool is truncated")

package snapshot

import (
	"errors"
	"sync"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// keeper keeps whole messages. It is safe for many goroutines.
type keeper interface {
	// put returns the place of a message, absent if it is not kept, with errFull if the Store has
	// no room for it.
	put(m *errorqueue.Message) (place int64, err error)
	get(place int64) (errorqueue.Message, error)
	close()
}

const (
	absent    int64 = -1
	mostBody        = 64 << 10 // bytes of a body that are kept
	perGroup        = 20       // messages of a group that samples keep
	mostShown       = 32 << 20 // bytes of all samples of a Store
)

var errFull = errors.New("there is no room for another message")

// samples keeps the first messages of each group in memory.
type samples struct {
	room *budget // of the Store

	mu     sync.Mutex
	groups map[string]int // messages that were kept of it; nil after close
	kept   [][]byte       // encoded
	bytes  int64
}

func newSamples(room *budget) *samples { return &samples{room: room, groups: map[string]int{}} }

func (s *samples) put(m *errorqueue.Message) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups == nil || s.groups[m.Group] >= perGroup || len(s.groups) >= mostGroups && s.groups[m.Group] == 0 {
		return absent, nil
	}
	text, err := encode(m)
	if err != nil {
		return absent, err
	}
	if !s.room.take(int64(len(text))) {
		return absent, errFull
	}
	s.groups[m.Group]++
	s.kept = append(s.kept, text)
	s.bytes += int64(len(text))
	return int64(len(s.kept) - 1), nil
}

func (s *samples) get(place int64) (errorqueue.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if place < 0 || place >= int64(len(s.kept)) {
		return errorqueue.Message{}, ErrNotKept
	}
	return decode(s.kept[place])
}

func (s *samples) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room.give(s.bytes)
	s.groups, s.kept, s.bytes = nil, nil, 0
}

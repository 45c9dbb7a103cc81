package snapshot

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// spool keeps all messages of a pass in a temporary file that only its user can read. The file has
// no name where the system allows that, so it is gone with the process.
type spool struct {
	room *budget // of the Store

	mu      sync.Mutex
	file    *os.File // nil after close
	name    string   // to be removed by close, "" if it is already
	written int64    // bytes in the file
	waiting []byte   // bytes behind those
	failed  error    // the first; nothing is put after it
}

const spoolWrite = 256 << 10 // bytes of one write

func newSpool(dir string, room *budget) (*spool, error) {
	f, err := os.CreateTemp(dir, "bunnicula-console-*") // with mode 0600
	if err != nil {
		return nil, fmt.Errorf("make the spool: %w", err)
	}
	s := &spool{room: room, file: f, name: f.Name()}
	if os.Remove(s.name) == nil {
		s.name = ""
	}
	return s, nil
}

func (s *spool) put(m *errorqueue.Message) (int64, error) {
	text, err := encode(m)
	if err != nil {
		return absent, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size := int64(headSize + len(text))
	switch {
	case s.failed != nil || s.file == nil:
		return absent, nil
	case !s.room.take(size):
		return absent, errFull
	}
	place := s.written + int64(len(s.waiting))
	s.waiting = binary.BigEndian.AppendUint32(s.waiting, uint32(len(text))) //nolint:gosec // a message is smaller
	s.waiting = append(s.waiting, text...)
	if len(s.waiting) >= spoolWrite {
		return place, s.flush()
	}
	return place, nil
}

// flush writes what waits. What could not be written stays in memory, so every place is valid.
func (s *spool) flush() error {
	n, err := s.file.WriteAt(s.waiting, s.written)
	s.written, s.waiting = s.written+int64(n), append(s.waiting[:0], s.waiting[n:]...)
	if err != nil {
		s.failed = fmt.Errorf("write the spool: %w", err)
	}
	return s.failed
}

func (s *spool) get(place int64) (errorqueue.Message, error) {
	head := make([]byte, headSize)
	if err := s.read(head, place); err != nil {
		return errorqueue.Message{}, err
	}
	text := make([]byte, binary.BigEndian.Uint32(head))
	if err := s.read(text, place+headSize); err != nil {
		return errorqueue.Message{}, err
	}
	return decode(text)
}

// read reads from the file, and from what waits behind it.
func (s *spool) read(to []byte, from int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return ErrNotKept
	}
	if inFile := min(int64(len(to)), s.written-from); inFile > 0 {
		if _, err := s.file.ReadAt(to[:inFile], from); err != nil {
			return fmt.Errorf("read the spool: %w", err)
		}
		to, from = to[inFile:], from+inFile
	}
	if len(to) == 0 {
		return nil
	}
	at := from - s.written
	if at < 0 || at+int64(len(to)) > int64(len(s.waiting)) {
		return errTruncated
	}
	copy(to, s.waiting[at:])
	return nil
}

func (s *spool) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return
	}
	s.room.give(s.written + int64(len(s.waiting)))
	_ = s.file.Close() // nobody reads it any more
	if s.name != "" {
		_ = os.Remove(s.name)
	}
	s.file, s.waiting = nil, nil
}

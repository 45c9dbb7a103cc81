package consumer

import (
	"hash/maphash"
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// survived knows of returns that were no deaths: this process lost a session or a channel, and
// lives. The broker counts both alike, and decode subtracts these. Each return belongs to what was
// in hand. Otherwise a process that has lost many sessions would take every killer for innocent.
type survived struct {
	mu       sync.Mutex     // guards all below
	sessions []time.Time    // when sessions were lost, each with what was in hand of the main queue
	gets     []time.Time    // when answers to basic.get were lost, each with an unknown message
	alone    map[string]int // how often a message from quarantine came back, by returnKey
}

const (
	forgetAfter = time.Hour // a session or an answer was lost so long ago that what came back was met again
	mostAlone   = 1000      // keys
)

// bodySeed makes the hashes of returnKey.
var bodySeed = maphash.MakeSeed()

// returnKey tells one message from quarantine from another, whenever it is delivered. It is the
// message's id, or, if that has none, a hash of its body: the id that we give to a message is
// another one at each delivery.
func returnKey(raw *amqp.Delivery) string {
	if raw.MessageId != "" {
		return "id " + raw.MessageId
	}
	return "body " + strconv.FormatUint(maphash.Bytes(bodySeed, raw.Body), 36)
}

// session notes that a session was lost. The supervisor calls it.
func (s *survived) session(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = append(recent(s.sessions, now), now)
}

// get notes that the answer to a basic.get was lost. The guard calls it.
func (s *survived) get(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets = append(recent(s.gets, now), now)
}

// message notes that a message from quarantine came back. The guard calls it.
func (s *survived) message(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alone == nil || len(s.alone) >= mostAlone {
		s.alone = map[string]int{}
	}
	s.alone[key]++
}

// cleared is called when a copy of a message no longer counts what this process has survived.
func (s *survived) cleared(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.alone, key)
}

// main returns how many returns of any message of the main queue may have been no deaths.
func (s *survived) main(now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = recent(s.sessions, now)
	return len(s.sessions)
}

// quarantine returns how many returns of a message from quarantine were no deaths.
func (s *survived) quarantine(key string, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets = recent(s.gets, now)
	return s.alone[key] + len(s.gets)
}

// any returns whether this process may know better of a message in quarantine than others.
func (s *survived) any(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets = recent(s.gets, now)
	return len(s.alone)+len(s.gets) > 0
}

// recent drops what happened forgetAfter ago.
func recent(all []time.Time, now time.Time) []time.Time {
	for len(all) > 0 && now.Sub(all[0]) >= forgetAfter {
		all = all[1:]
	}
	return all
}

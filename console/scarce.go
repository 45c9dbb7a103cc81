package console

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/effective"
	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

const (
	fewReadings  = 1000        // with so many at most, each begins by hand
	limitLasts   = time.Minute // a policy may change it at any time
	defaultLimit = 20          // of a quorum queue, from RabbitMQ 4.0 on
)

// scarce knows how often an error queue may be read before its broker drops messages. errorqueue
// replaces those by copies, whose count begins anew, but that costs more than a reading.
type scarce struct {
	// Immutable.
	conn *connection.Connection
	api  *management.Client // nil without one

	mu     sync.Mutex
	limits map[string]int // by queue; written by ask
}

// limit is the queue's delivery limit. It is 0 if there is none, or if it is not known.
func (s *scarce) limit(queue string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits[queue]
}

// few says whether a queue is read by hand only.
func (s *scarce) few(queue string) bool {
	n := s.limit(queue)
	return n > 0 && n <= fewReadings
}

// ask asks for the limit of a queue. If nobody answers, the last one stays.
func (s *scarce) ask(ctx context.Context, queue string) {
	session, err := s.conn.Transport().Consuming().Session(ctx)
	if err != nil {
		return
	}
	peer := session.Peer()
	settings, err := s.settings(ctx, peer, queue)
	if err != nil && peer.NackCounts() {
		return
	}
	n := readingsOf(peer, settings)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits[queue] = n
}

// settings asks the management API of the connection, or else that of the console.
func (s *scarce) settings(ctx context.Context, peer transport.Peer, queue string) (effective.Queue, error) {
	settings, err := s.conn.Transport().Effective(ctx, queue)
	if !errors.Is(err, effective.ErrUnknown) || s.api == nil {
		return settings, err
	}
	q, err := s.api.Queue(ctx, peer.VHost, queue)
	if err == nil && q.Effective == nil {
		err = effective.ErrNotYet
	}
	return q.Settings(), err
}

// readingsOf returns how often a queue may be read, 0 if readings do not count.
func readingsOf(peer transport.Peer, q effective.Queue) int {
	if q.Type != "quorum" || !peer.NackCounts() {
		return 0
	}
	n, ok := q.Get("delivery-limit").Number()
	if major, _, _ := strings.Cut(peer.Version, "."); !ok && major != "3" {
		n = defaultLimit
	}
	return int(max(0, n))
}

// limited is an open error queue, of which scarce knows the limit.
type limited struct {
	*errorqueue.Queue
	scarce *scarce
	asked  time.Time // written by Status; the goroutine of the Reading calls it
}

// Status asks for the limit too, if that was long ago.
func (l *limited) Status(ctx context.Context) (errorqueue.Status, error) {
	if time.Since(l.asked) >= limitLasts {
		l.asked = time.Now()
		l.scarce.ask(ctx, l.Name())
	}
	return l.Queue.Status(ctx)
}

var _ snapshot.Queue = (*limited)(nil)

// used says how many readings of a queue its messages have, and of how many: "3 of 20". It is "" if
// that is not known, or if readings do not count.
func (s *scarce) used(queue string, of *snapshot.Snapshot) string {
	most := s.limit(queue)
	if most == 0 || of == nil {
		return ""
	}
	return strconv.Itoa(of.Deliveries()) + " of " + view{}.Count(most)
}

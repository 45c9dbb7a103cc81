package link

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// allowance remembers a limit of the user's channels (rabbitmqctl set_user_limits). The broker
// closes the whole connection for the channel that is one too many (530), with all channels of
// others on it, and tells the limit only then. So a link that has met the limit opens no more
// channels than it had, and tries again later: the limit may have been raised, or another program
// may have closed its own.
type allowance struct {
	mu    sync.Mutex // guards what is below
	most  int        // channels that one session may have, until the time below
	until time.Time
	pause time.Duration
}

const (
	firstAllowance = 30 * time.Second // how long a limit is believed
	lastAllowance  = 10 * time.Minute
)

// check returns why a session with so many channels may not open another one.
func (a *allowance) check(have int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if have < a.most || !time.Now().Before(a.until) {
		return nil
	}
	return fmt.Errorf("%w: this connection has %d, and the limit of the user's channels is reached (rabbitmqctl set_user_limits)", transport.ErrNoChannel, have)
}

// learn looks whether a channel could not be opened because of the limit. It returns an error that
// says so, and otherwise err.
func (a *allowance) learn(have int, err error) error {
	var refused *amqp.Error
	if !errors.As(err, &refused) || !transport.TooManyChannels(refused) {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pause = min(max(firstAllowance, 2*a.pause), lastAllowance)
	a.most, a.until = have, time.Now().Add(a.pause)
	return fmt.Errorf("%w: this connection had %d: %w", transport.ErrNoChannel, have, err)
}

// channels returns how many channels of the session are open.
func (s *session) channels() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := s.opened[:0]
	for _, ch := range s.opened {
		if !ch.IsClosed() {
			open = append(open, ch)
		}
	}
	clear(s.opened[len(open):])
	s.opened = open
	return len(open)
}

// reachesLimit says whether a refused login is over a limit of connections, which is over when
// another connection is closed.
func reachesLimit(refused *amqp.Error) bool {
	return refused.Code == amqp.NotAllowed && strings.Contains(refused.Reason, "connection limit")
}

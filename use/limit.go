package use

import (
	"context"
	"fmt"
	"time"
)

// Limit is how often something may happen: Events in each Per, evenly spaced. A handler may begin
// as late as the next moment, so in any Per at most Events + 1 begin, or Events + Burst with a
// Burst. With more than 100 a second a handler may be 10 ms late, and as many more may begin as
// there are moments in that time. So set less than an API's own limit.
type Limit struct {
	Events int           // 1 or more
	Per    time.Duration // up to 365 days; defaults to a second
	Burst  int           // how many may happen at once after a pause, up to Events; defaults to 1
}

// Limiter shares out the moments at which handlers may begin. NewLimiter makes one for one
// process, and package use/redis one for a fleet. It is safe for use by many goroutines at once.
type Limiter interface {
	// Moment asks for one. See Ask and Answer. An error means that the limiter does not know:
	// the message is not handled, and snoozes.
	Moment(ctx context.Context, ask Ask) (Answer, error)
}

// Ask is the question of one message.
type Ask struct {
	Key string // messages of one key share the limit
	ID  string // tells the messages of a key apart

	// Near is how long before its place a message comes again. The message is in time if it comes
	// from Near before its place until Near after it.
	Near time.Duration

	// Patience is how long the message can wait for its moment where it is if it comes in time for
	// its place, and First is how long otherwise: when it comes first, early or late. First is
	// below Patience, so that messages that have waited in the line come before others.
	Patience, First time.Duration
}

// Answer is what a Limiter says. If a moment is Given, the message is to be handled when Wait has
// passed since the answer, and the limiter has forgotten its id; a handler that begins more than
// Slack later than that has missed its moment, and asks again. Otherwise the message has a place in
// the line of its key, and asks again when Wait has passed.
type Answer struct {
	Given       bool
	Wait, Slack time.Duration
}

// farthest bounds Limit.Per, and how far away a place is.
const farthest = 365 * 24 * time.Hour

// rates returns the numbers that the rule needs. The time between two moments is rounded up, so
// that no Per has more than the Limit.
func (l Limit) rates() rates {
	every := (l.per() + time.Duration(l.Events) - 1) / time.Duration(l.Events)
	return rates{every: every, ahead: time.Duration(max(l.Burst, 1)-1) * every}
}

func (l Limit) per() time.Duration {
	if l.Per == 0 {
		return time.Second
	}
	return l.Per
}

// check names the field that is wrong.
func (l Limit) check() error {
	switch {
	case l.Events < 1:
		return fmt.Errorf("use: Limit.Events is %d, want 1 or more", l.Events)
	case l.Per < 0 || l.Per > farthest:
		return fmt.Errorf("use: Limit.Per is %s, want up to %s, or 0 for a second", l.Per, farthest)
	case int64(l.Events) > int64(l.per()):
		return fmt.Errorf("use: Limit.Events is %d in %s, want at most one in a nanosecond", l.Events, l.per())
	case l.Burst < 0 || l.Burst > l.Events:
		return fmt.Errorf("use: Limit.Burst is %d, want 0 to Limit.Events, which is %d", l.Burst, l.Events)
	}
	return nil
}

// Spacing is for whoever writes a Limiter. It returns the time between two moments, and how much of
// it may have passed unused before a Burst is lost. The error names the field that is wrong.
func (l Limit) Spacing() (every, ahead time.Duration, err error) {
	if err := l.check(); err != nil {
		return 0, 0, err
	}
	r := l.rates()
	return r.every, r.ahead, nil
}

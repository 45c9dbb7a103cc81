package use

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Bounds of a LocalLimiter.
const (
	mostKeys   = 100_000
	mostPlaces = 100_000
	longestKey = 255 // bytes; of longer ones there is a hash
	sweepEvery = time.Minute
)

// LocalLimiter is a Limiter in the memory of this process.
//
// It keeps 100,000 places and 100,000 keys at most, some 25 MiB with ids of 36 bytes:
//
//	what there is too much of   what becomes of a message
//	places                      it waits until its turn, and may have to wait once more then
//	keys                        it snoozes with an error, until keys are idle
//
// So none is handled without a moment, and none is lost. Keys that are idle are forgotten within a
// minute or two, when a message asks, and so are places whose time has passed. When nobody has come
// for a place in a line for a minute, the line is empty for those that come.
//
// It does not promise anything beyond its process: two have a limit each, and after a restart
// messages line up anew. See package use/redis.
type LocalLimiter struct {
	limit func(key string) Limit // immutable
	start time.Time              // times count from here; immutable

	mu     sync.Mutex // guards what is below
	lines  map[string]*line
	places int           // in all lines
	near   time.Duration // the largest one asked with
	swept  time.Duration // when the lines were last swept
}

var _ Limiter = (*LocalLimiter)(nil)

// NewLimiter makes a LocalLimiter with the same Limit for each key. The error names the field that
// is wrong.
func NewLimiter(limit Limit) (*LocalLimiter, error) {
	if err := limit.check(); err != nil {
		return nil, err
	}
	return NewLimiterFor(func(string) Limit { return limit })
}

// NewLimiterFor makes a LocalLimiter whose Limit depends on the key. limit is called for each
// message that asks, so the Limit of a key may change; messages that wait already keep their
// places. A Limit that is wrong is an error for the messages of its key: they snooze.
func NewLimiterFor(limit func(key string) Limit) (*LocalLimiter, error) {
	if limit == nil {
		return nil, errors.New("use: the limit function is nil")
	}
	return &LocalLimiter{limit: limit, start: time.Now(), lines: map[string]*line{}}, nil
}

// Moment implements Limiter. Its errors are a Limit that is wrong, and too many keys.
func (l *LocalLimiter) Moment(_ context.Context, ask Ask) (Answer, error) {
	limit := l.limit(ask.Key)
	if err := limit.check(); err != nil {
		return Answer{}, fmt.Errorf("the limit of key %q: %w", cut(ask.Key), err)
	}
	ask.Key = short(ask.Key)
	r := limit.rates()
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.start)
	l.near = max(l.near, ask.Near)
	if now-l.swept >= sweepEvery || (len(l.lines) >= mostKeys || l.places >= mostPlaces) && now-l.swept >= time.Second {
		l.sweep(now)
	}
	k := l.lines[ask.Key]
	if k == nil {
		if len(l.lines) >= mostKeys {
			return Answer{}, fmt.Errorf("use: there are %d keys with messages that wait, which is the most that a LocalLimiter keeps", mostKeys)
		}
		k = newLine(now, r)
		l.lines[strings.Clone(ask.Key)] = k
	}
	before := len(k.places.at)
	s := k.ask(now, r, ask, l.places < mostPlaces)
	l.places += len(k.places.at) - before
	return s, nil
}

// sweep forgets what is idle.
func (l *LocalLimiter) sweep(now time.Duration) {
	l.swept, l.places = now, 0
	for key, k := range l.lines {
		if k.forget(now, l.near) {
			delete(l.lines, key)
		}
		l.places += len(k.places.at)
	}
}

// short returns a key that takes little memory, for one that may be as long as a payload.
func short(key string) string {
	if len(key) <= longestKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return string(sum[:])
}

// cut shortens a key for an error.
func cut(key string) string {
	if len(key) > 100 {
		return key[:100] + "..."
	}
	return key
}

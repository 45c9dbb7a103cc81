package redis

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bunnicula-go/bunnicula/use"
)

// Config says what a limiter limits. Either Limit or LimitFor must be set.
type Config struct {
	// Limit is the same for each key.
	Limit use.Limit

	// LimitFor is the Limit of a key. It is called for each message that asks, so the Limit of a
	// key may change: that counts for moments and places that are given from then on, behind those
	// that were given before. A Limit that is wrong is an error for the messages of its key: they
	// snooze. All processes should have the same Limit for a key; while they do not, each counts
	// what it takes by its own.
	//
	// Defaults to nil: all keys have Limit.
	LimitFor func(key string) use.Limit

	// Prefix is what the names of all keys in Redis begin with. Limiters with the same Prefix share
	// their limits, so two different limits need two Prefixes. At most 256 bytes.
	//
	// Defaults to "bunnicula:limit:".
	Prefix string

	// Timeout is how long a message waits for Redis, from 1 ms to 5 s. Then it snoozes. A message
	// whose handler has less than four times as long left waits for a quarter of that.
	//
	// Defaults to 1 s.
	Timeout time.Duration

	// Slack is how late after its moment a handler may begin, from 1 ms to 1 s, where the Limit's
	// moments are closer than that. So in any Per up to Slack's worth of moments more may happen
	// than the Limit has. The fastest answers of Redis must take less than three quarters of Slack,
	// or of the time between two moments: no clock is known better than that.
	//
	// Defaults to 10 ms. It has no effect on Limits of up to 100 in a second.
	Slack time.Duration
}

// Values of Config.
const (
	defaultPrefix  = "bunnicula:limit:"
	longestPrefix  = 256
	defaultTimeout = time.Second
	longestTimeout = 5 * time.Second // that of everything in package use that waits
	defaultSlack   = 10 * time.Millisecond
	longestSlack   = time.Second
)

// resolve returns the Config with its defaults. The error names the field that is wrong.
func (c Config) resolve() (Config, error) {
	c.Prefix = cmp.Or(c.Prefix, defaultPrefix)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.Slack = cmp.Or(c.Slack, defaultSlack)
	switch {
	case c.LimitFor != nil && c.Limit != use.Limit{}:
		return c, fmt.Errorf("Config.Limit is %+v and Config.LimitFor is set, want one of them", c.Limit)
	case len(c.Prefix) > longestPrefix:
		return c, fmt.Errorf("Config.Prefix has %d bytes, want at most %d", len(c.Prefix), longestPrefix)
	case c.Timeout < time.Millisecond || c.Timeout > longestTimeout:
		return c, fmt.Errorf("Config.Timeout is %s, want 1ms to %s, or 0 for %s", c.Timeout, longestTimeout, defaultTimeout)
	case c.Slack < time.Millisecond || c.Slack > longestSlack:
		return c, fmt.Errorf("Config.Slack is %s, want 1ms to %s, or 0 for %s", c.Slack, longestSlack, defaultSlack)
	case c.LimitFor != nil:
		return c, nil
	}
	if _, err := spaced(c.Limit); err != nil {
		return c, fmt.Errorf("Config.Limit: %w", err)
	}
	limit := c.Limit
	c.LimitFor = func(string) use.Limit { return limit }
	return c, nil
}

// given says whether there is a client.
func given(client redis.Scripter) error {
	v := reflect.ValueOf(client)
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return errors.New("the client is nil")
	}
	return nil
}

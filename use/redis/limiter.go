package redis

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bunnicula-go/bunnicula/use"
)

// clock is the time that the rule goes by: that of Redis, so that the clocks of processes do not
// matter.
const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
`

// rule is the rule of limits. It is not a whole script: it needs a clock before it.
//
//go:embed moments.lua
var rule string

// tries is how many moments a message may miss because Redis answers too late.
const tries = 3

// limiter is a use.Limiter. What changes is in Redis, but for the offset.
type limiter struct {
	server server
	cfg    Config    // resolved
	start  time.Time // this process's clock counts from here
	offset *offset
}

// New makes a Limiter for all processes that use the same Redis and the same Config.Prefix. The
// client may be that of one Redis, of Sentinels, of a cluster or of a Ring. It stays the caller's,
// who closes it when the consumers have stopped. New asks Redis nothing, so Redis may be down. The
// error names the field that is wrong.
func New(client redis.Scripter, cfg Config) (use.Limiter, error) {
	return newLimiter(client, cfg, clock)
}

func newLimiter(client redis.Scripter, cfg Config, clock string) (*limiter, error) {
	if err := given(client); err != nil {
		return nil, failed(err)
	}
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, failed(err)
	}
	_, one := client.(*redis.Client)
	return &limiter{server: newServer(client, clock+rule), cfg: cfg, start: time.Now(), offset: &offset{alone: !one}}, nil
}

// Moment implements use.Limiter.
func (l *limiter) Moment(ctx context.Context, ask use.Ask) (use.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, l.bound(ctx))
	defer cancel()
	s, err := l.moment(ctx, ask)
	if err != nil {
		return use.Answer{}, failed(err)
	}
	return s, nil
}

// moment asks until it has an answer in time.
func (l *limiter) moment(ctx context.Context, ask use.Ask) (s use.Answer, err error) {
	limit, err := spaced(l.cfg.LimitFor(ask.Key))
	if err != nil {
		return s, fmt.Errorf("the limit of key %q: %w", cut(ask.Key), err)
	}
	slack := max(micro(limit.every), l.cfg.Slack) * 3 / 4 // a process may be interrupted behind its look at the clock
	var took time.Duration
	for range tries {
		asked := time.Since(l.start)
		reply, now, err := l.ask(ctx, ask, limit)
		if err != nil || !reply.Given {
			return reply, err
		}
		answered := time.Since(l.start)
		from, to := l.offset.learn(now, asked, answered)
		earliest := max(answered, now+reply.Wait-from)
		reply.Wait, reply.Slack = earliest-answered, now+reply.Wait-to+slack-earliest
		if reply.Slack >= 0 {
			return reply, nil
		}
		took = answered - asked
		ask.First = max(ask.First, ask.Patience) // it had its turn
	}
	return s, fmt.Errorf("%d moments have passed before their answers came: the last took %s, want at most %s (see Config.Slack)",
		tries, took.Round(time.Millisecond), slack)
}

// ask asks once.
func (l *limiter) ask(ctx context.Context, a use.Ask, s spacing) (answer use.Answer, now time.Duration, err error) {
	reply, err := l.server.run(ctx, keyName(l.cfg.Prefix, a.Key), l.arguments(a, s)...)
	if err != nil {
		return answer, 0, err
	}
	return parse(reply)
}

// arguments are those of the script.
func (l *limiter) arguments(a use.Ask, s spacing) []any {
	return []any{
		member(a.ID), s.every, s.ahead, a.Near.Microseconds(), a.Patience.Microseconds(), a.First.Microseconds(),
	}
}

// bound returns how long a message waits for Redis at most: the rule of slots.
func (l *limiter) bound(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return max(0, min(l.cfg.Timeout, time.Until(deadline)/4))
	}
	return l.cfg.Timeout
}

// failed says of each error whose it is.
func failed(err error) error { return fmt.Errorf("redis limiter: %w", err) }

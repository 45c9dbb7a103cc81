package redis

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bunnicula-go/bunnicula/use"
)

// StoreConfig says where a Store has its keys. The zero StoreConfig suits most applications.
type StoreConfig struct {
	// Prefix is what the names of all keys in Redis begin with. At most 256 bytes. The name of the
	// queue follows, so two virtual hosts that have a queue of the same name need two Prefixes.
	//
	// Defaults to "bunnicula:dedupe:".
	Prefix string

	// Timeout is how long a message waits for Redis, from 1 ms to 5 s. Then it snoozes. A message
	// whose handler has less than four times as long left waits for a quarter of that, and for the
	// end of a claim none waits for more than 2 s.
	//
	// Defaults to 1 s.
	Timeout time.Duration
}

const (
	defaultStorePrefix = "bunnicula:dedupe:"

	// remembered is for how long a claim that has lapsed is counted.
	remembered = 24 * time.Hour
)

func (c StoreConfig) resolve() (StoreConfig, error) {
	c.Prefix = cmp.Or(c.Prefix, defaultStorePrefix)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	switch {
	case len(c.Prefix) > longestPrefix:
		return c, fmt.Errorf("StoreConfig.Prefix has %d bytes, want at most %d", len(c.Prefix), longestPrefix)
	case c.Timeout < time.Millisecond || c.Timeout > longestTimeout:
		return c, fmt.Errorf("StoreConfig.Timeout is %s, want 1ms to %s, or 0 for %s", c.Timeout, longestTimeout, defaultTimeout)
	}
	return c, nil
}

var (
	//go:embed claim.lua
	claimScript string
	//go:embed settle.lua
	settleScript string
)

// store is a use.Store. It is immutable: what changes is in Redis.
type store struct {
	claim, settle server
	cfg           StoreConfig // resolved
}

// NewStore makes a Store for use.Dedupe, for all processes that use the same Redis and the same
// Prefix. The client may be that of one Redis, of Sentinels, of a cluster or of a Ring. It stays
// the caller's, who closes it when the consumers have stopped. NewStore asks Redis nothing, so
// Redis may be down. The error names the field that is wrong.
func NewStore(client redis.Scripter, cfg StoreConfig) (use.Store, error) {
	if err := given(client); err != nil {
		return nil, storeFailed(err)
	}
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, storeFailed(err)
	}
	return &store{claim: newServer(client, claimScript), settle: newServer(client, settleScript), cfg: cfg}, nil
}

// Claim implements use.Store. A claim whose answer comes too late is given back: else its message
// would be busy, and nobody would handle it. A lease that begins anew late is none of those.
func (s *store) Claim(ctx context.Context, key, token string, lease time.Duration) (use.Claim, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	late := func(reply any) {
		if c, renewed, err := parseClaim(reply); err == nil && c.State == use.ClaimNew && !renewed {
			_ = s.end(context.WithoutCancel(ctx), key, token, giveBack) // if it fails, the lease ends it
		}
	}
	name := keyName(s.cfg.Prefix, key)
	reply, err := s.claim.runOr(ctx, late, name, token, milliseconds(lease), remembered.Milliseconds())
	if err != nil {
		return use.Claim{}, storeFailed(err)
	}
	c, _, err := parseClaim(reply)
	if err != nil {
		return use.Claim{}, storeFailed(err)
	}
	return c, nil
}

// Ends of a claim that leave no mark.
const (
	free     = 0  // its handler has returned, so no claim before it counts any more
	giveBack = -1 // no handler ran, so it is as if nobody had claimed
)

// Settle implements use.Store.
func (s *store) Settle(ctx context.Context, key, token string, done bool, keep time.Duration) error {
	if done {
		return s.end(ctx, key, token, milliseconds(keep))
	}
	return s.end(ctx, key, token, free)
}

// end ends a claim: with a mark for so many milliseconds, or as one of the constants says.
func (s *store) end(ctx context.Context, key, token string, mark int64) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	if _, err := s.settle.run(ctx, keyName(s.cfg.Prefix, key), token, mark, remembered.Milliseconds()); err != nil {
		return storeFailed(err)
	}
	return nil
}

// parseClaim makes a Claim of the script's reply: the state, how many milliseconds are left, how
// many claims have lapsed, and whether the lease begins anew. Middleware checks what a Claim says;
// a reply that is none is an error here.
func parseClaim(reply any) (c use.Claim, renewed bool, err error) {
	list, _ := reply.([]any)
	if len(list) != 4 {
		return c, false, nonsense(reply)
	}
	var numbers [4]int64
	for i, item := range list {
		n, ok := item.(int64)
		if !ok || n < 0 || n > farthest.Milliseconds() {
			return c, false, nonsense(reply)
		}
		numbers[i] = n
	}
	c = use.Claim{State: use.ClaimState(numbers[0]), Left: time.Duration(numbers[1]) * time.Millisecond, Lapses: int(numbers[2])}
	return c, numbers[3] == 1, nil
}

// milliseconds rounds up, so that nothing ends early.
func milliseconds(d time.Duration) int64 {
	return max(1, int64((d+time.Millisecond-1)/time.Millisecond))
}

// storeFailed says of each error whose it is.
func storeFailed(err error) error { return fmt.Errorf("redis store: %w", err) }

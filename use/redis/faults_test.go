package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/redistest"
	"github.com/bunnicula-go/bunnicula/use"
)

// secret is in no error.
const secret = "correct-horse"

// ask is that of a message which waits for a second at most.
var ask = use.Ask{Key: "acme", ID: "m1", Near: time.Second, Patience: time.Second, First: time.Second}

// perSecond is a Limit of n in a second.
func perSecond(n int) use.Limit { return use.Limit{Events: n} }

func limiterOf(t *testing.T, client redis.Scripter, cfg Config) use.Limiter {
	t.Helper()
	if cfg.Limit == (use.Limit{}) && cfg.LimitFor == nil {
		cfg.Limit = perSecond(1000)
	}
	l, err := New(client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// mustBeGiven asks for one moment, which there is.
func mustBeGiven(t *testing.T, l use.Limiter) {
	t.Helper()
	if s, err := l.Moment(t.Context(), ask); err != nil || !s.Given {
		t.Errorf("the answer is %+v, %v", s, err)
	}
}

// troubles are what a Redis can have, with the error that it makes. Both functions get the name of
// a key that is asked for.
var troubles = map[string]struct {
	Trouble func(s *redistest.Server, key string)
	End     func(s *redistest.Server, key string)
	Want    string
}{
	"stopped": {Trouble: func(s *redistest.Server, _ string) { s.Stop() }, End: func(s *redistest.Server, _ string) { s.Start() }, Want: "connection refused"},
	"killed":  {Trouble: func(s *redistest.Server, _ string) { s.Kill() }, End: func(s *redistest.Server, _ string) { s.Start() }, Want: "connection refused"},
	"frozen":  {Trouble: func(s *redistest.Server, _ string) { s.Freeze() }, End: func(s *redistest.Server, _ string) { s.Thaw() }, Want: "no answer within 50"},
	"slow": {
		Trouble: func(s *redistest.Server, _ string) { s.Slow(time.Second) }, End: func(*redistest.Server, string) { time.Sleep(time.Second) },
		Want: "no answer within 50",
	},
	"a key of another type": {
		Trouble: func(s *redistest.Server, key string) { s.Do("DEL", key); s.Do("RPUSH", key, "x") },
		End:     func(s *redistest.Server, key string) { s.Do("DEL", key) },
		Want:    `": WRONGTYPE`, // behind the name of the key
	},
	"read-only": {
		Trouble: func(s *redistest.Server, _ string) { s.Do("REPLICAOF", "127.0.0.1", "1") },
		End:     func(s *redistest.Server, _ string) { s.Do("REPLICAOF", "NO", "ONE") },
		Want:    "READONLY",
	},
	"out of memory": {
		Trouble: func(s *redistest.Server, _ string) { s.Do("CONFIG", "SET", "maxmemory", "1") },
		End:     func(s *redistest.Server, _ string) { s.Do("CONFIG", "SET", "maxmemory", "0") },
		Want:    "OOM",
	},
	"without permission": {
		Trouble: func(s *redistest.Server, _ string) { s.Do("ACL", "SETUSER", "default", "-evalsha") },
		End:     func(s *redistest.Server, _ string) { s.Do("ACL", "SETUSER", "default", "+evalsha") },
		Want:    "NOPERM",
	},
}

func TestAnErrorSaysWhichRedisHasWhatTrouble(t *testing.T) {
	amqptest.Long(t)
	for name, test := range troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			l := limiterOf(t, server.Client(t), Config{Timeout: 500 * time.Millisecond})
			mustBeGiven(t, l)
			test.Trouble(server, "bunnicula:limit:acme")
			began := time.Now()
			s, err := l.Moment(t.Context(), ask)
			if took := time.Since(began); took > time.Second {
				t.Errorf("it took %s", took)
			}
			if err == nil || s != (use.Answer{}) {
				t.Fatalf("the answer is %+v, %v", s, err)
			}
			for _, want := range []string{"redis limiter: Redis<" + server.Addr + " db:0>: ", test.Want} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error is %q, want %q in it", err, want)
				}
			}
			test.End(server, "bunnicula:limit:acme")
			amqptest.Eventually(t, 5*time.Second, func() bool { _, err := l.Moment(t.Context(), ask); return err == nil }, "it has not recovered")
		})
	}
}

func TestAnErrorAboutALoginHasNoPassword(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t, "requirepass "+secret)
	for _, password := range []string{"", "wrong-" + secret} {
		client := redis.NewClient(&redis.Options{Addr: server.Addr, Password: password, MaxRetries: -1})
		defer func() { _ = client.Close() }()
		_, err := limiterOf(t, client, Config{}).Moment(t.Context(), ask)
		if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "NOAUTH") && !strings.Contains(err.Error(), "WRONGPASS") {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestARedisThatStillLoadsIsAnError(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t, "appendonly yes", "loading-process-events-interval-bytes 1024", "enable-debug-command yes")
	l := limiterOf(t, server.Client(t), Config{})
	server.Do("DEBUG", "POPULATE", 2000, "key", 100)
	server.Do("BGREWRITEAOF")
	amqptest.Eventually(t, 10*time.Second, func() bool {
		return !strings.Contains(fmt.Sprint(server.Do("INFO", "persistence")), "aof_rewrite_in_progress:1")
	}, "the file is not written")
	server.Stop()
	server.Launch("key-load-delay 1000") // microseconds a key
	amqptest.Eventually(t, 5*time.Second, func() bool {
		_, err := l.Moment(t.Context(), ask)
		return err != nil && strings.Contains(err.Error(), "LOADING")
	}, "no error says that it loads")
	amqptest.Eventually(t, 10*time.Second, func() bool { _, err := l.Moment(t.Context(), ask); return err == nil }, "it has not recovered")
}

func TestAScriptThatRedisHasForgottenIsSentAgain(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	l := limiterOf(t, server.Client(t), Config{})
	mustBeGiven(t, l)
	server.Do("SCRIPT", "FLUSH")
	mustBeGiven(t, l)
}

func TestAClientThatHeedsNoContextHoldsNobody(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	l := limiterOf(t, server.Client(t), Config{Timeout: 5 * time.Second})
	mustBeGiven(t, l)
	server.Freeze()
	defer server.Thaw()
	for name, test := range map[string]struct {
		ctx  func() (context.Context, context.CancelFunc)
		want error
	}{
		"a handler with 400 ms left waits for a quarter of it": {
			func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), 400*time.Millisecond)
			}, context.DeadlineExceeded,
		},
		"a handler that is cancelled does not wait": {
			func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(50*time.Millisecond, cancel)
				return ctx, cancel
			}, context.Canceled,
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := test.ctx()
			defer cancel()
			began := time.Now()
			_, err := l.Moment(ctx, ask)
			if took := time.Since(began); took > 300*time.Millisecond {
				t.Errorf("it took %s", took)
			}
			if !errors.Is(err, test.want) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestAMomentThatPassesBeforeItsAnswerIsNotGiven(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	proxy := amqptest.NewProxy(t, server.Addr)
	client := redis.NewClient(&redis.Options{Addr: proxy.Addr(), MaxRetries: -1})
	defer func() { _ = client.Close() }()
	mustBeGiven(t, limiterOf(t, client, Config{}))
	proxy.Slow(8*time.Millisecond, 0) // each way
	_, err := limiterOf(t, client, Config{}).Moment(t.Context(), ask)
	if err == nil || !strings.Contains(err.Error(), "want at most 7.5ms (see Config.Slack)") {
		t.Errorf("the error is %v", err)
	}
	s, err := limiterOf(t, client, Config{Slack: time.Second}).Moment(t.Context(), ask)
	if err != nil || !s.Given || s.Slack > 734*time.Millisecond {
		t.Errorf("the answer is %+v, %v", s, err)
	}
}

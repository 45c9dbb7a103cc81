package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bunnicula-go/bunnicula/use"
)

// script is a client that has its own answer to a script.
type script struct {
	redis.Scripter
	answer func() (any, error)
}

func (s script) EvalSha(ctx context.Context, _ string, _ []string, _ ...any) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	reply, err := s.answer()
	cmd.SetVal(reply)
	cmd.SetErr(err)
	return cmd
}

func replies(reply any) script { return script{answer: func() (any, error) { return reply, nil }} }

func TestAConfigThatIsWrongIsAnErrorThatNamesTheField(t *testing.T) {
	client := replies(nil)
	for want, cfg := range map[string]Config{
		"redis limiter: Config.Limit: use: Limit.Events is 0, want 1 or more":  {},
		"redis limiter: Config.Limit: use: Limit.Events is -3, want 1 or more": {Limit: perSecond(-3)},
		"redis limiter: Config.Limit is {Events:1 Per:0s Burst:0} and Config.LimitFor is set, want one of them": {
			Limit: perSecond(1), LimitFor: func(string) use.Limit { return perSecond(1) },
		},
		"redis limiter: Config.Prefix has 257 bytes, want at most 256":         {Limit: perSecond(1), Prefix: strings.Repeat("x", 257)},
		"redis limiter: Config.Timeout is -1s, want 1ms to 5s, or 0 for 1s":    {Limit: perSecond(1), Timeout: -time.Second},
		"redis limiter: Config.Timeout is 1h0m0s, want 1ms to 5s, or 0 for 1s": {Limit: perSecond(1), Timeout: time.Hour},
		"redis limiter: Config.Slack is 2s, want 1ms to 1s, or 0 for 10ms":     {Limit: perSecond(1), Slack: 2 * time.Second},
	} {
		if _, err := New(client, cfg); err == nil || err.Error() != want {
			t.Errorf("the error is %q, want %q", err, want)
		}
	}
	for _, nobody := range []redis.Scripter{nil, (*redis.Client)(nil), (*redis.ClusterClient)(nil)} {
		if _, err := New(nobody, Config{Limit: perSecond(1)}); err == nil || err.Error() != "redis limiter: the client is nil" {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestALimitOfAKeyThatIsWrongIsAnErrorForItsMessagesAlone(t *testing.T) {
	l := limiterOf(t, replies([]any{int64(1), int64(0), int64(0)}), Config{LimitFor: func(key string) use.Limit {
		return use.Limit{Events: len(key) - 4}
	}})
	_, err := l.Moment(t.Context(), ask)
	if want := `redis limiter: the limit of key "acme": use: Limit.Events is 0, want 1 or more`; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	if s, err := l.Moment(t.Context(), use.Ask{Key: "larger"}); err != nil || !s.Given {
		t.Errorf("the answer is %+v, %v", s, err)
	}
}

func TestAReplyThatIsNonsenseIsAnError(t *testing.T) {
	for name, reply := range map[string]any{
		"nothing":       nil,
		"a number":      int64(1),
		"a text":        "OK",
		"too short":     []any{int64(1)},
		"too long":      []any{int64(1), int64(0), int64(0), int64(0)},
		"texts":         []any{"1", "0", "0"},
		"negative":      []any{int64(1), int64(-1), int64(0)},
		"no yes or no":  []any{int64(2), int64(0), int64(0)},
		"a time beyond": []any{int64(0), int64(0), int64(1) << 62},
		"beyond a year": []any{int64(0), int64(1) << 50, int64(0)},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := limiterOf(t, replies(reply), Config{}).Moment(t.Context(), ask)
			if s != (use.Answer{}) || err == nil || !strings.HasPrefix(err.Error(), "redis limiter: the reply to the script is nonsense: ") {
				t.Errorf("the answer is %+v, %v", s, err)
			}
		})
	}
}

func TestAReplyIsASlotWithTheSlackThatIsLeft(t *testing.T) {
	s, err := limiterOf(t, replies([]any{int64(1), int64(1500), int64(0)}), Config{Limit: perSecond(50)}).Moment(t.Context(), ask)
	if err != nil || !s.Given || s.Wait != 1500*time.Microsecond || s.Slack > 15*time.Millisecond || s.Slack < 5*time.Millisecond {
		t.Errorf("the answer is %+v, %v", s, err)
	}
	s, err = limiterOf(t, replies([]any{int64(0), int64(7), int64(0)}), Config{}).Moment(t.Context(), ask)
	if want := (use.Answer{Wait: 7 * time.Microsecond}); err != nil || s != want {
		t.Errorf("the answer is %+v, %v", s, err)
	}
}

func TestAClientThatPanicsIsAnError(t *testing.T) {
	_, err := limiterOf(t, script{answer: func() (any, error) { panic("a hook") }}, Config{}).Moment(t.Context(), ask)
	if err == nil || err.Error() != "redis limiter: the client panicked: a hook" {
		t.Errorf("the error is %v", err)
	}
}

func TestAClientThatDoesNotReturnHoldsAHandlerForTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiterOf(t, script{answer: func() (any, error) { time.Sleep(time.Hour); return nil, nil }}, Config{})
		for left, want := range map[time.Duration]time.Duration{time.Minute: time.Second, 2 * time.Second: 500 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), left) // the handler's
			began := time.Now()
			_, err := l.Moment(ctx, ask)
			cancel()
			if text := fmt.Sprintf("redis limiter: no answer within %s: context deadline exceeded", want); err == nil || err.Error() != text {
				t.Errorf("the error is %v, want %s", err, text)
			}
			if took := time.Since(began); took != want {
				t.Errorf("it took %s, want %s", took, want)
			}
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestAnAnswerThatComesAfterItsMomentGivesNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		l := limiterOf(t, script{answer: func() (any, error) {
			if calls++; calls < 3 {
				time.Sleep(16 * time.Millisecond)
			}
			return []any{int64(1), int64(0), int64(0)}, nil
		}}, Config{Limit: perSecond(50)})
		if s, err := l.Moment(t.Context(), ask); err != nil || !s.Given || s.Slack != 15*time.Millisecond || calls != 3 {
			t.Errorf("the answer is %+v, %v, after %d calls", s, err, calls)
		}
		calls = -1
		want := "redis limiter: 3 moments have passed before their answers came: the last took 16ms, want at most 15ms (see Config.Slack)"
		if _, err := l.Moment(t.Context(), ask); err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	})
}

func TestAnErrorOfTheClientIsFound(t *testing.T) {
	_, err := limiterOf(t, script{answer: func() (any, error) { return nil, redis.ErrClosed }}, Config{}).Moment(t.Context(), ask)
	if !errors.Is(err, redis.ErrClosed) {
		t.Errorf("the error is %v", err)
	}
}

func TestMomentsAreRoundedUpToMicroseconds(t *testing.T) {
	for _, test := range []struct {
		limit use.Limit
		want  spacing
	}{
		{use.Limit{Events: 50}, spacing{every: 20_000}},
		{use.Limit{Events: 3}, spacing{every: 333_334}},
		{use.Limit{Events: 3, Burst: 3}, spacing{every: 333_334, ahead: 666_668}},
		{use.Limit{Events: 5_000_000}, spacing{every: 1}},
		{use.Limit{Events: 1, Per: 365 * 24 * time.Hour}, spacing{every: 31_536_000_000_000}},
	} {
		if got, err := spaced(test.limit); err != nil || got != test.want {
			t.Errorf("%+v: %+v, %v, want %+v", test.limit, got, err, test.want)
		}
	}
}

func TestNamesAreShortAndNoTwoKeysHaveTheSame(t *testing.T) {
	hash := func(n int) string { return "p:sha256-" + strings.Repeat("x", n) }
	keys := map[string]int{ // and the length of the name
		"": 2, "acme": 6, "acme{1}": 9, "Zürich": 9, strings.Repeat("a", 100): 102,
		strings.Repeat("a", 101): len(hash(64)), "\x00\x01": len(hash(64)), "a b": len(hash(64)), "a\n": len(hash(64)), "\xff\xfe": len(hash(64)),
		"sha256-acme": len(hash(64)),
	}
	names := map[string]string{}
	for key, length := range keys {
		name := keyName("p:", key)
		if !strings.HasPrefix(name, "p:") || len(name) != length || !printable(name) {
			t.Errorf("%q is %q", key, name)
		}
		if other, has := names[name]; has {
			t.Errorf("%q and %q are %q", key, other, name)
		}
		names[name] = key
		if again := keyName("p:", strings.TrimPrefix(name, "p:")); again == name && key != strings.TrimPrefix(name, "p:") {
			t.Errorf("the name of %q is a key with the same name", key)
		}
	}
	if member("next") == "next" || member("end") == "end" || member(strings.Repeat("a", 101)) == member(strings.Repeat("a", 102)) {
		t.Error("two members have the same name")
	}
	if n := len(member(strings.Repeat("a", 1000))); n != 33 {
		t.Errorf("the member of a long id has %d bytes", n)
	}
}

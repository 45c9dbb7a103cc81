package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/redistest"
	"github.com/bunnicula-go/bunnicula/internal/test/storetest"
	"github.com/bunnicula-go/bunnicula/use"
)

func storeOf(t *testing.T, client redis.Scripter, cfg StoreConfig) use.Store {
	t.Helper()
	s, err := NewStore(client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRedisIsAStore(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	storetest.Check(t, 100*time.Millisecond, func(t *testing.T) use.Store {
		return storeOf(t, server.Client(t), StoreConfig{Prefix: t.Name() + ":"})
	}, func(t *testing.T, test func(t *testing.T)) { t.Parallel(); test(t) })
}

func TestAKeyThatSomebodyHasWrittenIsNoClaim(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	s := storeOf(t, server.Client(t), StoreConfig{})
	const key = "bunnicula:dedupe:orders:m1"
	for _, text := range []string{"", "x", "Done", "claim", "claim abc", "claim abc x", "claim abc 1", "done "} { // the claim has no end
		server.Do("SET", key, text)
		c, err := s.Claim(t.Context(), "orders:m1", "a", time.Minute)
		if err == nil || c != (use.Claim{}) || !strings.Contains(err.Error(), "the key holds no claim of bunnicula") || !strings.Contains(err.Error(), key) {
			t.Errorf("%q: the answer is %+v, %v", text, c, err)
		}
		if err := s.Settle(t.Context(), "orders:m1", "a", true, time.Hour); text != "claim abc 1" && (err == nil || !strings.Contains(err.Error(), "the key holds no claim of bunnicula")) {
			t.Errorf("%q: the error of a settle is %v", text, err)
		}
	}
	server.Do("SET", key, "done") // an operator may mark a message
	if c, err := s.Claim(t.Context(), "orders:m1", "a", time.Minute); err != nil || c.State != use.ClaimDone {
		t.Errorf("the answer is %+v, %v", c, err)
	}
	server.Do("DEL", key) // and have one handled again
	if c, err := s.Claim(t.Context(), "orders:m1", "a", time.Minute); err != nil || c.State != use.ClaimNew {
		t.Errorf("the answer is %+v, %v", c, err)
	}
}

func TestClaimsThatLapseAreCountedUntilOneIsSettled(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	s := storeOf(t, server.Client(t), StoreConfig{})
	claim := func(token string, want int) {
		t.Helper()
		c, err := s.Claim(t.Context(), "orders:m1", token, time.Millisecond)
		if err != nil || c.State != use.ClaimNew || c.Lapses != want {
			t.Fatalf("the claim is %+v, %v, want %d lapses", c, err, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
	for i := range 12 {
		claim(fmt.Sprintf("%x", i), i)
	}
	claim("b", 11) // its own
	if err := s.Settle(t.Context(), "orders:m1", "b", false, 0); err != nil {
		t.Fatal(err)
	}
	claim("c", 0)
}

// tardy is a client that holds back the answer of its next call for hold, if that is not nil.
type tardy struct {
	redis.Scripter

	hold atomic.Pointer[func()]
}

func (l *tardy) EvalSha(ctx context.Context, hash string, keys []string, args ...any) *redis.Cmd {
	hold := l.hold.Swap(nil)
	cmd := l.Scripter.EvalSha(context.WithoutCancel(ctx), hash, keys, args...)
	if hold != nil {
		(*hold)()
	}
	return cmd
}

// Else a message that kills its process is handled for ever, where the first claim of a process
// that has just started is slow now and then.
func TestAClaimThatComesTooLateForgetsNoDeath(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	client := &tardy{Scripter: server.Client(t)}
	s := storeOf(t, client, StoreConfig{Timeout: longestTimeout})
	dies := func(token string, want int) {
		t.Helper()
		c, err := s.Claim(t.Context(), "orders:m1", token, time.Millisecond)
		if err != nil || c.State != use.ClaimNew || c.Lapses != want {
			t.Fatalf("the claim is %+v, %v, want %d lapses", c, err, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
	late := func(token string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		returned := make(chan struct{})
		hold := func() { cancel(); <-returned }
		client.hold.Store(&hold)
		_, err := s.Claim(ctx, "orders:m1", token, time.Minute)
		close(returned)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("the error is %v", err)
		}
		amqptest.Eventually(t, 5*time.Second, func() bool {
			held, _ := server.Do("EVAL", "return redis.call('GET', KEYS[1]) or ''", 1, "bunnicula:dedupe:orders:m1").(string)
			return !strings.Contains(held, "claim "+token+" ")
		}, "the claim is not given back")
	}
	if _, err := s.Claim(t.Context(), "orders:m2", "a", time.Minute); err != nil { // so that Redis has the script
		t.Fatal(err)
	}
	late("a1")
	dies("b1", 0)
	late("a2")
	dies("b2", 1)
	late("a3")
	late("a4")
	dies("b3", 2)
}

func TestAKeyOfAStoreIsForgottenByItself(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	s := storeOf(t, server.Client(t), StoreConfig{Prefix: "p:"})
	left := func() time.Duration { return micro(1000 * server.Do("PTTL", "p:orders:m1").(int64)) }
	if _, err := s.Claim(t.Context(), "orders:m1", "a", time.Minute); err != nil {
		t.Fatal(err)
	}
	if d := left(); d < remembered+50*time.Second || d > remembered+time.Minute {
		t.Errorf("a claim of a minute is remembered for %s", d)
	}
	if err := s.Settle(t.Context(), "orders:m1", "a", true, time.Hour); err != nil {
		t.Fatal(err)
	}
	if d := left(); d < 59*time.Minute || d > time.Hour {
		t.Errorf("a mark for an hour is kept for %s", d)
	}
	n := server.Do("MEMORY", "USAGE", "p:orders:m1", "SAMPLES", "0").(int64)
	t.Logf("a mark takes %d bytes", n)
	if n > 200 {
		t.Errorf("a mark takes %d bytes", n)
	}
}

// The documentation has this line.
const storePermissions = "ACL SETUSER bunnicula on >PASSWORD resetkeys ~bunnicula:dedupe:* resetchannels -@all +evalsha +eval +get +set +del +pttl"

func TestThePermissionsThatTheDocumentationHasAreEnoughForAStore(t *testing.T) {
	amqptest.Long(t)
	if text, err := os.ReadFile("doc.go"); err != nil || !strings.Contains(string(text), "//\t"+storePermissions+"\n") {
		t.Errorf("doc.go does not have them: %v", err)
	}
	server := redistest.Start(t)
	var command []any
	for word := range strings.FieldsSeq(strings.ReplaceAll(storePermissions, "PASSWORD", secret)) {
		command = append(command, word)
	}
	server.Do(command...)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, Username: "bunnicula", Password: secret, DialerRetries: 1})
	defer func() { _ = client.Close() }()
	s := storeOf(t, client, StoreConfig{})
	for _, done := range []bool{false, true} {
		if c, err := s.Claim(t.Context(), "orders:m1", "a", time.Minute); err != nil || c.State != use.ClaimNew {
			t.Fatalf("the claim is %+v, %v", c, err)
		}
		if c, err := s.Claim(t.Context(), "orders:m1", "b", time.Minute); err != nil || c.State != use.ClaimBusy {
			t.Fatalf("the claim is %+v, %v", c, err)
		}
		if err := s.Settle(t.Context(), "orders:m1", "a", done, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := storeOf(t, client, StoreConfig{Prefix: "other:"}).Claim(t.Context(), "m", "a", time.Minute); err == nil || !strings.Contains(err.Error(), "NOPERM") || strings.Contains(err.Error(), secret) {
		t.Errorf("the error for another prefix is %v", err)
	}
}

func TestAStoreConfigThatIsWrongIsAnErrorThatNamesTheField(t *testing.T) {
	for want, cfg := range map[string]StoreConfig{
		"redis store: StoreConfig.Prefix has 257 bytes, want at most 256":         {Prefix: strings.Repeat("x", 257)},
		"redis store: StoreConfig.Timeout is -1s, want 1ms to 5s, or 0 for 1s":    {Timeout: -time.Second},
		"redis store: StoreConfig.Timeout is 1h0m0s, want 1ms to 5s, or 0 for 1s": {Timeout: time.Hour},
	} {
		if _, err := NewStore(replies(nil), cfg); err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
	for _, nobody := range []redis.Scripter{nil, (*redis.Client)(nil)} {
		if _, err := NewStore(nobody, StoreConfig{}); err == nil || err.Error() != "redis store: the client is nil" {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestAClaimThatIsNonsenseIsAnError(t *testing.T) {
	for name, reply := range map[string]any{
		"nothing":       nil,
		"a text":        "OK",
		"a moment":      []any{int64(1), int64(0), int64(0)},
		"too long":      []any{int64(1), int64(0), int64(0), int64(0), int64(0)},
		"texts":         []any{"1", "0", "0", "0"},
		"negative":      []any{int64(1), int64(-1), int64(0), int64(0)},
		"a time beyond": []any{int64(2), int64(1) << 62, int64(0), int64(0)},
	} {
		c, err := storeOf(t, replies(reply), StoreConfig{}).Claim(t.Context(), "orders:m1", "a", time.Minute)
		if c != (use.Claim{}) || err == nil || !strings.HasPrefix(err.Error(), "redis store: the reply to the script is nonsense: ") {
			t.Errorf("%s: the answer is %+v, %v", name, c, err)
		}
	}
}

// late is a client whose first answer comes after the Timeout. It notes the arguments of the calls.
type late struct {
	redis.Scripter
	reply any

	mu    sync.Mutex
	calls [][]any
}

func (l *late) EvalSha(ctx context.Context, _ string, _ []string, args ...any) *redis.Cmd {
	l.mu.Lock()
	l.calls = append(l.calls, args)
	first := len(l.calls) == 1
	l.mu.Unlock()
	cmd := redis.NewCmd(ctx)
	if cmd.SetVal(l.reply); first {
		time.Sleep(10 * time.Second)
	}
	return cmd
}

func TestAClaimWhoseAnswerComesTooLateIsGivenBack(t *testing.T) {
	for name, test := range map[string]struct {
		reply []any
		ended bool
	}{
		"new":     {[]any{int64(1), int64(0), int64(0), int64(0)}, true},
		"renewed": {[]any{int64(1), int64(0), int64(0), int64(1)}, false}, // its handler runs
		"busy":    {[]any{int64(2), int64(5), int64(0), int64(0)}, false},
		"done":    {[]any{int64(3), int64(0), int64(0), int64(0)}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := &late{reply: test.reply}
			_, err := storeOf(t, client, StoreConfig{}).Claim(t.Context(), "orders:m1", "a", time.Minute)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 1s") {
				t.Errorf("%s: the error is %v", name, err)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			ended := len(client.calls) == 2 && client.calls[1][0] == "a" && client.calls[1][1] == int64(giveBack)
			if ended != test.ended || len(client.calls) > 2 {
				t.Errorf("%s: the calls are %v", name, client.calls)
			}
		})
	}
}

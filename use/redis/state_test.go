package redis

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/redistest"
	"github.com/bunnicula-go/bunnicula/use"
)

// crowd makes n messages ask of which only the first gets a moment.
func crowd(t *testing.T, l use.Limiter, n int) {
	t.Helper()
	for i := range n {
		s, err := l.Moment(t.Context(), use.Ask{Key: "acme", ID: fmt.Sprintf("%08d-0000-4000-8000-000000000000", i), Near: 100 * time.Millisecond})
		if err != nil || s.Given != (i == 0) {
			t.Fatalf("message %d: %+v, %v", i, s, err)
		}
	}
}

func TestAKeyIsForgottenByItself(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	crowd(t, limiterOf(t, server.Client(t), Config{Limit: perSecond(5)}), 5) // the end of the line is in a second
	if left := server.Do("PTTL", "bunnicula:limit:acme").(int64); left < 800 || left > 1300 {
		t.Errorf("it is to be forgotten in %d ms", left)
	}
	amqptest.Eventually(t, 5*time.Second, func() bool { return server.Do("DBSIZE").(int64) == 0 }, "a key is left")
}

func TestPlacesOfMessagesThatDoNotComeAreDropped(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	l := limiterOf(t, server.Client(t), Config{Limit: perSecond(5)})
	crowd(t, l, 5)
	before := server.Do("ZCARD", "bunnicula:limit:acme").(int64)
	time.Sleep(1200 * time.Millisecond) // Redis has a clock of its own
	if _, err := l.Moment(t.Context(), use.Ask{Key: "acme", ID: "new", Near: 100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if after := server.Do("ZCARD", "bunnicula:limit:acme").(int64); before != 7 || after > 4 {
		t.Errorf("there are %d members, and then %d", before, after)
	}
}

func TestWhatAKeyTakesOfMemory(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	for _, test := range []struct{ messages, most int64 }{{1, 200}, {101, 100 * 60}, {1001, 1000 * 160}, {5001, 5000 * 160}} {
		server.Flush()
		crowd(t, limiterOf(t, server.Client(t), Config{Limit: use.Limit{Events: 1, Per: time.Hour}}), int(test.messages))
		n := server.Do("MEMORY", "USAGE", "bunnicula:limit:acme", "SAMPLES", "0").(int64)
		t.Logf("a key with %d messages that wait takes %d bytes", test.messages-1, n)
		if n > test.most {
			t.Errorf("a key with %d messages that wait takes %d bytes, want at most %d", test.messages-1, n, test.most)
		}
	}
}

func TestAClockOfRedisThatIsSetGivesNoMomentTwice(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t)
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct{ by, wait time.Duration }{
		"forward": {time.Hour, 20 * time.Millisecond}, "back": {-time.Hour, time.Hour + 20*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := newLimiter(server.Client(t), Config{Limit: perSecond(50), Prefix: name}, drawnClock)
			if err != nil {
				t.Fatal(err)
			}
			asks := func(id string, at time.Time) use.Answer {
				h := history{limit: perSecond(50)}
				return h.reply(t, l, use.Ask{Key: "acme", ID: id, First: 2 * time.Hour}, at)
			}
			asks("m1", now)
			if s := asks("m2", now.Add(test.by)); test.by < 0 && s.Wait != test.wait {
				t.Errorf("the first message afterwards waits for %s, want %s", s.Wait, test.wait)
			}
			if s := asks("m3", now.Add(test.by)); s.Wait < test.wait {
				t.Errorf("the second message afterwards waits for %s, want at least %s", s.Wait, test.wait)
			}
		})
	}
}

// The documentation has this line.
const permissions = "ACL SETUSER bunnicula on >PASSWORD resetkeys ~bunnicula:limit:* resetchannels -@all +evalsha +eval +time +zscore +zadd +zrem +zremrangebyscore +pexpire"

func TestThePermissionsThatTheDocumentationHasAreEnough(t *testing.T) {
	amqptest.Long(t)
	if text, err := os.ReadFile("doc.go"); err != nil || !strings.Contains(string(text), "//\t"+permissions+"\n") {
		t.Errorf("doc.go does not have them: %v", err)
	}
	server := redistest.Start(t)
	var command []any
	for word := range strings.FieldsSeq(strings.ReplaceAll(permissions, "PASSWORD", secret)) {
		command = append(command, word)
	}
	server.Do(command...)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, Username: "bunnicula", Password: secret, DialerRetries: 1})
	defer func() { _ = client.Close() }()
	l := limiterOf(t, client, Config{Limit: perSecond(1)})
	server.Do("SCRIPT", "FLUSH")
	crowd(t, l, 3)
	if _, err := limiterOf(t, client, Config{Prefix: "other:"}).Moment(t.Context(), ask); err == nil || !strings.Contains(err.Error(), "NOPERM") || strings.Contains(err.Error(), secret) {
		t.Errorf("the error for another prefix is %v", err)
	}
}

func TestAClusterTakesEveryKey(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t, "cluster-enabled yes")
	server.Do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr}})
	defer func() { _ = client.Close() }()
	l := limiterOf(t, client, Config{Limit: perSecond(1), Timeout: 5 * time.Second})
	amqptest.Eventually(t, 10*time.Second, func() bool {
		return strings.Contains(fmt.Sprint(server.Do("CLUSTER", "INFO")), "cluster_state:ok")
	}, "the cluster is not ready")
	for _, key := range []string{"", "acme", "a{b}c", "{}", "\x00", strings.Repeat("long", 1000)} {
		for _, given := range []bool{true, false} {
			if s, err := l.Moment(t.Context(), use.Ask{Key: key, ID: fmt.Sprint(given)}); err != nil || s.Given != given {
				t.Errorf("key %.10q: %+v, %v", key, s, err)
			}
		}
	}
}

package brokertest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// failing is a test that may fail, and keeps the words.
type failing struct {
	testing.TB
	mu   sync.Mutex
	text strings.Builder
	over []func()
}

func (f *failing) Helper()          {}
func (f *failing) Cleanup(g func()) { f.over = append(f.over, g) }
func (f *failing) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(&f.text, format+"\n", args...)
}
func (f *failing) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }
func (f *failing) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// says runs f, and returns with what words it failed.
func says(t *testing.T, f func(*failing)) string {
	t.Helper()
	fake := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for i := len(fake.over) - 1; i >= 0; i-- {
				fake.over[i]()
			}
		}()
		f(fake)
	}()
	<-done
	return fake.text.String()
}

func contains(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("got %q, want %q in it", got, w)
		}
	}
}

func TestOutsideOfABubbleNewSaysWhatToDo(t *testing.T) {
	contains(t, says(t, func(f *failing) { brokertest.New(f) }), "outside of a bubble", "brokertest.Run")
}

func TestAQueueThatIsNotThereIsNamedWithThoseThatAre(t *testing.T) {
	for name, look := range map[string]func(*brokertest.Broker){
		"Want":      func(b *brokertest.Broker) { b.Want("ordres", brokertest.Status{}) },
		"Status":    func(b *brokertest.Broker) { b.Status("ordres") },
		"Consumers": func(b *brokertest.Broker) { b.Consumers("ordres") },
		"Parked":    func(b *brokertest.Broker) { b.Parked("ordres") },
		"Redrive":   func(b *brokertest.Broker) { b.Redrive("ordres") },
		"Settle":    func(b *brokertest.Broker) { b.Settle(time.Minute, "ordres") },
		"Full":      func(b *brokertest.Broker) { b.Full("ordres", time.Minute) },
		"Delete":    func(b *brokertest.Broker) { b.Delete("ordres") },
	} {
		synctest.Test(t, func(t *testing.T) {
			contains(t, says(t, func(f *failing) { look(brokertest.New(f)) }), name+": there is no queue", `"ordres`, "has the app started, with the Option")
			contains(t, says(t, func(f *failing) {
				b := brokertest.New(f)
				app := started(t, acked, b.Option())
				defer app.RequireStop()
				look(b)
			}), name+": there is no queue", `"orders-quarantine"`)
		})
	}
}

func TestWantSaysWhatDiffersAndWhyMessagesAreParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := says(t, func(f *failing) {
			b := brokertest.New(f)
			app := started(t, acked, b.Option())
			defer app.RequireStop()
			for range 7 {
				if err := b.Publisher().Publish(t.Context(), "orders", "no order"); err != nil {
					t.Error(err)
				}
			}
			b.Settle(time.Minute)
			b.Want("orders", brokertest.Status{Ready: 1})
		})
		contains(t, text, "orders:", "ready  0, want 1", "parked  7, want 0", "undecodable: decode: json: cannot unmarshal string", "and 2 more")
		if strings.Contains(text, "waiting") {
			t.Errorf("it says what does not differ: %s", text)
		}
	})
}

// It would wait for ever if no time passed.
func TestSettleFailsOnAnAppThatPublishesToItselfWithoutEnd(t *testing.T) {
	brokertest.Busy(t, 1000)
	synctest.Test(t, func(t *testing.T) {
		contains(t, says(t, func(f *failing) {
			b := brokertest.New(f)
			app := started(t, func(context.Context, consumer.Message[order]) consumer.Result {
				if err := b.Publisher().Publish(context.Background(), "orders", order{1}); err != nil {
					t.Error(err)
				}
				return consumer.Ack()
			}, b.Option())
			defer app.RequireStop()
			publish(t, b, 1)
			b.Settle(30 * time.Second)
		}), "not settled after 30s: orders has ")
	})
}

func TestSettleAndUntilSayWhatIsStillWhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := says(t, func(f *failing) {
			b := brokertest.New(f)
			app := started(t, retried, b.Option())
			defer app.RequireStop()
			publish(t, b, 1)
			b.Settle(30 * time.Second)
		})
		contains(t, text, "not settled after 30s: orders has 1 waiting")
		if strings.Contains(text, "no consumer") {
			t.Errorf("it has one: %s", text)
		}
		text = says(t, func(f *failing) {
			b := brokertest.New(f)
			process := b.Process("worker")
			app := started(t, acked, process.Option())
			defer app.RequireStop()
			process.Kill()
			publish(t, b, 1)
			b.Settle(time.Minute)
		})
		contains(t, text, "not settled after 1m0s: orders has 1 ready, and no consumer")
		text = says(t, func(f *failing) {
			began := time.Now()
			defer func() {
				if took := time.Since(began); took < time.Hour || took > time.Hour+time.Second {
					t.Errorf("it took %s", took)
				}
			}()
			brokertest.New(f).Until(time.Hour, "the moon is full", func() bool { return false })
		})
		contains(t, text, "not after 1h0m0s: the moon is full")
	})
}

func TestAWrongTermOfARedriveIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		contains(t, says(t, func(f *failing) { brokertest.New(f).Redrive("orders", "raison=timeout") }), "Redrive", "raison")
	})
}

func TestAnAppThatIsNotStoppedIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		contains(t, says(t, func(f *failing) { started(t, acked, brokertest.New(f).Process("forgotten").Option()) }), `the process "forgotten" still runs`, "RequireStop")
	})
}

func TestAnOptionThatNoAppUsesIsNamed(t *testing.T) {
	for name, use := range map[string]func(fx.Option){
		"forgotten":   func(fx.Option) {},
		"in a module": func(o fx.Option) { fx.New(fx.NopLogger, fx.Module("test", o)) },
	} {
		synctest.Test(t, func(t *testing.T) {
			contains(t, says(t, func(f *failing) { use(brokertest.New(f).Process(name).Option()) }), `no app has used the Option of the process "`+name, "not to a module")
		})
	}
}

func TestWhatARealBrokerCannotBeToldIsSaid(t *testing.T) {
	for name, tell := range map[string]func(*brokertest.Broker){
		"Alarm":   func(b *brokertest.Broker) { b.Alarm(time.Second) },
		"Restart": func(b *brokertest.Broker) { b.Restart(time.Second) },
		"Full":    func(b *brokertest.Broker) { b.Full("orders", time.Second) },
	} {
		contains(t, says(t, func(f *failing) {
			b := brokertest.Real(f, amqptest.URL(t))
			if b.InMemory() {
				t.Error("it is said to be in memory")
			}
			tell(b)
		}), name+": only a broker in memory", "InMemory")
	}
}

func TestARealBrokerThatIsNotThereIsNamedWithoutItsPassword(t *testing.T) {
	defer brokertest.StartsWithin(brokertest.StartsWithin(200 * time.Millisecond))
	text := says(t, func(f *failing) { brokertest.Real(f, "amqp://guest:hidden@localhost:1/") })
	contains(t, text, "no broker at localhost:1")
	contains(t, says(t, func(f *failing) { brokertest.Real(f, "http://localhost") }), "Real: ", "URL")
	if strings.Contains(text, "hidden") {
		t.Errorf("it shows the password: %s", text)
	}
}

func retried(context.Context, consumer.Message[order]) consumer.Result {
	return consumer.Retry(errors.New("busy"))
}

func TestARealBrokerWithoutAURLIsRefusedAtOnce(t *testing.T) {
	contains(t, says(t, func(f *failing) { brokertest.Real(f, "") }), "Real: the URL is empty, want amqp://")
}

package health

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
)

// app is one connection and one consumer, whose health the test sets.
type app struct {
	link     atomic.Pointer[connection.LinkHealth]
	consumer atomic.Pointer[consumer.Health]
}

type (
	appConnection struct{ *app }
	appConsumers  struct{ *app }
)

func (a appConnection) Name() string { return "app" }
func (a appConnection) Health() connection.Health {
	return connection.Health{Consuming: *a.link.Load()}
}
func (a appConsumers) Health() []consumer.Health { return []consumer.Health{*a.consumer.Load()} }

func newApp(t *testing.T, cfg Config) (*Health, *app) {
	t.Helper()
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{}
	a.set(connection.LinkHealth{Used: true, Connected: true}, consumer.Health{Ready: true, Subscribed: true})
	h.WatchConnection("app", appConnection{a})
	h.WatchConsumers(appConsumers{a})
	return h, a
}

func (a *app) set(l connection.LinkHealth, c consumer.Health) {
	c.Name = "orders"
	a.link.Store(&l)
	a.consumer.Store(&c)
}

var errRefused = errors.New("connection refused")

func probe(t *testing.T, h http.Handler, path string) (int, Report) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	var r Report
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return w.Code, r
}

func TestEachPartSaysWhatIsWrong(t *testing.T) {
	up := connection.LinkHealth{Used: true, Connected: true}
	fine := consumer.Health{Ready: true, Subscribed: true}
	for name, row := range map[string]struct {
		link       connection.LinkHealth
		consumer   consumer.Health
		connection Part
		of         Part
	}{
		"all is well":    {up, fine, Part{OK: true}, Part{OK: true}},
		"unused":         {connection.LinkHealth{}, fine, Part{OK: true}, Part{OK: true}},
		"not connected":  {connection.LinkHealth{Used: true, Err: errRefused}, fine, Part{Error: "consuming: connection refused"}, Part{OK: true}},
		"connecting":     {connection.LinkHealth{Used: true}, fine, Part{Error: "consuming: not connected yet"}, Part{OK: true}},
		"an alarm":       {connection.LinkHealth{Used: true, Connected: true, Blocked: "low on memory"}, fine, Part{OK: true, Warning: "consuming: the broker takes no messages (low on memory)"}, Part{OK: true}},
		"not subscribed": {up, consumer.Health{}, Part{OK: true}, Part{Error: "not subscribed yet"}},
		"refused":        {up, consumer.Health{Err: errors.New("no such queue")}, Part{OK: true}, Part{Error: "no such queue"}},
		"paused":         {up, consumer.Health{Ready: true, Paused: true}, Part{OK: true}, Part{OK: true, Warning: "it is paused"}},
		"stopping":       {up, consumer.Health{Stopping: true, Subscribed: true}, Part{OK: true}, Part{Error: "it is stopping", stopping: true}},
		"one is stuck":   {up, consumer.Health{Ready: true, Subscribed: true, Stuck: 1}, Part{OK: true}, Part{OK: true, Warning: "1 handlers are stuck"}},
		"wedged": {
			up, consumer.Health{Stuck: 3, MonitorsBlocked: 1},
			Part{OK: true}, Part{Error: "no slot is left: 3 handlers are stuck; 1 calls of a monitor do not return", Wedged: true},
		},
		"copies wait": {
			up, consumer.Health{Ready: true, CopiesBlocked: 2, Slow: true}, Part{OK: true},
			Part{OK: true, Warning: "2 copies to a retry or error queue are not taken by the broker; a message that came back without an end is handled alone"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			row.connection.Kind, row.connection.Name, row.of.Kind, row.of.Name = "connection", "app", "consumer", "orders"
			if got := ofConnection("app", connection.Health{Consuming: row.link}); got != row.connection {
				t.Errorf("the connection is %+v, want %+v", got, row.connection)
			}
			row.consumer.Name = "orders"
			if got := ofConsumer(row.consumer); got != row.of {
				t.Errorf("the consumer is %+v, want %+v", got, row.of)
			}
		})
	}
}

// Two connections, or consumers of two connections, may have the same name. Each is looked at, and
// what is wrong with one says nothing of the other.
func TestPartsOfOneNameAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, first := newApp(t, Config{WedgedAge: time.Minute})
		second := &app{}
		up, wedged := connection.LinkHealth{Used: true, Connected: true}, consumer.Health{Stuck: 4}
		fine := consumer.Health{Ready: true, Subscribed: true}
		second.set(connection.LinkHealth{Used: true, Err: errRefused}, consumer.Health{Ready: true, Subscribed: true, Connection: "billing"})
		h.WatchConnection("app", appConnection{second})
		h.WatchConnection("app", appConnection{second}) // by mistake
		h.WatchConsumers(appConsumers{second})
		h.WatchConsumers(appConsumers{second})
		r := h.Report()
		if len(r.Parts) != 4 || !r.Parts[0].OK || r.Parts[1].OK || r.Parts[3].Connection != "billing" {
			t.Fatalf("the parts are %+v", r.Parts)
		}
		// One is wedged for most of the time that is allowed, and then the other one.
		first.set(up, wedged)
		h.Report()
		time.Sleep(50 * time.Second)
		first.set(up, fine)
		wedged.Connection = "billing"
		second.set(up, wedged)
		for range 50 {
			if r := h.Report(); !r.Live {
				t.Fatalf("not live: %+v", r.Parts)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestReadyIsLostAfterTheErrorAgeAndComesBackAfterTheRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []string
		h, a := newApp(t, Config{
			OnDown: func(r Report) { calls = append(calls, "down: "+r.Err().Error()) },
			OnUp:   func(r Report) { calls = append(calls, "up"); panic("harms nobody") },
		})
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		at := func(after time.Duration, code int, status Status) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			if got, r := probe(t, h, "/readyz"); got != code || r.Status != status {
				t.Errorf("%d %s, want %d %s: %+v", got, r.Status, code, status, r.Parts)
			}
		}
		at(0, 200, OK)
		a.set(connection.LinkHealth{Used: true, Err: errRefused}, consumer.Health{Err: errRefused})
		at(DefaultErrorAge-time.Second, 200, Degraded)
		at(3*time.Second, 503, Down)
		a.set(connection.LinkHealth{Used: true, Connected: true}, consumer.Health{Ready: true})
		at(2*time.Second, 503, Down)
		at(DefaultRecovery, 200, OK)
		at(2*DefaultInterval, 200, OK)
		if err := h.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		want := `down: connection "app": consuming: connection refused` + "\n" + `consumer "orders": connection refused,up`
		if got := strings.Join(calls, ","); got != want {
			t.Errorf("the calls are\n%s\nwant\n%s", got, want)
		}
	})
}

// Who is asked, and who is told, may be a stranger.
func TestAStrangersPanicOrGoexitDoesNotStopTheLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down, up atomic.Int32
		h, a := newApp(t, Config{
			ErrorAge: NoErrorAge, Recovery: NoRecovery,
			OnDown: func(Report) { down.Add(1); runtime.Goexit() },
			OnUp:   func(Report) { up.Add(1); runtime.Goexit() },
		})
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		for range 2 {
			a.set(connection.LinkHealth{Used: true, Err: errRefused}, consumer.Health{})
			time.Sleep(3 * time.Second)
			a.set(connection.LinkHealth{Used: true, Connected: true}, consumer.Health{Ready: true})
			time.Sleep(3 * time.Second)
		}
		if down.Load() != 2 || up.Load() != 2 {
			t.Errorf("OnDown was called %d times and OnUp %d times, want 2", down.Load(), up.Load())
		}
		h.WatchConnection("nil", (*connection.Connection)(nil))
		time.Sleep(3 * time.Second)
		if err := h.Report().Err(); err == nil || !strings.Contains(err.Error(), `connection "nil": its Health panicked`) {
			t.Errorf("got %v", err)
		}
		if err := h.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestOnlyAConsumerThatIsWedgedForLongFailsLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, a := newApp(t, Config{})
		live := func(want int) {
			t.Helper()
			if got, r := probe(t, h, "/livez"); got != want || r.Live != (want == 200) {
				t.Errorf("/livez is %d, want %d: %+v", got, want, r)
			}
		}
		a.set(connection.LinkHealth{Used: true, Err: errRefused}, consumer.Health{Err: errRefused})
		live(200)
		time.Sleep(time.Hour)
		live(200) // a restart does not bring the broker back
		wedged := consumer.Health{Subscribed: false, Stuck: 4}
		a.set(connection.LinkHealth{Used: true, Connected: true}, wedged)
		live(200)
		time.Sleep(DefaultWedgedAge - 1)
		live(200)
		time.Sleep(time.Nanosecond)
		live(503)
		a.set(connection.LinkHealth{Used: true, Connected: true}, consumer.Health{Ready: true, Stuck: 1})
		live(200)
		a.set(connection.LinkHealth{Used: true, Connected: true}, wedged)
		live(200) // the age counts from zero again
	})
}

func TestWhoStopsIsNotReadyAtOnce(t *testing.T) {
	h, a := newApp(t, Config{})
	probe(t, h, "/readyz")
	a.set(connection.LinkHealth{Used: true, Connected: true}, consumer.Health{Subscribed: true, Stopping: true})
	if code, _ := probe(t, h, "/readyz"); code != 503 {
		t.Errorf("/readyz is %d", code)
	}
}

func TestTheHandlerAnswersProbesAndNothingElse(t *testing.T) {
	h, _ := newApp(t, Config{})
	for _, row := range []struct {
		method, path string
		code         int
		contains     string
	}{
		{"GET", "/livez", 200, `"live": true`},
		{"GET", "/readyz", 200, `"status": "ok"`},
		{"GET", "/internal/readyz", 200, `"name": "orders"`},
		{"HEAD", "/readyz", 200, ""},
		{"POST", "/readyz", 405, ""},
		{"GET", "/", 404, "there are /livez and /readyz"},
		{"GET", "/metrics", 404, "there are"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(row.method, row.path, nil))
		if w.Code != row.code || !strings.Contains(w.Body.String(), row.contains) {
			t.Errorf("%s %s is %d %s, want %d and %s in it", row.method, row.path, w.Code, w.Body, row.code, row.contains)
		}
	}
}

func TestItListensWhereItShould(t *testing.T) {
	h, _ := newApp(t, Config{Addr: "127.0.0.1:0"})
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	res, err := http.Get("http://" + h.Addr().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), `"status": "ok"`) || res.Body.Close() != nil {
		t.Errorf("%d %s %v", res.StatusCode, body, err)
	}
	other, _ := newApp(t, Config{Addr: h.Addr().String()})
	if err := other.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "health: Config.Addr \""+h.Addr().String()+`": listen tcp`) {
		t.Errorf("the error is %v", err)
	}
	for range 2 {
		if err := h.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := other.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestAWrongConfigIsRefusedByItsField(t *testing.T) {
	for field, c := range map[string]Config{
		"Grace": {Grace: -1}, "ErrorAge": {ErrorAge: -2}, "Recovery": {Recovery: -time.Second}, "WedgedAge": {WedgedAge: -2}, "Interval": {Interval: -1},
	} {
		if _, err := New(c); err == nil || !strings.HasPrefix(err.Error(), "health: Config."+field+" is -") {
			t.Errorf("%s: the error is %v", field, err)
		}
	}
}

func TestAllWrongFieldsAreReportedTogether(t *testing.T) {
	_, err := New(Config{Grace: -1, Interval: -1})
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, want := range []string{"Grace is", "Interval is"} {
		if !strings.Contains(err.Error(), "health: Config."+want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}

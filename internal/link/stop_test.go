package link_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/link"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestStopEndsEverySessionAndMayBeCalledTwice(t *testing.T) {
	conn := connect(t, connection.Config{URL: amqptest.URL(t)})
	publishing, consuming := session(t, conn.Transport().Publishing()), session(t, conn.Transport().Consuming())
	var stops sync.WaitGroup
	for range 3 {
		stops.Go(func() {
			if err := conn.Stop(soon(t)); err != nil {
				t.Errorf("Stop: %v", err)
			}
		})
	}
	stops.Wait()
	ended(t, publishing)
	ended(t, consuming)
	if err := conn.Stop(soon(t)); err != nil {
		t.Errorf("Stop again: %v", err)
	}
	if _, err := conn.Transport().Publishing().Session(soon(t)); !errors.Is(err, connection.ErrClosed) {
		t.Errorf("a session after Stop: %v, want ErrClosed", err)
	}
	if err := conn.Ready(soon(t)); !errors.Is(err, connection.ErrClosed) {
		t.Errorf("Ready after Stop: %v, want ErrClosed", err)
	}
	if h := conn.Health(); h.OK() || h.Publishing.Connected {
		t.Errorf("health after Stop: %+v", h)
	}
}

func TestStopBeforeAnythingWasOpened(t *testing.T) {
	conn := connect(t, connection.Config{URL: amqptest.URL(t)})
	if err := conn.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := conn.Transport().Consuming().Session(soon(t)); !errors.Is(err, connection.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestStopFreesWhoWaitsForASession(t *testing.T) {
	conn := connect(t, connection.Config{URL: "amqp://" + amqptest.Nobody(t)})
	waiting := make(chan error, 1)
	go func() {
		_, err := conn.Transport().Publishing().Session(context.Background())
		waiting <- err
	}()
	amqptest.Eventually(t, 5*time.Second, func() bool { return conn.Health().Publishing.Used }, "it does not begin")
	if err := conn.Stop(soon(t)); err != nil {
		t.Error(err)
	}
	if err := <-waiting; !errors.Is(err, connection.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestStopWhileDialing(t *testing.T) {
	cfg, proxy := through(t)
	proxy.Freeze()
	conn := connect(t, cfg) // its DialTimeout is 15 s
	go func() { _, _ = conn.Transport().Publishing().Session(context.Background()) }()
	amqptest.Eventually(t, 5*time.Second, func() bool { return proxy.Connections() == 1 }, "it does not dial")
	began := time.Now()
	if err := conn.Stop(soon(t)); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("after %s", took)
	}
	amqptest.Eventually(t, 5*time.Second, func() bool { proxy.Thaw(); return proxy.Connections() == 0 }, "its TCP connection is still open")
}

func TestStopOfAFrozenPeerEndsWithItsContext(t *testing.T) {
	cfg, proxy := through(t)
	conn := connect(t, cfg)
	publishing, consuming := session(t, conn.Transport().Publishing()), session(t, conn.Transport().Consuming())
	proxy.Freeze()
	stuck := make(chan error, 1)
	go func() { stuck <- link.Stuck(publishing) }()
	began := time.Now()
	err := conn.Stop(within(t, 500*time.Millisecond))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("after %s", took)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	ended(t, publishing)
	ended(t, consuming)
	if err := <-stuck; err == nil {
		t.Error("what was stuck ends without an error")
	}
}

func TestStopWithAContextThatHasEndedClosesTheSocketsAllTheSame(t *testing.T) {
	cfg, proxy := through(t)
	conn := connect(t, cfg)
	s := session(t, conn.Transport().Publishing())
	proxy.Freeze()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = conn.Stop(ctx)
	ended(t, s)
}

func TestReadyWaitsForWhatIsInUse(t *testing.T) {
	cfg, proxy := through(t)
	conn := connect(t, cfg)
	if err := conn.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	if h := conn.Health(); !h.Publishing.Connected || h.Consuming.Used || !h.OK() {
		t.Errorf("with nothing in use it opens the one to publish: %+v", h)
	}
	consuming := session(t, conn.Transport().Consuming())
	proxy.Refuse()
	proxy.Cut()
	ended(t, consuming)
	if err := conn.Ready(within(t, 100*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a broker: %v", err)
	}
	proxy.Accept()
	if err := conn.Ready(soon(t)); err != nil {
		t.Error(err)
	}
	if h := conn.Health(); !h.OK() || !h.Consuming.Connected || !h.Publishing.Connected || h.Consuming.Lost != 1 {
		t.Errorf("health: %+v", h)
	}
}

func TestTwoConnectionsInOneProcessDoNotTouchEachOther(t *testing.T) {
	cfg, proxy := through(t)
	a, b := connect(t, cfg), connect(t, connection.Config{URL: amqptest.URL(t)})
	first, other := session(t, a.Transport().Publishing()), session(t, b.Transport().Publishing())
	proxy.Cut()
	ended(t, first)
	works(t, other)
	if err := a.Stop(soon(t)); err != nil {
		t.Error(err)
	}
	works(t, other)
}

func TestTheBrokerShowsTheConnectionsName(t *testing.T) {
	name := amqptest.Queue(t, "connection-name")
	conn := connect(t, connection.Config{URL: amqptest.URL(t), Name: name, Version: "v1.2-" + name})
	session(t, conn.Transport().Publishing())
	session(t, conn.Transport().Consuming())
	if conn.Name() != name {
		t.Errorf("Name is %q", conn.Name())
	}
	if v := connect(t, connection.Config{URL: amqptest.URL(t)}).Version(); v != "" {
		t.Errorf("a test has the version %q", v)
	}
	shown := amqptest.Ctl(t, "list_connections", "client_properties")
	for _, want := range []string{name + " (publish)", name + " (consume)", "Bunnicula for Go", `{"app","` + name + `"}`, `{"app_version","v1.2-` + name + `"}`} {
		if !strings.Contains(shown, want) {
			t.Errorf("the broker does not show %q:\n%s", want, shown)
		}
	}
}

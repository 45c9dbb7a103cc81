package link_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/link"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

func TestWithoutABrokerASessionIsWaitedForUntilTheContextEnds(t *testing.T) {
	addr := amqptest.Nobody(t)
	conn := connect(t, connection.Config{URL: "amqp://u:hunter2@" + addr})
	_, err := conn.Transport().Publishing().Session(within(t, 100*time.Millisecond))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), addr) ||
		!strings.Contains(err.Error(), "connection refused") || transport.Permanent(err) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	h := conn.Health()
	if h.OK() || !h.Publishing.Used || h.Publishing.Connected || h.Publishing.Err == nil || h.Consuming.Used {
		t.Errorf("health: %+v", h)
	}
}

func TestABrokerThatComesLaterIsFound(t *testing.T) {
	cfg, proxy := through(t)
	proxy.Refuse()
	conn := connect(t, cfg)
	go func() {
		for conn.Health().Publishing.Err == nil { // until the first attempt has failed
			time.Sleep(time.Millisecond)
		}
		proxy.Accept()
	}()
	works(t, session(t, conn.Transport().Publishing()))
	if h := conn.Health(); !h.OK() || !h.Publishing.Connected || h.Publishing.Err != nil || h.Publishing.Addr != proxy.Addr() || h.Publishing.Lost != 0 {
		t.Errorf("health: %+v", h)
	}
}

func TestTheFirstOfTwoURLsMayBeDead(t *testing.T) {
	conn := connect(t, connection.Config{URLs: []string{"amqp://u:p@" + amqptest.Nobody(t), amqptest.URL(t)}, MinBackoff: time.Minute, MaxBackoff: time.Minute})
	works(t, session(t, conn.Transport().Publishing())) // the supervisor does not pause
}

func TestTheFirstOfTwoURLsMayRefuseUsAndTheSecondLetsUsIn(t *testing.T) {
	u, err := url.Parse(amqptest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("bunnicula", "hunter2")
	conn := connect(t, connection.Config{URLs: []string{u.String(), amqptest.URL(t)}, MinBackoff: time.Minute, MaxBackoff: time.Minute})
	// The supervisor does not pause, and Session returns no error before.
	works(t, session(t, conn.Transport().Publishing()))
}

func TestAWrongPasswordIsAnErrorAtOnce(t *testing.T) {
	conn := connect(t, connection.Config{URL: amqptest.URL(t), Password: "hunter2"})
	began := time.Now()
	_, err := conn.Transport().Publishing().Session(soon(t))
	var refused *connection.RefusedError
	if !errors.As(err, &refused) || !transport.Permanent(err) || !strings.Contains(err.Error(), "ACCESS_REFUSED") ||
		!strings.Contains(err.Error(), "check user and password") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("after %s", took)
	}
	if _, err := conn.Transport().Publishing().Session(soon(t)); !transport.Permanent(err) {
		t.Errorf("the second time: %v", err)
	}
}

func TestAWrongVHostIsAnErrorAtOnce(t *testing.T) {
	conn := connect(t, connection.Config{URL: amqptest.URL(t), VHost: "no-such-vhost"})
	_, err := conn.Transport().Publishing().Session(soon(t))
	if !transport.Permanent(err) || !strings.Contains(err.Error(), `vhost "no-such-vhost"`) {
		t.Errorf("got %v", err)
	}
}

// The broker, or a proxy before it, may end the connection during the handshake. The client library
// reports that as a wrong password.
func TestAHandshakeThatIsCutShortIsNotAWrongPassword(t *testing.T) {
	// A handshake cut in front of the answer for the user, and one cut in front of that for the
	// vhost.
	for _, after := range []int{0, 1} {
		proxy := cutAfter(t, after)
		conn := connect(t, connection.Config{URL: proxy, MinBackoff: 10 * time.Millisecond, MaxBackoff: 50 * time.Millisecond})
		_, err := conn.Transport().Publishing().Session(within(t, 300*time.Millisecond))
		if transport.Permanent(err) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the handshake ended") {
			t.Errorf("cut after %d writes: %v", after, err)
		}
	}
}

// cutAfter returns the URL of a proxy that closes a connection at the client's nth write after the
// protocol header.
func cutAfter(t *testing.T, writes int) string {
	t.Helper()
	u, err := url.Parse(amqptest.URL(t))
	if err != nil {
		t.Fatal("AMQP_URL is not a URL")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	broker := u.Host
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer client.Close()
				server, err := net.Dial("tcp", broker)
				if err != nil {
					return
				}
				defer server.Close()
				all.Go(func() {
					buf := make([]byte, 4096)
					for {
						n, err := server.Read(buf)
						if err != nil {
							return
						}
						if _, err := client.Write(buf[:n]); err != nil {
							return
						}
					}
				})
				buf := make([]byte, 4096)
				for range writes + 1 {
					n, err := client.Read(buf)
					if err != nil {
						return
					}
					if _, err := server.Write(buf[:n]); err != nil {
						return
					}
				}
				_, _ = client.Read(buf) // and swallow the last one
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	u.Host = l.Addr().String()
	return u.String()
}

func TestAPasswordThatIsRotatedIsRetriedSlowly(t *testing.T) {
	user := amqptest.Queue(t, "connection-user")
	amqptest.User(t, user, "before", ".*", ".*", ".*")

	cfg, proxy := through(t)
	cfg.Username, cfg.Password = user, "before"
	cfg.MinBackoff, cfg.MaxBackoff = 10*time.Millisecond, 500*time.Millisecond
	conn := connect(t, cfg)
	first := session(t, conn.Transport().Publishing())
	if first.User() != user {
		t.Errorf("user is %q", first.User())
	}

	amqptest.ChangePassword(t, user, "after")
	proxy.Cut()
	ended(t, first)
	began := time.Now()
	amqptest.Eventually(t, 10*time.Second, func() bool { return transport.Permanent(conn.Health().Publishing.Err) }, "not refused")
	_, err := conn.Transport().Publishing().Session(within(t, 200*time.Millisecond))
	if !transport.Permanent(err) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want to have waited", err)
	}

	amqptest.ChangePassword(t, user, "before")
	works(t, session(t, conn.Transport().Publishing()))
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("retried after %s", took)
	}
}

func TestACutConnectionIsOpenedAgain(t *testing.T) {
	cfg, proxy := through(t)
	conn := connect(t, cfg)
	told := listen(conn)
	for range 3 {
		publishing, consuming := session(t, conn.Transport().Publishing()), session(t, conn.Transport().Consuming())
		if publishing == consuming {
			t.Fatal("one TCP connection for both")
		}
		works(t, publishing)
		works(t, consuming)
		if n := proxy.Cut(); n != 2 {
			t.Errorf("%d TCP connections, want 2", n)
		}
		ended(t, publishing)
		ended(t, consuming)
		if publishing.Err() == nil {
			t.Error("an ended session has no error")
		}
		if _, err := publishing.Channel(soon(t)); err == nil {
			t.Error("a channel of an ended session")
		}
	}
	session(t, conn.Transport().Publishing())
	session(t, conn.Transport().Consuming())
	if err := conn.Stop(soon(t)); err != nil {
		t.Fatal(err)
	}
	// Connected and lost in turn. The loss by Stop is not told.
	want := []connection.Kind{1, 2, 1, 2, 1, 2, 1}
	for _, purpose := range []string{"publish", "consume"} {
		if got := told.kinds(purpose); !slices.Equal(got, want) {
			t.Errorf("notices for %s: %v, want %v", purpose, got, want)
		}
	}
	if lost := conn.Health().Publishing.Lost; lost != 3 {
		t.Errorf("lost %d times, want 3", lost)
	}
}

func TestAfterALongOutageTheBrokerIsFoundSoon(t *testing.T) {
	cfg, proxy := through(t)
	// An attempt that nothing else bounds takes an hour.
	cfg.MinBackoff, cfg.MaxBackoff = 2*time.Second, time.Hour
	conn := connect(t, cfg)
	first := session(t, conn.Transport().Publishing())
	proxy.Refuse()
	proxy.Cut()
	ended(t, first)
	amqptest.Eventually(t, 10*time.Second, func() bool {
		err := conn.Health().Publishing.Err
		return err != nil && strings.Contains(err.Error(), "refused")
	}, "it is not tried again")
	proxy.Accept()
	if _, err := conn.Transport().Publishing().Session(within(t, link.Soon+2*time.Second)); err != nil {
		t.Error(err)
	}
}

func TestAFrozenPeerIsNoticedAndEverythingThatIsStuckIsFreed(t *testing.T) {
	cfg, proxy := through(t)
	cfg.Heartbeat, cfg.DialTimeout = time.Second, 2*time.Second
	conn := connect(t, cfg)
	s := session(t, conn.Transport().Publishing())
	works(t, s)
	channel := func() error { _, err := s.Channel(context.Background()); return err }
	proxy.Freeze()
	began := time.Now()
	stuck := make(chan error, 3)
	for _, f := range []func() error{func() error { return link.Stuck(s) }, channel, channel} {
		go func() { stuck <- f() }()
	}
	for range 3 {
		select {
		case err := <-stuck:
			if err == nil {
				t.Error("no error")
			}
		case <-soon(t).Done():
			t.Fatal("still stuck")
		}
	}
	ended(t, s)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("freed after %s, want at most two heartbeats", took)
	}
	if !strings.Contains(s.Err().Error(), "no sign of life for 1.5s") {
		t.Errorf("why: %v", s.Err())
	}
	proxy.Thaw()
	works(t, session(t, conn.Transport().Publishing()))
}

// The heartbeat timeout begins after the handshake, not with the first byte after it.
func TestAPeerThatFreezesRightAfterTheHandshakeIsNoticed(t *testing.T) {
	cfg, proxy := through(t)
	cfg.URL += "?heartbeat=0" // the framework takes 0 for 1 s
	conn := connect(t, cfg)
	s := session(t, conn.Transport().Publishing())
	proxy.Freeze()
	began := time.Now()
	ended(t, s)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("noticed after %s", took)
	}
	proxy.Thaw()
}

func TestABrokerThatAcceptsAndSaysNothingIsGivenUp(t *testing.T) {
	cfg, proxy := through(t)
	cfg.DialTimeout = 200 * time.Millisecond
	proxy.Freeze()
	conn := connect(t, cfg)
	_, _ = conn.Transport().Publishing().Session(within(t, time.Second))
	if err := conn.Health().Publishing.Err; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), proxy.Addr()) {
		t.Errorf("got %v", err)
	}
	proxy.Thaw()
	works(t, session(t, conn.Transport().Publishing()))
}

func TestANoticeThatPanicsOrTakesLongHoldsUpNothing(t *testing.T) {
	cfg, proxy := through(t)
	conn := connect(t, cfg)
	release := make(chan struct{})
	conn.Notify(func(connection.Event) { <-release; panic("oops") })
	told := listen(conn)
	never := 0
	stop := conn.Notify(func(connection.Event) { never++ })
	stop()
	first := session(t, conn.Transport().Publishing())
	proxy.Cut()
	ended(t, first)
	works(t, session(t, conn.Transport().Publishing()))
	if got := told.kinds("publish"); len(got) != 0 {
		t.Errorf("told out of turn: %v", got)
	}
	close(release)
	want := []connection.Kind{connection.Connected, connection.Lost, connection.Connected}
	amqptest.Eventually(t, 5*time.Second, func() bool { return slices.Equal(told.kinds("publish"), want) }, "not told")
	if never != 0 {
		t.Error("told after it was stopped")
	}
}

func TestANoticeThatCallsGoexitHoldsUpNoOther(t *testing.T) {
	cfg, proxy := through(t)
	conn := connect(t, cfg)
	told := listen(conn)
	conn.Notify(func(connection.Event) { runtime.Goexit() }) // as t.FailNow does
	first := session(t, conn.Transport().Publishing())
	want := []connection.Kind{connection.Connected}
	amqptest.Eventually(t, 5*time.Second, func() bool { return slices.Equal(told.kinds("publish"), want) }, "not told")
	proxy.Cut()
	ended(t, first)
	works(t, session(t, conn.Transport().Publishing()))
	want = append(want, connection.Lost, connection.Connected)
	amqptest.Eventually(t, 5*time.Second, func() bool { return slices.Equal(told.kinds("publish"), want) }, "not told of later events")
}

func TestAKindIsAWord(t *testing.T) {
	got := []string{}
	for k := connection.Connected; k <= connection.Unblocked+1; k++ {
		got = append(got, k.String())
	}
	if want := []string{"connected", "lost", "blocked", "unblocked", "kind(5)"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

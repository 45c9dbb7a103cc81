package connection_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// source is a Config.Credentials for the tests' broker, whose answers a test may change.
type source struct {
	bare  string // the broker's URL without a user
	user  string
	right string // the password
	asked atomic.Int64
	give  atomic.Pointer[func(context.Context, connection.Credentials) (connection.Credentials, error)]
}

func newSource(t *testing.T) *source {
	t.Helper()
	u, err := url.Parse(amqptest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	s := &source{user: u.User.Username()}
	s.right, _ = u.User.Password()
	u.User = nil
	s.bare = u.String()
	return s
}

func (s *source) get(ctx context.Context) (connection.Credentials, error) {
	s.asked.Add(1)
	right := connection.Credentials{Username: s.user, Password: s.right}
	if give := s.give.Load(); give != nil {
		return (*give)(ctx, right)
	}
	return right, nil
}

func (s *source) gives(f func(context.Context, connection.Credentials) (connection.Credentials, error)) {
	s.give.Store(&f)
}

// open makes a Connection that asks the source, and its log.
func (s *source) open(t *testing.T, cfg connection.Config) (*connection.Connection, *output) {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = s.bare
	}
	cfg.Credentials = s.get
	cfg.MinBackoff, cfg.MaxBackoff = 20*time.Millisecond, 200*time.Millisecond
	log := new(output)
	conn, err := connection.New(cfg, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Stop(within(t, 5*time.Second)); err != nil {
			t.Error(err)
		}
	})
	return conn, log
}

func TestEachTCPConnectionAsksForItsCredentials(t *testing.T) {
	s := newSource(t)
	proxy := amqptest.NewProxy(t, s.bare)
	conn, _ := s.open(t, connection.Config{URL: proxy.URL()})
	tr := conn.Transport()
	publishing := session(t, tr.Publishing())
	works(t, publishing)
	works(t, session(t, tr.Consuming()))
	dedicated := tr.Dedicated("test")
	works(t, session(t, dedicated))
	dedicated.Close(soon(t))
	if asked := s.asked.Load(); asked != 3 || publishing.User() != s.user {
		t.Errorf("asked %d times, want 3, as %q", asked, publishing.User())
	}
	proxy.Cut()
	<-publishing.Done()
	works(t, session(t, tr.Publishing()))
	works(t, session(t, tr.Consuming()))
	if asked := s.asked.Load(); asked != 5 {
		t.Errorf("asked %d times, want once more for each", asked)
	}
}

func TestCredentialsAreNotAskedForWhileTheBrokerIsAway(t *testing.T) {
	s := newSource(t)
	conn, _ := s.open(t, connection.Config{URL: "amqp://" + amqptest.Nobody(t)})
	if err := conn.Ready(within(t, 500*time.Millisecond)); !strings.Contains(fmt.Sprint(err), "connection refused") {
		t.Fatalf("got %v", err)
	}
	if asked := s.asked.Load(); asked != 0 {
		t.Errorf("asked %d times", asked)
	}
}

func TestASecretIsRenewedOnTheOpenConnection(t *testing.T) {
	s := newSource(t)
	s.gives(func(_ context.Context, c connection.Credentials) (connection.Credentials, error) {
		c.Expires = time.Now().Add(time.Second)
		return c, nil
	})
	conn, log := s.open(t, connection.Config{})
	first := session(t, conn.Transport().Publishing())
	amqptest.Eventually(t, 15*time.Second, func() bool { return strings.Count(log.String(), "secret renewed") >= 3 }, "not renewed")
	works(t, first)
	if h := conn.Health().Publishing; h.Lost > 0 || h.Renewal != nil {
		t.Errorf("%+v", h)
	}
	if strings.Contains(log.String(), "connection lost") {
		t.Error(log)
	}
}

func TestASecretThatIsNotRenewedInTimeEndsTheSessionAndTheNextAsksAgain(t *testing.T) {
	s := newSource(t)
	sealed, works := errors.New("vault is sealed"), new(atomic.Bool)
	s.gives(func(_ context.Context, c connection.Credentials) (connection.Credentials, error) {
		if s.asked.Load() == 1 {
			c.Expires = time.Now().Add(2 * time.Second)
			return c, nil
		}
		if works.Load() {
			return c, nil
		}
		return connection.Credentials{}, sealed
	})
	conn, log := s.open(t, connection.Config{})
	first := session(t, conn.Transport().Publishing())
	amqptest.Eventually(t, 10*time.Second, func() bool { return errors.Is(conn.Health().Publishing.Renewal, sealed) }, "Health does not tell")
	if h := conn.Health(); !h.OK() || !h.Publishing.Connected {
		t.Errorf("the secret has not expired yet: %+v", h)
	}
	<-first.Done()
	if err := first.Err(); !errors.Is(err, sealed) || !strings.Contains(err.Error(), "the secret has expired") {
		t.Errorf("the session ended: %v", err)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { h := conn.Health().Publishing; return errors.Is(h.Err, sealed) && h.Renewal == nil }, "Health does not tell")
	if asked := s.asked.Load(); asked < 4 {
		t.Errorf("asked %d times", asked)
	}
	works.Store(true)
	session(t, conn.Transport().Publishing())
	if !strings.Contains(log.String(), "secret not renewed") || !strings.Contains(log.String(), "Config.Credentials failed: vault is sealed") {
		t.Error(log)
	}
}

// A broker allows few channels on a TCP connection, so that the session has several.
func TestEachTCPConnectionOfASessionGetsTheNewSecret(t *testing.T) {
	amqptest.Long(t) // a broker of its own
	o := amqptest.StartOAuth(t, amqptest.Setting{Name: "channel_max", Value: "2"})
	u, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = nil
	s := newSource(t)
	s.gives(func(context.Context, connection.Credentials) (connection.Credentials, error) {
		expires := time.Now().Add(6 * time.Second).Truncate(time.Second)
		return connection.Credentials{Username: "shop", Password: o.Token("shop", expires), Expires: expires}, nil
	})
	conn, _ := s.open(t, connection.Config{URL: u.String()})
	session := session(t, conn.Transport().Consuming())
	channels := make([]transport.Channel, 5)
	for i := range channels {
		if channels[i], err = session.Channel(soon(t)); err != nil {
			t.Fatal(err)
		}
	}
	if asked := s.asked.Load(); asked != 3 {
		t.Fatalf("%d TCP connections, want 3", asked)
	}
	select {
	case <-session.Done():
		t.Fatalf("it ended: %v", session.Err())
	case <-time.After(15 * time.Second): // more than two tokens
	}
	for i, ch := range channels {
		if _, err := ch.QueueDeclare(fmt.Sprint("renewed-", i), false, true, true, false, nil); err != nil {
			t.Errorf("channel %d: %v", i, err)
		}
	}
}

func TestCredentialsThatFailAreAskedForAgain(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	for want, give := range map[string]func(ctx context.Context, c connection.Credentials) (connection.Credentials, error){
		"Config.Credentials failed: 503": func(context.Context, connection.Credentials) (connection.Credentials, error) {
			return connection.Credentials{}, errors.New("503")
		},
		"Config.Credentials failed: it gave no password": func(context.Context, connection.Credentials) (connection.Credentials, error) {
			return connection.Credentials{Password: "\n"}, nil
		},
		"Config.Credentials panicked: hunter": func(context.Context, connection.Credentials) (connection.Credentials, error) {
			panic("hunter")
		},
		"Config.Credentials called runtime.Goexit": func(context.Context, connection.Credentials) (connection.Credentials, error) {
			runtime.Goexit()
			return connection.Credentials{}, nil
		},
		"Config.Credentials has not returned in time": func(ctx context.Context, _ connection.Credentials) (connection.Credentials, error) {
			<-ctx.Done()
			return connection.Credentials{}, ctx.Err()
		},
		"[REDACTED] is not a token": func(_ context.Context, c connection.Credentials) (connection.Credentials, error) {
			return c, errors.New(strings.TrimSpace(c.Password) + " is not a token")
		},
	} {
		t.Run(want, func(t *testing.T) {
			s := newSource(t)
			s.right += "\r\n"
			s.gives(give)
			conn, log := s.open(t, connection.Config{DialTimeout: 300 * time.Millisecond})
			err := conn.Ready(within(t, time.Second))
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want) {
				t.Fatalf("got %v, want %q", err, want)
			}
			if h := conn.Health().Publishing; h.Err == nil || !strings.Contains(h.Err.Error(), want) {
				t.Errorf("health: %v", h.Err)
			}
			s.gives(func(_ context.Context, c connection.Credentials) (connection.Credentials, error) { return c, nil })
			if err := conn.Ready(soon(t)); err != nil {
				t.Error(err)
			}
			if !strings.Contains(log.String(), "connect failed") {
				t.Error(log)
			}
		})
	}
}

func TestCredentialsThatAreRefusedAreAnErrorAtOnce(t *testing.T) {
	s := newSource(t)
	s.gives(func(_ context.Context, c connection.Credentials) (connection.Credentials, error) {
		c.Password, c.Expires = "hunter2", time.Now().Add(-5*time.Second)
		return c, nil
	})
	conn, log := s.open(t, connection.Config{})
	err := conn.Ready(soon(t))
	var refused *connection.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "by this clock its secret had expired") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(fmt.Sprint(err, log, conn.Health()), "hunter2") {
		t.Error("the secret is shown")
	}
}

func TestCredentialsBesideAnotherLoginAreRefused(t *testing.T) {
	get := func(context.Context) (connection.Credentials, error) { return connection.Credentials{}, nil }
	for want, cfg := range map[string]connection.Config{
		"Credentials is set, and so is Username;":              {Username: "u"},
		"Credentials is set, and so is Password;":              {Password: "hunter2"},
		"Credentials is set, and so are Username and Password": {Username: "u", Password: "hunter2"},
		"the URL of h:5672 has a user":                         {URL: "amqp://u:hunter2@h"},
		"the URL of i:5672 has a user":                         {URLs: []string{"amqp://h", "amqp://u@i"}},
	} {
		cfg.Credentials = get
		if _, err := connection.New(cfg, nil); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for _, cfg := range []connection.Config{{}, {URL: "amqp://h/v"}, {Host: "h"}} {
		cfg.Credentials = get
		if _, err := connection.New(cfg, nil); err != nil {
			t.Error(err)
		}
		if text := cfg.String(); strings.Contains(text, "guest") || strings.Contains(text, "invalid") {
			t.Error(text)
		}
	}
}

func TestTheManagementAPIIsAskedWithTheSameCredentials(t *testing.T) {
	var logins []string
	refuse := true
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		logins = append(logins, user+" "+password)
		if refuse {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"name": "orders", "vhost": "/"}`)
	}))
	defer api.Close()
	n := 0
	get := func(context.Context) (connection.Credentials, error) {
		n++
		return connection.Credentials{Username: "shop", Password: fmt.Sprint("secret-", n), Expires: time.Now().Add(time.Hour)}, nil
	}
	conn := connect(t, connection.Config{URL: "amqp://" + amqptest.Nobody(t), Management: api.URL, Credentials: get})
	ask := func() error { _, err := conn.Transport().Effective(soon(t), "orders"); return err }
	if err := ask(); err == nil || strings.Contains(err.Error(), "secret-") {
		t.Errorf("got %v, want a refusal", err)
	}
	refuse = false
	_, _ = ask(), ask()
	// After the refusal the function is asked again, and its answer is kept.
	if want := []string{"shop secret-1", "shop secret-2", "shop secret-2"}; !slices.Equal(logins, want) {
		t.Errorf("logged in with %q, want %q", logins, want)
	}

	logins = nil
	own := connect(t, connection.Config{URL: "amqp://" + amqptest.Nobody(t), Management: strings.Replace(api.URL, "//", "//watcher:own@", 1), Credentials: get})
	_, _ = own.Transport().Effective(soon(t), "orders")
	if !slices.Equal(logins, []string{"watcher own"}) {
		t.Errorf("logged in with %q, want the URL's user", logins)
	}
}

func TestCredentialsShowNoPassword(t *testing.T) {
	c := connection.Credentials{Username: "shop", Password: "hunter2", Expires: time.Unix(1_700_000_000, 0).UTC()}
	const want = `connection.Credentials{"shop" until 2023-11-14T22:13:20Z}`
	asJSON, _ := json.Marshal(c)
	asXML, _ := xml.Marshal(c)
	log := new(output)
	slog.New(slog.NewJSONHandler(log, nil)).Info("c", "c", c)
	all := fmt.Sprintf("%v %+v %#v %d %s %s %s", c, c, c, c, asJSON, asXML, log)
	if strings.Contains(all, "hunter2") || c.String() != want {
		t.Errorf("got %s, want %s", all, want)
	}
}

func TestANewlineAtTheEndOfASecretIsNotPartOfIt(t *testing.T) {
	s := newSource(t)
	for name, cfg := range map[string]connection.Config{
		"a password":        {URL: s.bare, Username: s.user + "\n", Password: s.right + "\n"},
		"a file of Windows": {URL: s.bare, Username: s.user, Password: s.right + "\r\n"},
		"a URL":             {URL: amqptest.URL(t) + "\n"},
		"several":           {URLs: []string{amqptest.URL(t) + "\r\n"}},
	} {
		if err := connect(t, cfg).Ready(soon(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package secrets_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// A worker never writes its password anywhere, whatever happens to it.
func TestAWorkerTellsNobodyItsPassword(t *testing.T) {
	for name, run := range map[string]struct {
		secret
		url, crash, credentials bool
	}{
		"in the URL, until it stops":           {special, true, false, false},
		"in the environment, until it crashes": {plain, false, true, false},
		"of Config.Credentials":                {plain, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProcess(t, run.secret, newUser(t, run.secret.password))
			proxy := amqptest.NewProxy(t, amqptest.URL(t))
			if address := at(t, proxy.URL()); run.url {
				address.User = url.UserPassword(p.user, p.password)
				p.set("WORKER_URL", address.String())
			} else {
				p.set("AMQP_URL", address.String())
				p.set("AMQP_USERNAME", p.user)
				p.set("AMQP_PASSWORD", p.password)
			}
			if run.credentials {
				p.set("WORKER_CREDENTIALS", "true")
			}
			p.run("start", "handle", "publish")
			proxy.Cut()
			p.run("lost", "again")
			amqptest.Ctl(t, "close_all_user_connections", p.user, "maintenance")
			p.run("lost", "again")
			amqptest.ChangePassword(t, p.user, "another")
			proxy.Cut()
			p.run("lost", "refused")
			amqptest.ChangePassword(t, p.user, p.password)
			p.run("again", "handle")
			if run.credentials { // while it lives: each secret lasts a second, and every seventh renewal fails
				p.await("stderr", "secret renewed", "secret not renewed", "with [REDACTED]", "Config.Credentials panicked: connection.Credentials{")
			}
			p.keep("the broker's list of clients", amqptest.Ctl(t, "list_connections", "user", "client_properties"))
			p.await("sentry", "connection.Config{amqp://")
			p.await("statsd", "."+"parked")
			if run.crash {
				p.ends("crash", 2)
				p.await("stderr", "panic: on purpose, with connection.Config{amqp://", "goroutine 1 [")
			} else {
				p.run("stop")
				p.ends("", 0)
				p.await("stdout", "made by the app *sentry.Monitor: ", "consumer *consumer.Consumer: ", "all JSON: ")
			}
			p.await("stdout", "refused us: user", "CONNECTION_FORCED - maintenance", "no-such-exchange", "connection.Config{amqp://",
				`"msg":"message parked"`, `"msg":"message acked"`, `"level":"DEBUG"`, `"reason":"panic"`)
			p.await("stderr", "[Fx] SUPPLY", "level=WARN", `msg="connection lost"`, "handler is stuck")
			p.await("the broker's list of clients", p.user, " (publish)")
			p.await("the error queue", "bunnicula-stack", "bunnicula-history", "connection.Config{amqp://", "no-such-exchange")
			p.search()
		})
	}
}

// A worker that cannot start says why in its log, its errors and fx's own events, and does not
// quote the URL.
func TestAWorkerThatCannotStartTellsNobodyItsPassword(t *testing.T) {
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	hangsUp := hangingUp(t)
	for _, s := range []secret{plain, special} {
		t.Run(s.user, func(t *testing.T) {
			t.Parallel()
			broker := at(t, amqptest.URL(t))
			wrong, stranger := newUser(t, "another"), newUser(t, s.password)
			amqptest.Ctl(t, "clear_permissions", "-p", strings.TrimPrefix(broker.Path, "/"), stranger)
			with := func(scheme, user, host, path string) string {
				return (&url.URL{Scheme: scheme, User: url.UserPassword(user, s.password), Host: host, Path: path}).String()
			}
			bare := wrong + ":" + s.password + "@" + broker.Host // not percent-encoded
			p := newProcess(t, s, wrong)
			p.set("WORKER_URLS", strings.Join([]string{
				with("amqp", wrong, broker.Host, broker.Path),
				with("amqp", stranger, broker.Host, broker.Path),
				with("amqp", stranger, broker.Host, "/no-such-vhost"),
				with("amqps", wrong, broker.Host, broker.Path),
				with("amqps", wrong, strings.TrimPrefix(untrusted.URL, "https://"), "/"),
				with("amqp", wrong, strings.TrimPrefix(untrusted.URL, "https://"), "/"),
				with("amqp", wrong, hangsUp, "/"),
				with("amqp", wrong, "127.0.0.1:1", "/"),
				with("amqp", wrong, "no-such-host.invalid", "/"),
				with("amqp", wrong, "host:port", "/"),
				with("http", wrong, broker.Host, "/"),
				with("amqp", wrong, broker.Host, "/") + "?heartbeat=often",
				with("amqp", wrong, broker.Host, "/") + "?cacertfile=/no/such/file",
				"amqp://" + bare + broker.Path, "amqps://" + bare + "/%zz", "amqp://%zz" + bare, bare, "amqp:/" + bare, "amqp://" + bare + ",amqp://" + bare,
				"amqp://" + wrong + ":4711/" + s.password + "@" + broker.Host,
			}, "\n"))
			p.run("fail")
			p.await("stdout", "Login was refused", "vhost", "does not speak TLS", "its certificate is not trusted", "cannot be parsed", `has the scheme \"http\"`, `heartbeat=\"often\"`, "has the parameter cacertfile", "is not a URL", "AMQP_URL")
			p.await("stderr", "[Fx] ERROR", "connect failed", "the handshake ended: ", "connection refused", "no such host")
			p.ends("exit", 1)
			p.search()
		})
	}
}

// The search finds the password of a worker whose handler tells it, in each place that the handler
// can reach.
func TestAWorkerThatTellsItsPasswordIsFoundOut(t *testing.T) {
	p := newProcess(t, plain, newUser(t, plain.password))
	address := at(t, amqptest.URL(t))
	address.User = url.UserPassword(p.user, p.password)
	p.set("WORKER_URL", address.String())
	p.set("WORKER_LEAK", "true")
	p.run("start", "handle", "stop")
	p.ends("", 0)
	for _, sink := range []string{"stdout", "stderr", "statsd", "sentry", "the error queue"} {
		if len(p.find(p.seen(sink))) == 0 {
			t.Errorf("it is not found in %s", sink)
		}
	}
}

// at returns a broker's address without its user.
func at(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal("the broker's URL is not one")
	}
	u.User = nil
	return u
}

// newUser makes a user with all permissions in the tests' vhost.
func newUser(t *testing.T, password string) string {
	t.Helper()
	user := amqptest.Queue(t, "secrets-user")
	amqptest.User(t, user, password, ".*", ".*", ".*")
	return user
}

// hangingUp returns the address of a server that accepts connections and ends them.
func hangingUp(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return listener.Addr().String()
}

package secrets_test

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/monitors"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/monitoring/sentry"
	"github.com/bunnicula-go/bunnicula/monitoring/statsd"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// worker is the process under test. It writes as much as possible: it logs at debug level in two
// formats, and so does the client library; fx writes its events; three monitors are active; and the
// worker prints all its values in every way.
type worker struct {
	cfg   connection.Config
	queue string
	// The handler's errors contain the password, so that the search must find it.
	leak bool

	app     *fx.App
	conn    *connection.Connection
	pub     *publisher.Client
	group   *consumer.Group
	others  []any // made by the application
	ended   *monitoringtest.Recorder
	lost    atomic.Int64  // notices of a lost connection
	release chan struct{} // releases a stuck handler
	end     chan struct{} // closed by stop, for handlers of the redelivered message
}

// work does one step for each line of orders, and reports each step that is done.
func work(orders io.Reader) int {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true})))
	log.SetOutput(os.Stderr)
	amqp.SetLogger(log.Default())
	w := &worker{
		queue: os.Getenv("WORKER_QUEUE"), leak: os.Getenv("WORKER_LEAK") != "",
		ended: new(monitoringtest.Recorder), release: make(chan struct{}), end: make(chan struct{}),
	}
	steps := map[string]func() error{
		"start": w.start, "handle": w.handle, "publish": w.publish, "lost": w.wasLost, "refused": w.isRefused, "again": w.isBack,
		"stop": w.stop, "crash": w.crash, "fail": w.fail, "exit": w.exit,
	}
	for lines := bufio.NewScanner(orders); lines.Scan(); {
		err := steps[lines.Text()]()
		if err != nil {
			show("step "+lines.Text(), err)
		}
		fmt.Printf("\n%s%s %t\n", done, lines.Text(), err == nil)
	}
	return 0
}

const done = "@done "

// config returns the worker's Config, read from the environment in one of several ways.
func config() (connection.Config, error) {
	if raw := os.Getenv("WORKER_URL"); raw != "" {
		return connection.Config{URL: raw, Name: "worker"}, nil
	}
	cfg, err := connection.ConfigFromEnv()
	if os.Getenv("WORKER_CREDENTIALS") != "" {
		given := connection.Credentials{Username: cfg.Username, Password: cfg.Password + "\n"}
		cfg.Username, cfg.Password, cfg.Credentials = "", "", credentials(given)
	}
	return cfg, err
}

// credentials gives the login, which expires soon, and fails now and then with an error that has the
// password.
func credentials(given connection.Credentials) func(context.Context) (connection.Credentials, error) {
	var asked atomic.Int64
	return func(context.Context) (connection.Credentials, error) {
		given := given
		given.Expires = time.Now().Add(time.Second)
		show("credentials", given, &given, []any{given})
		switch asked.Add(1) % 7 {
		case 3:
			return given, fmt.Errorf("no login as %s with %s", given.Username, given.Password)
		case 5:
			panic(given)
		}
		return given, nil
	}
}

func (w *worker) start() error {
	cfg, err := config()
	if err != nil {
		return err
	}
	cfg.Heartbeat, cfg.MinBackoff, cfg.MaxBackoff = 2*time.Second, 50*time.Millisecond, 300*time.Millisecond
	w.cfg = cfg
	var in struct {
		fx.In

		Conn    *connection.Connection
		Pub     *publisher.Client
		Group   *consumer.Group
		Named   []connection.NamedConnection `group:"bunnicula.connections"`
		Monitor monitors.Group
	}
	w.app = fx.New(w.parts(cfg), fx.Populate(&in))
	if w.app.Err() != nil {
		return w.app.Err()
	}
	w.conn, w.pub, w.group, w.others = in.Conn, in.Pub, in.Group, []any{in}
	for _, m := range in.Monitor.Monitors {
		w.others = append(w.others, m)
	}
	w.conn.Notify(func(e connection.Event) {
		if e.Kind == connection.Lost {
			w.lost.Add(1)
		}
		show("event", e)
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return w.app.Start(ctx)
}

// parts returns the application. fx writes its own events to stderr by default.
func (w *worker) parts(cfg connection.Config) fx.Option {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module, statsd.Module, sentry.Module,
		connection.Named("other", cfg),
		fx.Supply(cfg, logger,
			statsd.Config{Addr: os.Getenv("WORKER_STATSD"), FlushInterval: 10 * time.Millisecond},
			sentry.Config{DSN: os.Getenv("WORKER_SENTRY"), SendPayload: 1 << 10}),
		monitoring.Provide(func() monitoring.Log { return monitoring.Log{Logger: slog.Default(), LogPayload: 1 << 10} }),
		monitoring.Provide(func() *monitoringtest.Recorder { return w.ended }),
		consumer.Provide(func(pub publisher.Publisher) consumer.Spec { return w.spec(cfg, pub) }),
	)
}

func (w *worker) spec(cfg connection.Config, pub publisher.Publisher) consumer.Spec {
	name := "orders"
	if w.leak {
		name = leaked()
	}
	return consumer.Spec{
		Queue: w.queue, Name: name, MaxRetries: 1, Backoff: []time.Duration{100 * time.Millisecond},
		Timeout: 300 * time.Millisecond, Grace: 100 * time.Millisecond, Concurrency: 8,
		Handler: consumer.JSON(func(ctx context.Context, msg consumer.Message[string]) consumer.Result {
			return w.result(ctx, cfg, pub, msg)
		}),
	}
}

// result is the result of a handler that has the Config, and that reports it in errors.
func (w *worker) result(ctx context.Context, cfg connection.Config, pub publisher.Publisher, msg consumer.Message[string]) consumer.Result {
	switch msg.Payload {
	case "retry":
		return consumer.Retry(fmt.Errorf("with %v, %+v, %#v", cfg, &cfg, []any{cfg}))
	case "refused":
		return consumer.Error(pub.Publish(ctx, "key", 1, publisher.Exchange("no-such-exchange")))
	case "cannot connect":
		_, err := connection.New(connection.Config{URL: cfg.URL + "@:", Password: cfg.Password}, nil)
		return consumer.Error(err)
	case "panic":
		panic(cfg)
	case "panic with a pointer":
		panic(fmt.Errorf("%+v: %w", &cfg, errors.New("no")))
	case "exit":
		runtime.Goexit()
	case "timeout":
		<-ctx.Done()
		return consumer.Retry(ctx.Err())
	case "stuck":
		if msg.Attempt == 1 {
			select {
			case <-w.release:
			case <-w.end:
			}
		}
	case "leak":
		if w.leak {
			return consumer.Error(errors.New("login as " + leaked()))
		}
	}
	return consumer.Ack()
}

// leaked is the text that a worker must not write. It is not in a URL, where Sentry's monitor would
// remove it.
func leaked() string { return os.Getenv("WORKER_SECRET") }

// handled are the messages of handle, with the number of their deliveries: one for a message that
// is not retried, otherwise two.
var handled = map[string]int{
	"ack": 1, "retry": 2, "refused": 1, "cannot connect": 1, "panic": 2, "panic with a pointer": 2, "exit": 2, "timeout": 2, "stuck": 2, "leak": 1,
}

func (w *worker) handle() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	want := len(w.ended.Ends()) + 1 // for a body that does not decode
	if err := w.pub.Publish(ctx, w.queue, []byte("{")); err != nil {
		return err
	}
	for payload, deliveries := range handled {
		want += deliveries
		if err := w.pub.Publish(ctx, w.queue, payload, publisher.Header("tenant", "acme")); err != nil {
			return err
		}
	}
	if err := w.ended.Wait(ctx, want); err != nil {
		return err
	}
	select {
	case w.release <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errors.New("no handler is stuck")
	}
}

// publish provokes every error of a publish.
func (w *worker) publish() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var missing error
	for name, err := range map[string]error{
		"unroutable":  w.pub.Publish(ctx, "no-such-queue", 1),
		"no exchange": w.pub.Publish(ctx, "key", 1, publisher.Exchange("no-such-exchange")),
		"forbidden":   w.pub.Publish(ctx, "key", 1, publisher.Exchange("amq.rabbitmq.trace")),
		"too large":   w.pub.Publish(ctx, w.queue, 1, publisher.Header("h", strings.Repeat("x", 1<<17))),
		"bad header":  w.pub.Publish(ctx, w.queue, 1, publisher.Header("h", w.cfg)),
		"bad payload": w.pub.Publish(ctx, w.queue, func() {}),
		"bad batch":   w.pub.PublishBatch(ctx, publisher.Message{RoutingKey: w.queue, Payload: 1}, publisher.Message{RoutingKey: w.queue, Payload: make(chan int)}),
	} {
		if err == nil {
			missing = errors.Join(missing, fmt.Errorf("%s: no error", name))
		}
		show(name, err)
	}
	return missing
}

// wasLost waits until both connections have noticed their loss.
func (w *worker) wasLost() error {
	defer w.lost.Store(0)
	return eventually(func() bool { return w.lost.Load() >= 2 })
}

// isRefused waits until the broker has refused both connections.
func (w *worker) isRefused() error {
	defer func() { show("refused", w.conn.Health(), w.group.Health()) }()
	return eventually(func() bool {
		h := w.conn.Health()
		return transport.Permanent(h.Publishing.Err) && transport.Permanent(h.Consuming.Err) && !w.group.Ready()
	})
}

// isBack waits until both connections are up.
func (w *worker) isBack() error {
	defer func() { show("back", w.conn.Health(), w.group.Health()) }()
	return eventually(func() bool { return w.conn.Health().OK() && w.group.Health()[0].Subscribed })
}

func eventually(cond func() bool) error {
	for end := time.Now().Add(30 * time.Second); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return errors.New("it does not come to that")
		}
	}
	return nil
}

// stop stops the application, and then prints all of its parts, which no longer change.
func (w *worker) stop() error {
	session, err := w.conn.Transport().Publishing().Session(context.Background())
	if err != nil {
		return err
	}
	channel, err := session.Channel(context.Background())
	if err != nil {
		return err
	}
	close(w.end)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err = w.app.Stop(ctx)
	_, closed := w.conn.Transport().Publishing().Session(ctx)
	show("all", w.cfg, &w.cfg, struct{ Rabbit connection.Config }{w.cfg}, map[string]any{"rabbit": &w.cfg}, w.conn, w.conn.Transport().Publishing(), w.conn.Transport().Consuming(),
		session, session.Err(), channel, w.conn.Health(), w.pub, w.pub.Publish(ctx, w.queue, 1), w.group, w.group.Health(), closed,
		w.spec(w.cfg, w.pub), w.app.Err(), monitoring.Log{}, w.ended.Ends())
	show("made by the app", w.others...)
	for _, c := range w.group.Consumers() {
		show("consumer", c, c.Health(), c.Topology(), c.Process(ctx, amqp.Delivery{Body: []byte(`"panic"`)}))
	}
	return err
}

// crash ends the process as a bug does, with all stacks and the values in their frames.
func (w *worker) crash() error {
	cfg := w.cfg
	go func() { panic(fmt.Errorf("on purpose, with %v", cfg)) }()
	select {}
}

// fail builds applications that cannot start, concurrently.
func (w *worker) fail() error {
	var all sync.WaitGroup
	var mu sync.Mutex
	var missing error
	// At once; more would slow each other down.
	few := make(chan bool, 12)
	for _, raw := range strings.Split(os.Getenv("WORKER_URLS"), "\n") {
		os.Setenv("AMQP_URL", raw)
		cfg, err := connection.ConfigFromEnv()
		show("environment", cfg, err)
		for _, cfg := range []connection.Config{
			{URL: raw}, {URLs: []string{raw, raw}}, {URL: raw, Password: leaked()}, {Host: raw}, {URL: raw, CAFile: "/no/such/file"}, {URL: raw, Heartbeat: -1},
		} {
			few <- true
			all.Go(func() {
				defer func() { <-few }()
				app := fx.New((&worker{queue: w.queue, ended: w.ended}).parts(cfg))
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				defer cancel()
				err := app.Start(ctx)
				show("failed", app.Err(), err)
				if err == nil {
					mu.Lock()
					missing = errors.Join(missing, fmt.Errorf("%v: it starts", cfg))
					mu.Unlock()
					_ = app.Stop(ctx)
				}
			})
		}
	}
	all.Wait()
	return missing
}

// exit is the usual end of an application that cannot start: fx writes why, and ends the process.
func (w *worker) exit() error {
	raw, _, _ := strings.Cut(os.Getenv("WORKER_URLS"), "\n")
	fx.New(w.parts(connection.Config{URL: raw}), fx.StartTimeout(5*time.Second)).Run()
	return errors.New("it ran")
}

var shown sync.Map

// show prints values in every way that there is, and errors with all that they wrap. It prints the
// same text only once.
func show(what string, values ...any) {
	for _, v := range values {
		if _, before := shown.LoadOrStore(fmt.Sprintf("%s %T %+v", what, v, v), true); before {
			continue
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Printf("%s %T: "+verb+"\n", what, v, v)
		}
		text, err := json.Marshal(v)
		fmt.Printf("%s JSON: %s %v\n", what, text, err)
		text, err = xml.Marshal(v)
		fmt.Printf("%s XML: %s %v\n", what, text, err)
		slog.Info(what, "value", v, "type", fmt.Sprintf("%T", v))
		fmt.Fprintln(os.Stderr, what, v)
		switch e := v.(type) {
		case interface{ Unwrap() []error }:
			for _, e := range e.Unwrap() {
				show(what, e)
			}
		case error:
			if inner := errors.Unwrap(e); inner != nil {
				show(what, inner)
			}
		}
	}
}

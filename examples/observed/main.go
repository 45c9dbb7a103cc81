// Observed is an app with probes, metrics, traces and a console beside its log. Until ^C it places
// five orders a second, of which some fail once and some fail for good.
//
//	docker compose --profile metrics up --wait
//	AMQP_URL=amqp://bunnicula:bunnicula@127.0.0.1:5672/bunnicula go run ./examples/observed -listen :8081
//	curl http://127.0.0.1:8081/readyz
//	curl http://127.0.0.1:8081/metrics
//	open http://127.0.0.1:8081/ops/queues/
//
// The console knows no users here, so it answers this machine alone, and changes nothing. Without
// -listen only this machine is answered, and no container on it: Prometheus needs it.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/console"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/health"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/otel"
	"github.com/bunnicula-go/bunnicula/monitoring/prometheus"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

func main() {
	_ = flags().Parse(os.Args[1:]) // ends the program if they are wrong
	fx.New(app()).Run()
}

func flags() *flag.FlagSet {
	f := flag.NewFlagSet("observed", flag.ExitOnError)
	f.StringVar(&addr, "listen", addr, "where probes and metrics are answered, as host:port; :8081 is all addresses of this machine")
	return f
}

func app() fx.Option {
	return fx.Options(
		fx.Invoke(Serve), // first, so that probes are answered from the beginning
		health.Module,
		connection.Module, publisher.Module, consumer.Module,
		prometheus.Module,
		otel.Module,          // to the provider of otel.SetTracerProvider; without one, to nowhere
		control.EventsModule, // bunnicula events shows what fails, at the moment it does
		console.Module, fx.Provide(Console),
		monitoring.Provide(func() monitoring.Log { return monitoring.Log{} }),
		fx.Supply(
			connection.Config{URL: os.Getenv("AMQP_URL"), Name: "observed"},
			otel.Config{RoutingKeys: []string{queue}}, // spans are called "send example-observed"
			health.Config{
				OnDown: func(r health.Report) { slog.Error("the app is down", "err", r.Err()) },
				OnUp:   func(health.Report) { slog.Info("the app is up again") },
			},
		),
		consumer.Provide(Orders),
		fx.Invoke(PlaceOrders),
		fx.WithLogger(Quiet),
		fx.StartTimeout(time.Minute),
		fx.StopTimeout(90*time.Second), // for handlers, which may take 60 s
	)
}

// Quiet lets fx log what fails, and nothing else. With fx.NopLogger an app that cannot start would
// end without saying why.
func Quiet() fxevent.Logger {
	log := &fxevent.SlogLogger{Logger: slog.Default()}
	log.UseLogLevel(slog.LevelDebug) // for what does not fail
	return log
}

var (
	queue   = "example-observed"
	addr    = "127.0.0.1:8081" // of this machine only; the flag -listen says otherwise
	backoff = 5 * time.Second
)

// Console shows the app's own consumers. Config.Identify would say who may see and do what.
func Console(consumers *consumer.Group) (console.Config, error) {
	file, err := topologyfile.Of(consumers.Plans()...)
	return console.Config{BasePath: "/ops/queues", Topology: file}, err
}

// Serve answers /livez, /readyz, /metrics and what is below /ops/queues/.
func Serve(lc fx.Lifecycle, h *health.Health, c *console.Console) {
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.Handle("/ops/queues/", c)
	mux.Handle("/metrics", promhttp.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	lc.Append(fx.StartStopHook(func(ctx context.Context) error {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		addr = listener.Addr().String()
		go func() { _ = server.Serve(listener) }() // until Shutdown
		return nil
	}, server.Shutdown))
}

// Orders fails at the first attempt for every fifth order, and for good for every twentieth.
func Orders() consumer.Spec {
	return consumer.Spec{Queue: queue, Name: "orders", Backoff: []time.Duration{backoff}, Handler: consumer.JSON(
		func(_ context.Context, msg consumer.Message[int]) consumer.Result {
			time.Sleep(time.Duration(msg.Payload%50) * time.Millisecond)
			switch {
			case msg.Payload%20 == 0:
				return consumer.Error(errors.New("no such order"))
			case msg.Payload%5 == 0 && msg.Attempt == 1:
				return consumer.Retry(errors.New("the bank does not answer"))
			}
			return consumer.Ack()
		})}
}

// PlaceOrders publishes until the app stops.
func PlaceOrders(lc fx.Lifecycle, pub publisher.Publisher) {
	ctx, stop := context.WithCancel(context.Background())
	var placing sync.WaitGroup
	lc.Append(fx.StartStopHook(func() {
		placing.Go(func() {
			tick := time.NewTicker(200 * time.Millisecond)
			defer tick.Stop()
			for n := 1; ctx.Err() == nil; n++ {
				if err := pub.Publish(ctx, queue, n); err != nil && ctx.Err() == nil {
					slog.Warn("order not placed", "number", n, "err", err)
				}
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}, func() {
		stop()
		placing.Wait()
	}))
}

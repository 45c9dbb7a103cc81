package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/codec"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/otel"
	"github.com/bunnicula-go/bunnicula/monitoring/prometheus"
	"github.com/bunnicula-go/bunnicula/monitoring/sentry"
	"github.com/bunnicula-go/bunnicula/monitoring/statsd"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
	"github.com/bunnicula-go/bunnicula/use"
)

// parts returns what can be added to a handler, a consumer or its monitor. A limit is so
// high that nobody waits, and no message comes twice.
func parts() []part {
	return []part{
		{"Spec.Timeout, 60 s", func(p *parted) error { p.spec.Timeout = time.Minute; return nil }},
		{oursJSON, addJSON},
		{"consumer.JSON with Validate", addValidate},
		{"codec.Gzip around JSON", addGzip},
		{"use.ByType", func(p *parted) error {
			p.spec.Handler = use.ByType{"": p.noop, "order.placed": p.noop}.Handler()
			return nil
		}},
		{"use.Rate", limited(use.Rate)},
		{"use.RatePerKey", limited(func(l use.Limiter) consumer.Middleware { return use.RatePerKey(l, keyOf) })},
		{"use.PerKey, with JSON", addPerKey},
		{"use.AtMost", using(func() consumer.Middleware { return use.AtMost(16, keyOf) })},
		{"use.InPlace", using(func() consumer.Middleware { return use.InPlace(3, time.Second) })},
		{"use.MaxAge", using(func() consumer.Middleware { return use.MaxAge(100 * 365 * 24 * time.Hour) })},
		{"use.Breaker", using(func() consumer.Middleware { return use.Breaker{}.New() })},
		{"use.TreatAsAck", using(func() consumer.Middleware {
			return use.TreatAsAck(func(err error) bool { return errors.Is(err, errOnce) })
		})},
		{"use.Dedupe in memory", addDedupe},
		{"use.Batch of 16", addBatch},
		{"monitoring.Log at info", watched(func(*parted) (monitoring.Monitor, error) { return monitoring.Log{Logger: quiet()}, nil })},
		{"statsd", addStatsD},
		{"prometheus", watched(func(*parted) (monitoring.Monitor, error) {
			return prometheus.New(prometheus.Config{Registerer: prom.NewRegistry()})
		})},
		{"otel, every trace", addOTel},
		{"sentry", addSentry},
		{"control.Events", addEvents},
	}
}

// using adds middleware.
func using(m func() consumer.Middleware) func(*parted) error {
	return func(p *parted) error {
		p.spec.Use = []consumer.Middleware{p.numbered(), m()}
		return nil
	}
}

// limited adds middleware with a limit that is never reached.
func limited(m func(use.Limiter) consumer.Middleware) func(*parted) error {
	return func(p *parted) error {
		l, err := use.NewLimiter(use.Limit{Events: 1e9, Burst: 1e9})
		if err != nil {
			return err
		}
		return using(func() consumer.Middleware { return m(l) })(p)
	}
}

// watched sets the monitor.
func watched(m func(*parted) (monitoring.Monitor, error)) func(*parted) error {
	return func(p *parted) (err error) {
		p.monitor, err = m(p)
		return err
	}
}

// keyOf returns one of a thousand keys.
func keyOf(d consumer.Delivery) string { return d.MessageID[len(d.MessageID)-3:] }

// numbered gives each message an id of its own, since those of a peer all have the same one. It
// allocates nothing for a message.
func (p *parted) numbered() consumer.Middleware {
	ids := make([]string, p.Meter.All())
	for i := range ids {
		ids[i] = "0193f2a6-7c1e-7a5b-9d40-" + strconv.Itoa(100_000_000_000+i)
	}
	var n atomic.Int64
	return func(next consumer.Handler) consumer.Handler {
		return func(ctx context.Context, d consumer.Delivery) consumer.Result {
			d.MessageID = ids[int(n.Add(1)-1)%len(ids)]
			return next(ctx, d)
		}
	}
}

func addJSON(p *parted) error {
	p.spec.Handler = p.inJSON()
	return nil
}

// checked is a turn.Document that Decode has to check.
type checked turn.Document

func (c checked) Validate() error {
	if c.ID == "" {
		return errors.New("it has no id")
	}
	return nil
}

func addValidate(p *parted) error {
	p.spec.Handler = consumer.JSON(func(ctx context.Context, m consumer.Message[checked]) consumer.Result { return p.noop(ctx, m.Delivery) })
	return nil
}

// addGzip has the handler decode a compressed body. The message itself has the plain one, in all
// sides.
func addGzip(p *parted) error {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(p.Body)
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	p.spec.Handler = consumer.Decode(codec.Gzip(publisher.JSON, codec.Limits{}), func(ctx context.Context, m consumer.Message[turn.Document]) consumer.Result {
		return p.noop(ctx, m.Delivery)
	})
	p.spec.Use = []consumer.Middleware{func(next consumer.Handler) consumer.Handler {
		return func(ctx context.Context, d consumer.Delivery) consumer.Result {
			d.Body, d.ContentEncoding = packed.Bytes(), "gzip"
			return next(ctx, d)
		}
	}}
	return nil
}

func addPerKey(p *parted) error {
	l, err := use.NewLimiter(use.Limit{Events: 1e9, Burst: 1e9})
	if err != nil {
		return err
	}
	key := func(m consumer.Message[turn.Document]) string { return keyOf(m.Delivery) }
	p.spec.Handler = consumer.JSON(use.PerKey(l, key, func(ctx context.Context, m consumer.Message[turn.Document]) consumer.Result {
		return p.noop(ctx, m.Delivery)
	}))
	p.spec.Use = []consumer.Middleware{p.numbered()}
	return nil
}

func addDedupe(p *parted) error {
	store, err := use.NewMemory(1_000_000)
	if err != nil {
		return err
	}
	p.spec.Timeout = time.Minute // so that no goroutine renews the lease
	return using(func() consumer.Middleware { return use.Dedupe(store, time.Hour) })(p)
}

func addBatch(p *parted) error {
	p.spec.Handler = use.Batch(16, 10*time.Millisecond, func(ctx context.Context, all []consumer.Delivery) []consumer.Result {
		results := make([]consumer.Result, len(all))
		for i, d := range all {
			results[i] = p.noop(ctx, d)
		}
		return results
	})
	return nil
}

func addOneWorker(p *parted) error {
	p.spec.Concurrency = 1
	return nil
}

// addPartition consumes the only partition of a queue. Several would share the cores.
func addPartition(p *parted) error {
	p.spec.Concurrency = 1
	p.spec = consumer.Partitioned(1, p.spec)[0]
	return nil
}

// addOnce has an inbox in a file. The messages of a peer are old.
func addOnce(p *parted) error {
	dir, err := os.MkdirTemp("", "bench-once")
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "inbox.db")+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_pragma=synchronous(FULL)")
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	p.end = append(p.end, db.Close, func() error { return os.RemoveAll(dir) })
	db.SetMaxOpenConns(1) // SQLite has one writer
	box, err := outbox.New(db, outbox.SQLite)
	if err != nil {
		return err
	}
	if err := box.Migrate(context.Background()); err != nil {
		return err
	}
	p.spec.Handler = consumer.JSON(outbox.Once(box, func(ctx context.Context, _ *sql.Tx, m consumer.Message[turn.Document]) consumer.Result {
		return p.noop(ctx, m.Delivery)
	}, outbox.AnyAge()))
	p.spec.Use = []consumer.Middleware{p.numbered()}
	return nil
}

func addStatsD(p *parted) error {
	m, err := statsd.New(statsd.Config{Addr: p.StatsD, Prefix: "bench"})
	if err != nil {
		return err
	}
	p.monitor, p.end = m, append(p.end, m.Close)
	return nil
}

// addOTel makes a span of every attempt. The spans are gathered and dropped, so an exporter's work
// is not counted.
func addOTel(p *parted) error {
	tracer := trace.NewTracerProvider(trace.WithBatcher(tracetest.NewNoopExporter()))
	meter := sdk.NewMeterProvider(sdk.WithReader(sdk.NewManualReader()))
	m, err := otel.New(otel.Config{TracerProvider: tracer, MeterProvider: meter})
	if err != nil {
		return err
	}
	p.monitor = m
	p.end = append(p.end, inTime(tracer.Shutdown), inTime(meter.Shutdown))
	return nil
}

// addSentry sends nothing, because no message fails.
func addSentry(p *parted) error {
	m, err := sentry.New(sentry.Config{DSN: "http://key@127.0.0.1:1/1", Logger: quiet()})
	if err != nil {
		return err
	}
	p.monitor, p.end = m, append(p.end, inTime(m.Close))
	return nil
}

// addEvents publishes nothing, because no message fails.
func addEvents(p *parted) error {
	m, err := control.Events(&publishertest.Recorder{}, control.EventsConfig{Logger: quiet()})
	if err != nil {
		return err
	}
	m.Start()
	p.monitor = m
	p.end = append(p.end, inTime(func(ctx context.Context) error { m.Stop(ctx); return nil }))
	return nil
}

// inTime bounds a stop.
func inTime(stop func(context.Context) error) func() error {
	return func() error {
		ctx, cancel := goodbye()
		defer cancel()
		return stop(ctx)
	}
}

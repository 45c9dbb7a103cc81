package console

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/bunnicula-go/bunnicula/console/internal/audit"
	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/internal/management"
)

// Console is an http.Handler. It is safe for use by many goroutines.
type Console struct {
	cfg      Config // resolved; immutable
	identify func(*http.Request) (User, error)
	routes   []route // of cfg; immutable
	sameSite *http.CrossOriginProtection
	tickets  *tickets
	streams  streams
	closing  context.Context // ends with Close
	end      context.CancelFunc
	broker   *broker
	store    *snapshot.Store
	scarce   *scarce
	runner   *operation.Runner // nil if the Config is ReadOnly
	audit    *audit.Log
	lock     io.Closer // of StateDir; nil if the runner has it, or if there is none
	decoder  *decoder

	musters   *musters
	clients   *clients
	histories *histories
	pauses    pauses
}

// New makes a Console. It does not wait for the broker.
func New(cfg Config) (*Console, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	c := &Console{
		cfg: cfg, identify: cfg.Identify, routes: routesOf(cfg),
		sameSite: http.NewCrossOriginProtection(), tickets: newTickets(cfg.Key),
	}
	switch {
	case c.identify != nil:
	case cfg.Login != nil:
		c.identify = func(r *http.Request) (User, error) { return cfg.Login.identify(cfg.Key, r) }
	default:
		c.identify = local
	}
	var api *management.Client
	if cfg.ManagementURL != "" {
		if api, err = management.New(cfg.ManagementURL, cfg.ManagementClient); err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
	}
	c.broker = newBroker(cfg.Connection, api, cfg.Topology)
	c.clients, c.histories = newClients(api), newHistories(api)
	if c.musters, err = mustersOf(cfg, c.broker); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	c.decoder = newDecoder(cfg.Decode, cfg.Log)
	c.scarce = &scarce{conn: cfg.Connection, api: api, limits: map[string]int{}}
	if err := c.begin(opener(cfg, c.scarce), operated(cfg)); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	return c, nil
}

// begin makes what has goroutines and files: readings, operations and the audit.
func (c *Console) begin(read func(context.Context, string) (snapshot.Queue, error), change func(context.Context, string) (operation.Queue, error)) (err error) {
	cfg := c.cfg
	c.closing, c.end = context.WithCancel(context.Background())
	c.store = snapshot.NewStore(snapshot.Config{
		Open: read, ByHand: c.scarce.few, Busy: c.busy, AutoDepth: autoDepth, Index: cfg.index, SpoolDir: cfg.SpoolDir, Redact: cfg.Redact, Log: cfg.Log,
	})
	if err := c.take(change); err != nil {
		return err
	}
	if c.audit, err = audit.Open(audit.Config{Dir: cfg.StateDir, Log: cfg.Log}); err != nil {
		c.free(context.Background())
	}
	return err
}

// take takes StateDir, before anything in it is touched.
func (c *Console) take(change func(context.Context, string) (operation.Queue, error)) (err error) {
	cfg := c.cfg
	switch {
	case !cfg.ReadOnly:
		f := &follower{store: c.store, few: c.scarce.few, on: map[string]*following{}}
		c.runner, err = operation.Open(operation.Config{
			Dir: cfg.StateDir, Queue: change, Observe: f.observe, Observed: f.observed, Settled: f.settled, Busy: f.busy, Ended: c.ended, Log: cfg.Log,
		})
	case cfg.StateDir != "":
		c.lock, err = operation.Lock(cfg.StateDir)
	}
	return err
}

// free ends operations and leaves StateDir.
func (c *Console) free(ctx context.Context) {
	if c.runner != nil {
		c.runner.Close(ctx)
	}
	if c.lock != nil {
		_ = c.lock.Close() // it has nothing to be written
	}
}

// busy says whether an operation runs on a queue.
func (c *Console) busy(queue string) bool {
	if c.runner == nil {
		return false
	}
	_, runs := c.runner.RunsOn(queue)
	return runs
}

// Close stops operations and ends readings, and waits until their messages are given back, for as
// long as ctx lasts. Answers that stay open end at once, so close a Console before its server waits
// for them. Requests after it are answered with an error.
func (c *Console) Close(ctx context.Context) {
	c.end()
	c.musters.close(ctx)
	c.free(ctx)
	c.store.Close(ctx)
	c.audit.Close()
	c.decoder.close(ctx)
}

const mostForm = 1 << 20 // bytes of a form

// ServeHTTP answers one request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answer{console: c, w: w, r: r, base: c.cfg.BasePath, nonce: harden(w.Header())}
	got, err := c.cfg.receive(r)
	if err != nil {
		c.cfg.Log.Warn("console request refused", "remote", r.RemoteAddr, "err", err)
		a.problem(&problem{Status: http.StatusForbidden, Title: "Refused", Text: "A proxy has sent headers that cannot be right. The log says which."})
		return
	}
	a.r, a.base, a.secure = got.request, got.base, got.secure
	a.parts = locate(c.routes, r.URL.EscapedPath(), a.base, c.cfg.BasePath)
	if r.Method == http.MethodPost {
		a.r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	}
	a.serve()
}

// path makes the path of a page. It escapes the segments.
func (a *answer) path(segments ...string) string { return pathTo(a.base, segments...) }

func pathTo(base string, segments ...string) string {
	escaped := make([]string, len(segments))
	for i, s := range segments {
		escaped[i] = url.PathEscape(s)
	}
	return base + strings.Join(escaped, "/")
}

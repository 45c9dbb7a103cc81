package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Connection is a *connection.Connection.
type Connection interface {
	Name() string
	Health() connection.Health
}

// Consumers is a *consumer.Group.
type Consumers interface{ Health() []consumer.Health }

// Health watches connections and consumers. It is an http.Handler for /livez and /readyz. Make it
// with [New].
type Health struct {
	config Config // immutable

	// Written by Start, and read by Stop after it.
	looked chan struct{} // closed when the goroutine that looks has ended
	stop   context.CancelFunc
	server *http.Server

	mu          sync.Mutex // guards what follows
	addr        net.Addr
	connections []watched
	consumers   []Consumers
	others      []other
	judge       judge
	since       time.Time            // when the Status changed last
	bad         map[string]time.Time // when each part became bad, by its key
	wedged      map[string]time.Time // when each consumer became wedged, likewise
}

// New checks the Config. The error names the field that is wrong.
func New(cfg Config) (*Health, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &Health{
		config: cfg, judge: newJudge(cfg, now), since: now,
		bad: map[string]time.Time{}, wedged: map[string]time.Time{},
	}, nil
}

// watched is a connection with the name under which it is watched.
type watched struct {
	name       string
	connection Connection
}

// WatchConnection adds a connection to those that are watched, under this name. Two connections may
// have the same name; the same one is added once.
func (h *Health) WatchConnection(name string, c Connection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.ContainsFunc(h.connections, func(w watched) bool { return w.name == name && same(w.connection, c) }) {
		h.connections = append(h.connections, watched{name, c})
	}
}

// WatchConsumers adds consumers to those that are watched. The same ones are added once.
func (h *Health) WatchConsumers(c Consumers) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.ContainsFunc(h.consumers, func(o Consumers) bool { return same(o, c) }) {
		h.consumers = append(h.consumers, c)
	}
}

// other is a part that is neither a connection nor a consumer.
type other struct {
	kind, name string
	look       func() (warning string, err error)
}

// WatchPart adds a part of another kind to those that are watched, such as kind "outbox" and name
// "relay". look is called for each Report, by one goroutine at a time. It must not wait, since a
// probe waits for it. The part is bad while the error is not nil, or look panics. The warning says
// what an operator should know of a part that is good all the same; "" is none. A part of the same
// kind and name takes the place of the one before.
func (h *Health) WatchPart(kind, name string, look func() (warning string, err error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.others = slices.DeleteFunc(h.others, func(o other) bool { return o.kind == kind && o.name == name })
	h.others = append(h.others, other{kind, name, look})
}

// same returns whether a and b are the same. Values that cannot be compared are not.
func same(a, b any) bool {
	v, w := reflect.ValueOf(a), reflect.ValueOf(b)
	return v.Comparable() && w.Comparable() && a == b
}

// Report asks all parts for their health now, and derives the Status.
func (h *Health) Report() Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	r := Report{Parts: h.parts(), Live: true}
	good := true
	bad, wedged := map[string]time.Time{}, map[string]time.Time{}
	keys := keysOf(r.Parts)
	for i := range r.Parts {
		p := &r.Parts[i]
		if p.OK {
			continue
		}
		good = false
		key := keys[i]
		since := keep(h.bad, bad, key, now)
		p.Since = &since
		if p.Wedged && now.Sub(keep(h.wedged, wedged, key, now)) >= h.config.WedgedAge && h.config.WedgedAge != NeverRestart {
			r.Live = false
		}
	}
	h.bad, h.wedged = bad, wedged
	before := h.judge.status
	if r.Status = h.judge.see(now, good); r.Status != before {
		h.since = now
	}
	r.Since = h.since
	return r
}

// keysOf returns a key for each part, which is the same at the next look. Parts of one kind may have
// the same name.
func keysOf(parts []Part) []string {
	keys, times := make([]string, len(parts)), map[string]int{}
	for i, p := range parts {
		name := p.Kind + "\x00" + p.Name + "\x00" + p.Connection
		keys[i] = fmt.Sprint(name, "\x00", times[name])
		times[name]++
	}
	return keys
}

// keep copies the time since which a condition holds from one look to the next.
func keep(from, to map[string]time.Time, key string, now time.Time) time.Time {
	since, there := from[key]
	if !there {
		since = now
	}
	to[key] = since
	return since
}

func (h *Health) parts() []Part {
	parts := []Part{}
	byName := slices.SortedStableFunc(slices.Values(h.connections), func(a, b watched) int { return cmp.Compare(a.name, b.name) })
	for _, w := range byName {
		parts = append(parts, asked("connection", w.name, func() []Part { return []Part{ofConnection(w.name, w.connection.Health())} })...)
	}
	for _, group := range h.consumers {
		parts = append(parts, asked("consumer", "", func() (all []Part) {
			for _, c := range group.Health() {
				all = append(all, ofConsumer(c))
			}
			return all
		})...)
	}
	for _, o := range h.others {
		parts = append(parts, asked(o.kind, o.name, func() []Part {
			warning, err := o.look()
			return []Part{ofOther(o.kind, o.name, warning, err)}
		})...)
	}
	return parts
}

// asked returns what ask returns. Whoever is asked may be the user's own, and nil: a panic makes it
// a part that is bad.
func asked(kind, name string, ask func() []Part) (parts []Part) {
	defer func() {
		if p := recover(); p != nil {
			parts = []Part{{Kind: kind, Name: name, Error: fmt.Sprintf("its Health panicked: %v", p)}}
		}
	}()
	return ask()
}

// Start begins to look at each Interval, and to listen at Config.Addr if that is set. Stop ends
// both.
func (h *Health) Start(ctx context.Context) error {
	if h.config.Addr != "" {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", h.config.Addr)
		if err != nil {
			return fmt.Errorf("health: Config.Addr %q: %w", h.config.Addr, err)
		}
		h.mu.Lock()
		h.addr = listener.Addr()
		h.mu.Unlock()
		h.server = &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
		go func() { _ = h.server.Serve(listener) }() // until Stop
	}
	looking, cancel := context.WithCancel(context.Background())
	h.stop, h.looked = cancel, make(chan struct{})
	go h.look(looking)
	return nil
}

// Addr is where Start listens, with the port that the system chose for ":0". It is nil if Start
// does not listen.
func (h *Health) Addr() net.Addr {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.addr
}

// Stop ends what Start began. It may be called twice, and without a Start.
func (h *Health) Stop(ctx context.Context) error {
	if h.stop == nil {
		return nil
	}
	h.stop()
	<-h.looked
	if h.server == nil {
		return nil
	}
	if err := h.server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("health: stop: %w", err), h.server.Close())
	}
	return nil
}

func (h *Health) look(ctx context.Context) {
	defer close(h.looked)
	tick := time.NewTicker(h.config.Interval)
	defer tick.Stop()
	told := Starting
	for {
		r := h.Report()
		h.tell(told, r)
		told = r.Status
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// tell calls OnDown or OnUp if the status has changed accordingly, in a goroutine of its own, which
// may end by runtime.Goexit. It waits for that.
func (h *Health) tell(before Status, r Report) {
	if (before == Down) == (r.Status == Down) {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.call(r)
	}()
	<-done
}

// call calls OnDown or OnUp. It catches and logs their panics.
func (h *Health) call(r Report) {
	defer func() {
		if p := recover(); p != nil {
			h.config.Logger.Error("a callback of health panicked", "status", r.Status, "panic", foreign.Panic(p), "stack", string(debug.Stack()))
		}
	}()
	switch isDown := r.Status == Down; {
	case isDown && h.config.OnDown != nil:
		h.config.OnDown(r)
	case !isDown && h.config.OnUp != nil:
		h.config.OnUp(r)
	}
}

package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// world is a history that is being acted out: a broker, an app that publishes, and processes that
// consume.
type world struct {
	history
	sim    *simulated.Broker
	armed  atomic.Bool   // faults happen
	ending chan struct{} // closed when processes are to stop for good

	mu       sync.Mutex
	wrong    error // the first that was found
	wrongAt  int   // in the journal, if it is one event
	owed     map[string]bool
	runs     map[string]int // of messages that count their own
	due      map[string]time.Time
	hung     atomic.Bool // a confirm will never come as long as its session lives
	probing  int         // probes that are being handled
	together int         // the most of them at once
}

func newWorld(h history) *world {
	return &world{history: h, owed: map[string]bool{}, runs: map[string]int{}, due: map[string]time.Time{}}
}

// run acts the history out, and says what is wrong. It is to be called in a bubble.
func (w *world) run() error {
	o := w.broker
	o.Mark, o.Faults = true, w.fault
	w.sim, w.ending = simulated.New(o), make(chan struct{})
	w.check(w.live())
	w.check(w.look())
	return w.wrong
}

func (w *world) check(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wrong == nil {
		w.wrong = err
	}
}

// journal is what came before the event that is wrong, or before the end, without the probes.
func (w *world) journal() string {
	if w.sim == nil {
		return ""
	}
	all := w.sim.Journal()
	if w.wrongAt > 0 {
		all = all[:min(w.wrongAt+10, len(all))]
	}
	all = slices.DeleteFunc(all, func(e simulated.Event) bool { return strings.HasPrefix(e.Message, probe) })
	var text []byte
	for _, e := range all[max(0, len(all)-150):] {
		text = fmt.Appendln(text, e)
	}
	return string(text)
}

// fault is asked by the broker at every step.
func (w *world) fault(s simulated.Step) simulated.Fault {
	if s.Process == control || !w.armed.Load() {
		return simulated.Fault{}
	}
	for _, f := range w.faults {
		if f.step == s.Kind && f.n == s.N {
			if f.Kind == simulated.NoConfirm {
				w.hung.Store(true)
			}
			return f.Fault
		}
	}
	return simulated.Fault{}
}

// control is a process with which nothing goes wrong.
const control = "control"

var quietLog = slog.New(slog.DiscardHandler)

func (w *world) live() error {
	overseer := w.sim.Process(control)
	defer func() { _ = overseer.Stop(context.Background()) }()
	if err := w.declare(overseer); err != nil {
		return err
	}
	app := w.sim.Process("app")
	defer func() { _ = app.Stop(context.Background()) }()
	sender, err := sending.New(app, 16, quietLog)
	if err != nil {
		return err
	}
	defer func() { _ = sender.Stop(ended()) }()

	began := time.Now()
	var slots []*slot
	var processes, tasks sync.WaitGroup
	for i := range w.processes {
		s := &slot{world: w, number: i + 1}
		slots = append(slots, s)
		processes.Go(s.supervise)
	}
	w.armed.Store(true)
	for i, m := range w.messages {
		tasks.Go(func() {
			time.Sleep(m.at)
			switch {
			case m.aside && !w.spec.singleActive: // which has no quarantine
				w.publish(sender, quarantineQueue, messageID(i), 0)
			case w.spec.ladder:
				w.publish(sender, mainQueue, messageID(i), m.delay)
			default:
				w.publish(sender, mainQueue, messageID(i), 0)
			}
		})
	}
	for _, m := range w.moments {
		if m.process <= len(slots) {
			tasks.Go(func() {
				time.Sleep(m.at)
				slots[m.process-1].do(m)
			})
		}
	}
	time.Sleep(time.Until(began.Add(faultsEnd)))
	w.armed.Store(false)
	time.Sleep(effectsEnd)
	if w.hung.Load() {
		w.sim.Restart(0)
	}
	tasks.Wait()
	err = w.settle(slots, sender)
	close(w.ending)
	processes.Wait()
	return err
}

// ended is a context that has.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func (w *world) declare(conn transport.Connection) error {
	c, err := consumer.New(nil, w.consumerSpec(nil), monitoring.Nop{}, quietLog)
	if err != nil {
		return err
	}
	s, err := conn.Consuming().Session(context.Background())
	if err != nil {
		return err
	}
	ch, err := s.Channel(context.Background())
	if err != nil {
		return err
	}
	return c.Topology().Declare(ch)
}

// publish sends a message as an app does. One that is confirmed is owed.
func (w *world) publish(sender *sending.Pipeline, queue, id string, delay time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	rules := sending.Rules{Encode: func(any) (sending.Encoded, error) { return sending.Encoded{}, nil }}
	env, err := sending.Build(rules, queue, []byte{}, []publisher.Option{publisher.MessageID(id), publisher.Delay(delay)})
	if err == nil {
		if env.Delayed != nil {
			w.mu.Lock()
			w.due[id] = env.Delayed.Due
			w.mu.Unlock()
		}
		err = sender.Send(ctx, env)
	}
	w.sim.Note(simulated.Event{Kind: simulated.Remark, Process: "app", Message: id, Text: fmt.Sprintf("publish: %v", err)})
	if err == nil {
		w.mu.Lock()
		w.owed[id] = true
		w.mu.Unlock()
	}
}

// settle waits, now that nothing goes wrong any more, until everything has come to its place, and
// looks whether all work again.
func (w *world) settle(slots []*slot, sender *sending.Pipeline) error {
	if err := within(90*time.Second, "subscribed again", func() bool {
		for _, s := range slots {
			if c := s.current(); c == nil || !c.consumer.Health().Subscribed {
				return false
			}
		}
		return true
	}); err != nil {
		for _, s := range slots {
			if c := s.current(); c != nil {
				err = fmt.Errorf("%w; %s: %+v", err, c.sim.Name(), c.consumer.Health())
			}
		}
		return err
	}
	queues := []string{mainQueue, quarantineQueue}
	for _, d := range append(w.consumerSpec(nil).Delays, w.spec.backoff...) {
		queues = append(queues, topology.RetryQueue(mainQueue, d))
	}
	if err := within(15*time.Minute, "empty", func() bool {
		for _, q := range queues {
			if ready, unacked, dying := w.sim.Depth(q); ready+unacked+dying > 0 {
				return false
			}
		}
		for _, s := range slots {
			if p := s.current(); p == nil || p.running.Load() > 0 { // stuck handlers keep their slots
				return false
			}
		}
		return true
	}); err != nil {
		for _, q := range queues {
			ready, unacked, dying := w.sim.Depth(q)
			err = fmt.Errorf("%w; %s: %d ready, %d unacked, %d on their way", err, q, ready, unacked, dying)
		}
		return err
	}
	return w.probe(slots, sender)
}

// probe sends messages of a second each, more than all can take ahead, and looks whether
// everybody's slots are used.
func (w *world) probe(slots []*slot, sender *sending.Pipeline) error {
	want := w.spec.concurrency
	switch {
	case !w.spec.singleActive:
		want *= len(slots)
	case slices.ContainsFunc(w.faults, func(f fault) bool { return f.Kind == simulated.Unreadable }):
		want = 1 // on a connection of its own it takes one at a time, as long as that lasts
	}
	var all sync.WaitGroup
	for i := range (len(slots) + 1) * w.spec.most() {
		all.Go(func() { w.publish(sender, mainQueue, fmt.Sprintf("%s%d", probe, i+1), 0) })
	}
	all.Wait()
	err := within(time.Minute, "done with the probes", func() bool {
		ready, unacked, _ := w.sim.Depth(mainQueue)
		return ready+unacked == 0
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && w.together < want {
		return fmt.Errorf("at the end %d handlers ran at once, want %d", w.together, want)
	}
	return err
}

const probe = "probe"

// within waits for something that must become so.
func within(d time.Duration, what string, is func() bool) error {
	for end := time.Now().Add(d); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("not %s within %s", what, d)
		}
	}
	return nil
}

// slot is a process and those that come after it, each with a name of its own.
type slot struct {
	world  *world
	number int

	mu    sync.Mutex
	lives int
	now   *process // nil while none runs
}

type process struct {
	world    *world
	sim      *simulated.Process
	consumer *consumer.Consumer
	over     chan struct{} // closed when it was stopped or killed
	end      sync.Once
	running  atomic.Int64
}

func (s *slot) current() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// supervise is what keeps a process running, as an operating system's service manager does.
func (s *slot) supervise() {
	for {
		p, err := s.start()
		if err == nil {
			select {
			case <-p.over:
			case <-s.world.ending:
				p.stop(20 * time.Second)
			}
		}
		p.exit()
		s.mu.Lock()
		s.now = nil
		s.mu.Unlock()
		select {
		case <-s.world.ending:
			return
		case <-time.After(time.Second):
		}
	}
}

func (s *slot) start() (*process, error) {
	w := s.world
	s.lives++
	p := &process{world: w, sim: w.sim.Process(fmt.Sprintf("p%d.%d", s.number, s.lives)), over: make(chan struct{})}
	c, err := consumer.New(connection.Over(p.sim), w.consumerSpec(p), monitoring.Nop{}, quietLog)
	if err != nil {
		w.check(err)
		return p, err
	}
	if w.spec.paced {
		consumer.Pace(c, w.spec.most())
	}
	if w.spec.impatient {
		consumer.Hurry(c, hurry)
	}
	p.consumer = c
	s.mu.Lock()
	s.now = p
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return p, c.Start(ctx)
}

// do carries out a moment.
func (s *slot) do(m moment) {
	p := s.current()
	if p == nil {
		return
	}
	s.world.sim.Note(simulated.Event{Kind: simulated.Remark, Process: p.sim.Name(), Text: m.what})
	switch m.what {
	case "pause":
		p.consumer.Pause()
		time.Sleep(m.lasts)
		p.consumer.Resume()
	case "stop":
		p.stop(m.lasts)
	case "kill":
		p.kill(m.lasts / 4)
	case "limit":
		most := min(m.most, s.world.spec.concurrency)
		p.limits(func() error { return p.consumer.Limit(most) })
		time.Sleep(m.lasts)
		p.limits(func() error { return p.consumer.Limit(0) })
	case "order", "order a pause":
		o := consumer.Order{Limit: m.most, Paused: m.what == "order a pause"}
		p.limits(func() error { p.consumer.Obey(o); return nil })
		time.Sleep(m.lasts)
		p.limits(func() error { p.consumer.Obey(consumer.Order{}); return nil })
	}
}

// limits changes how many handlers may run, and enters that in the journal. Of what happens while
// it changes either limit holds.
func (p *process) limits(change func() error) {
	note := func(most int) {
		p.world.sim.Note(simulated.Event{Kind: simulated.Remark, Process: p.sim.Name(), Text: mayRun, Tag: uint64(most)})
	}
	note(p.world.spec.concurrency)
	p.world.check(change())
	note(p.consumer.Health().Limit)
}

const mayRun = "so many handlers may run"

// stop is a polite end within a time.
func (p *process) stop(within time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	began := time.Now()
	err := p.consumer.Stop(ctx)
	if took := time.Since(began); took > within+100*time.Millisecond {
		p.world.check(fmt.Errorf("%s: Stop took %s of %s", p.sim.Name(), took, within))
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		p.world.check(fmt.Errorf("%s: %w", p.sim.Name(), err))
	}
	if err == nil && p.running.Load() > 0 {
		p.world.check(fmt.Errorf("%s: Stop has returned and %d handlers run", p.sim.Name(), p.running.Load()))
	}
	p.end.Do(func() { close(p.over) })
}

// kill is kill -9.
func (p *process) kill(noticed time.Duration) {
	p.sim.Kill(noticed)
	p.end.Do(func() { close(p.over) })
}

// exit is the end of a process, in whatever state it is. Its goroutines end by themselves, since
// nothing that they wait for comes any more.
func (p *process) exit() {
	if p.consumer != nil {
		_ = p.consumer.Stop(ended())
	}
	_ = p.sim.Stop(ended())
	if p.running.Load() > 0 {
		p.sim.Kill(0)
	}
}

func (w *world) consumerSpec(p *process) consumer.Spec {
	s := consumer.Spec{
		Queue: mainQueue, Handler: w.handler(p), Concurrency: w.spec.concurrency, Prefetch: w.spec.prefetch,
		MaxRetries: w.spec.retries, MaxCrashes: w.spec.crashes, Backoff: w.spec.backoff,
		Timeout: handlerMay, Grace: graceIs, SingleActive: w.spec.singleActive,
	}
	if s.MaxRetries == 0 {
		s.MaxRetries = consumer.NoRetries
	}
	if w.spec.ladder {
		s.Delays = slices.Clone(topology.Ladder)
	}
	if w.spec.hold {
		s.WhenStuck = consumer.Hold
	}
	return s
}

// handler does what is planned for a message, and enters that in the journal.
func (w *world) handler(p *process) consumer.Handler {
	return func(ctx context.Context, d consumer.Delivery) (r consumer.Result) {
		if running := p.running.Add(1); running > int64(w.spec.concurrency) {
			w.check(fmt.Errorf("%d handlers run at once, Concurrency is %d", running, w.spec.concurrency))
		}
		defer p.running.Add(-1)
		mark, _ := d.Headers[simulated.MarkHeader].(string)
		note := func(text string, ok bool) {
			w.sim.Note(simulated.Event{Kind: simulated.Remark, Process: p.sim.Name(), Message: d.MessageID, Of: mark, Text: text, OK: ok})
		}
		note(fmt.Sprintf("%s, attempt %d", began, d.Attempt), false)
		w.mu.Lock()
		left := time.Until(w.due[d.MessageID]) // negative for a message without a delay
		w.mu.Unlock()
		if left > 0 {
			w.check(fmt.Errorf("%s: handled %s before it is due", d.MessageID, left))
		}
		if d.Attempt > w.spec.retries+1 {
			w.check(fmt.Errorf("%s: attempt %d of %d", d.MessageID, d.Attempt, w.spec.retries+1))
		}
		how := "no return"
		defer func() { note(how, r.Acked()) }()
		r = w.behave(ctx, p, d)
		how = r.String()
		return r
	}
}

const began = "the handler runs"

// work is a wait that a process does not survive. It is false when ctx or the process ended first.
func work(ctx context.Context, p *process, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-p.sim.Dead():
	}
	return false
}

func (w *world) behave(ctx context.Context, p *process, d consumer.Delivery) consumer.Result {
	var m planned
	if n := 0; len(d.MessageID) > len(probe) {
		return w.probed(ctx, p)
	} else if _, err := fmt.Sscanf(d.MessageID, "m%d", &n); err == nil {
		m = w.messages[n-1]
	}
	fails := d.Attempt <= m.times
	switch m.does {
	case isSlow:
		if !work(ctx, p, 700*time.Millisecond) {
			return consumer.Retry(context.Cause(ctx))
		}
	case retries:
		if fails {
			return consumer.Retry(errors.New("planned"))
		}
	case retriesFar:
		if fails {
			return consumer.RetryAfter(7*time.Second, errors.New("planned"))
		}
	case forgets:
		if fails {
			return consumer.Result{}
		}
	case errs:
		return consumer.Error(errors.New("planned"))
	case panics:
		if fails {
			panic("planned")
		}
	case exits:
		if fails {
			runtime.Goexit()
		}
	case timesOut:
		if fails {
			work(ctx, p, time.Hour)
			return consumer.Retry(context.Cause(ctx))
		}
	case isStuck:
		if fails {
			work(context.Background(), p, handlerMay+graceIs+2*time.Second)
		}
	case snoozes:
		if w.times(d.MessageID) <= m.times {
			return consumer.Snooze(1500 * time.Millisecond)
		}
	case kills:
		if w.times(d.MessageID) <= m.times {
			work(ctx, p, 50*time.Millisecond)
			p.kill(0)
		}
	}
	return consumer.Ack()
}

// times counts the runs of a message over all processes.
func (w *world) times(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs[id]++
	return w.runs[id]
}

// probed handles a probe.
func (w *world) probed(ctx context.Context, p *process) consumer.Result {
	w.mu.Lock()
	w.probing++
	w.together = max(w.together, w.probing)
	w.mu.Unlock()
	work(ctx, p, 900*time.Millisecond)
	w.mu.Lock()
	w.probing--
	w.mu.Unlock()
	return consumer.Ack()
}

package partitions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// plan is what a run is made of.
type plan struct {
	seed       uint64
	variant    variant
	messages   int
	keys       int
	partitions int
	processes  int           // at the beginning
	span       time.Duration // in which the messages are published, while faults happen
}

// stage is one run. Its methods are for the test's goroutine, but for publish.
type stage struct {
	plan
	t      *testing.T
	rng    *rand.Rand
	url    string
	broker *amqptest.Broker // nil for the shared one
	queue  string
	ledger string
	slots  []*slot
	conn   *connection.Connection
	pub    *publisher.Client
	queues *amqp.Channel

	probes    int       // of balance
	published []message // publish writes it, and others read it when it has returned
}

// slot is a process, or the one that was started in its place. Its connections go through a proxy
// of its own.
type slot struct {
	number, generation int
	proxy              *amqptest.Proxy
	process            *amqptest.Process // nil while nobody is there
}

func newStage(t *testing.T, p plan, url string, broker *amqptest.Broker) *stage {
	t.Helper()
	s := &stage{
		plan: p, t: t, rng: rand.New(rand.NewPCG(p.seed, 0)), url: url, broker: broker,
		queue:  fmt.Sprintf("keys-%s-%d-%s", p.variant, p.seed, unique()),
		ledger: filepath.Join(t.TempDir(), "ledger"),
	}
	if broker == nil {
		amqptest.Cleanup(t, s.all()...)
	}
	var err error
	if s.conn, err = connection.New(connection.Config{URL: url, Name: "publisher"}, nil); err != nil {
		t.Fatal(err)
	}
	if s.pub, err = publisher.New(s.conn, publisher.Config{}, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.pub.Stop(ctx)
		_ = s.conn.Stop(ctx)
	})
	return s
}

func unique() string { return fmt.Sprintf("%08x", rand.Uint32()) }

// join starts a process, in this slot or in a new one.
func (s *stage) join(in *slot) *slot {
	s.t.Helper()
	if in == nil {
		in = &slot{number: len(s.slots), proxy: amqptest.NewProxy(s.t, s.url)}
		s.slots = append(s.slots, in)
	}
	in.generation++
	text, err := json.Marshal(task{
		Name: in.name(), URL: in.proxy.URL(), Queue: s.queue, Partitions: s.partitions,
		Variant: s.variant, Ledger: s.ledger, Seed: s.seed, Backoff: 100 * time.Millisecond,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	in.process = amqptest.StartProcess(s.t, []string{taskVariable + "=" + string(text)})
	return in
}

func (s *slot) name() string { return fmt.Sprintf("p%d-%d", s.number, s.generation) }

func (s *slot) await() { s.process.Await(readyLine, 60*time.Second) }

// end has a process stop, which it must do without an error.
func (s *stage) end(all ...*slot) {
	s.t.Helper()
	for _, in := range all {
		if in.process != nil {
			in.await() // a start that is told to stop is an error
			in.process.Terminate()
		}
	}
	for _, in := range all {
		if in.process == nil {
			continue
		}
		if code := in.process.Wait(30 * time.Second); code != 0 {
			s.t.Errorf("process %d has ended with %d:\n%s", in.number, code, in.process.Output())
		}
		in.process = nil
	}
}

// sequence returns the messages in the order in which they are published: keys at random, some of
// them much more often than others.
func (s *stage) sequence() []message {
	rng, last := rand.New(rand.NewPCG(s.seed, 1)), map[string]int{}
	var all []message
	for range s.messages {
		key := fmt.Sprint("k", min(rng.IntN(s.keys), rng.IntN(s.keys)))
		last[key]++
		all = append(all, message{key, last[key]})
	}
	return all
}

// publish publishes a part of the sequence within a time, and returns when all is confirmed. It
// uses a bare channel: a Publisher that is in doubt publishes twice, and so would everything that
// consumes seem to.
func (s *stage) publish(part []message, within time.Duration) {
	s.t.Helper()
	conn, err := amqp.Dial(s.url)
	if err != nil {
		s.t.Errorf("publish: %v", err)
		return
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		s.t.Errorf("publish: %v", err)
		return
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), within+time.Minute)
	defer cancel()
	var sent []*amqp.DeferredConfirmation
	began := time.Now()
	for i, m := range part {
		time.Sleep(time.Until(began.Add(within * time.Duration(i) / time.Duration(len(part)))))
		body, _ := json.Marshal(m) // it has a text and a number
		confirm, err := ch.PublishWithDeferredConfirm("", s.of(m.Key), false, false, amqp.Publishing{
			ContentType: "application/json", DeliveryMode: amqp.Persistent, MessageId: m.id(), Body: body,
		})
		if err != nil {
			s.t.Errorf("publish %s: %v", m.id(), err)
			return
		}
		sent = append(sent, confirm)
		s.published = append(s.published, m)
	}
	for i, confirm := range sent {
		if ok, err := confirm.WaitContext(ctx); !ok || err != nil {
			s.t.Errorf("publish %s: confirmed: %t, %v", part[i].id(), ok, err)
			return
		}
	}
}

// channel is one to the broker. A broker that was killed needs another one.
func (s *stage) channel() *amqp.Channel {
	s.t.Helper()
	if s.queues == nil || s.queues.IsClosed() {
		ch, err := amqptest.DialURL(s.t, s.url).Channel()
		if err != nil {
			s.t.Fatal(err)
		}
		s.queues = ch
	}
	return s.queues
}

func (s *stage) depth(queue string) int {
	s.t.Helper()
	q, err := s.channel().QueueDeclarePassive(queue, false, false, false, false, nil)
	if err != nil {
		s.t.Fatalf("%s: %v", queue, err)
	}
	return q.Messages
}

// mains are the partitions' queues.
func (s *stage) mains() (all []string) {
	for i := range s.partitions {
		all = append(all, topology.PartitionQueue(s.queue, i))
	}
	return all
}

// empties are the queues that have to be empty at the end.
func (s *stage) empties() []string {
	all := s.mains()
	if s.variant == skip {
		for _, q := range s.mains() {
			all = append(all, topology.RetryQueue(q, 100*time.Millisecond))
		}
	}
	return all
}

// all are the queues that there are.
func (s *stage) all() []string { return append(s.empties(), s.errorQueue()) }

func (s *stage) errorQueue() string { return topology.ErrorQueue(s.queue) }

// settled counts messages that have an effect or are parked, as far as one can see now.
func (s *stage) settled() int {
	s.t.Helper()
	all, err := readLedger(s.ledger)
	if err != nil {
		s.t.Fatal(err)
	}
	done := map[string]bool{}
	for _, e := range all {
		if e.what == effect {
			done[e.id()] = true
		}
	}
	return len(done) + s.depth(s.errorQueue())
}

// runOut waits until all is handled. What is then not is for the account.
func (s *stage) runOut(within time.Duration) {
	s.t.Helper()
	last, since := 0, time.Now()
	for end := since.Add(within); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		n := s.settled()
		if n >= len(s.published) {
			return
		}
		if n > last {
			last, since = n, time.Now()
		}
		if time.Since(since) > 10*time.Second {
			s.free()
			since = time.Now()
		}
	}
	s.t.Errorf("after %s not all is handled", within)
}

// free has the broker forget consumers that have ended: see ghost_test.go.
func (s *stage) free() {
	s.t.Helper()
	for _, q := range s.held() {
		s.t.Logf("the broker keeps %s for a consumer that has ended: its leader is started again", q)
		s.ctl("eval", fmt.Sprintf(freed, q))
	}
}

// freed starts the leader of a quorum queue again, as docs/OPERATIONS.md has it.
const freed = `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"bunnicula">>, queue, <<"%s">>)), ` +
	`L = amqqueue:get_pid(Q), ra:stop_server(quorum_queues, L), ra:restart_server(quorum_queues, L).`

func (s *stage) ctl(args ...string) string {
	s.t.Helper()
	if s.broker != nil {
		return s.broker.Ctl(args...)
	}
	return amqptest.Ctl(s.t, args...)
}

// held returns the queues with a consumer whose channel has ended.
func (s *stage) held() (queues []string) {
	s.t.Helper()
	channels := s.ctl("list_channels", "pid")
	for line := range strings.Lines(s.ctl("list_consumers", "queue_name", "channel_pid")) {
		words := strings.Fields(line)
		if len(words) == 2 && strings.HasPrefix(words[0], s.queue) && !strings.Contains(channels, words[1]) {
			queues = append(queues, words[0])
		}
	}
	return queues
}

// collect reads what a run has left when its processes have ended, and deletes the queues.
func (s *stage) collect() facts {
	s.t.Helper()
	f := facts{
		published: s.published, parked: map[string]int{}, left: map[string]int{}, tries: tries,
		poison:    func(m message) bool { return m.poison(s.seed) },
		partition: s.of,
	}
	var err error
	if f.ledger, err = readLedger(s.ledger); err != nil {
		s.t.Fatal(err)
	}
	ch := s.channel()
	for {
		d, ok, err := ch.Get(s.errorQueue(), true)
		if err != nil {
			s.t.Fatal(err)
		}
		if !ok {
			break
		}
		f.parked[d.MessageId]++
	}
	for _, q := range s.empties() {
		if n := s.depth(q); n > 0 {
			f.left[q] = n
		}
	}
	for _, q := range s.all() {
		if _, err := ch.QueueDelete(q, false, false, false); err != nil {
			s.t.Error(err)
		}
	}
	return f
}

// keep keeps the ledger of a run with which something is wrong, for whoever looks.
func (s *stage) keep(v verdict) {
	s.t.Helper()
	if s.variant == skip || len(v.inversions)+len(v.backwards)+len(v.wrong) == 0 {
		return
	}
	text, err := os.ReadFile(s.ledger)
	if err != nil {
		s.t.Fatal(err)
	}
	name := filepath.Join(os.TempDir(), s.queue+".ledger")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("the ledger is in %s", name)
}

// of returns the queue of a key.
func (s *stage) of(key string) string {
	s.t.Helper()
	name, err := topology.Partition(s.queue, key, s.partitions)
	if err != nil {
		s.t.Error(err)
	}
	return name
}

package consoleload

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/console"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

// taskVariable makes the test binary a console instead of running tests.
const taskVariable = "BUNNICULA_TEST_CONSOLELOAD"

// task is what a console's process does.
type task struct {
	URL        string // of the broker
	Queue      string // the consumer's
	State      string // directory
	Spool      string // directory
	MemoryPath string // of the measurement; nobody guesses it
}

// heap is what the console's process says of its memory, in bytes.
type heap struct {
	Live    int64 // after a collection
	Highest int64 // objects on the heap since the last measurement
}

// serve is the console's process. It ends by a SIGTERM.
func serve(text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	quiet := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn}))
	conn, err := connection.New(connection.Config{URL: t.URL, Name: "console"}, quiet)
	if err != nil {
		return err
	}
	plan := planOf(t.Queue)
	top, err := topology.New(plan)
	if err != nil {
		return err
	}
	c, err := console.New(console.Config{
		Connection: conn, StateDir: t.State, SpoolDir: t.Spool, Log: quiet,
		Topology: topologyfile.File{Consumers: []topologyfile.Consumer{{Plan: plan, Topology: top}}},
		Identify: func(*http.Request) (console.User, error) {
			return console.User{Name: "eve", Grants: []console.Grant{{Queues: "*", Right: console.Change}}}, nil
		},
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var highest atomic.Int64
	go watchHeap(ctx, &highest)
	mux := http.NewServeMux()
	mux.Handle("/", c)
	mux.HandleFunc(t.MemoryPath, func(w http.ResponseWriter, r *http.Request) { tellHeap(w, r, &highest) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	fmt.Println("serves http://" + l.Addr().String())
	<-ctx.Done()
	_ = server.Close()
	last, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c.Close(last)
	return conn.Stop(last)
}

// planOf is the topology of the consumer whose messages are parked.
func planOf(queue string) topology.Plan { return topology.Plan{Queue: queue} }

const objects = "/memory/classes/heap/objects:bytes"

// watchHeap notes the highest heap.
func watchHeap(ctx context.Context, highest *atomic.Int64) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for sample := []metrics.Sample{{Name: objects}}; ctx.Err() == nil; <-tick.C {
		metrics.Read(sample)
		if now := int64(sample[0].Value.Uint64()); now > highest.Load() {
			highest.Store(now)
		}
	}
}

// tellHeap answers with the heap, or with a profile of it or of the processor.
func tellHeap(w http.ResponseWriter, r *http.Request, highest *atomic.Int64) {
	switch r.URL.RawQuery {
	case "heap":
		runtime.GC()
		_ = pprof.WriteHeapProfile(w)
		return
	case "cpu":
		if pprof.StartCPUProfile(w) == nil {
			time.Sleep(10 * time.Second)
			pprof.StopCPUProfile()
		}
		return
	}
	h := heap{Highest: highest.Load()}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.Live = int64(m.HeapAlloc)
	highest.Store(h.Live)
	_ = json.NewEncoder(w).Encode(h)
}

// site is a console in a process of its own.
type site struct {
	t       *testing.T
	queue   string // the consumer's
	url     string
	process *amqptest.Process
	memory  string // path of the measurement
	client  *http.Client
}

// gogc is how much garbage the console has beside its heap, in percent, as in bunnicula console.
const gogc = "50"

// open starts a console for a queue, at this URL of the broker.
func open(t *testing.T, queue, broker string) *site {
	t.Helper()
	k := task{URL: broker, Queue: queue, State: t.TempDir(), Spool: t.TempDir(), MemoryPath: "/-/memory/" + queue}
	text, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, queue: queue, memory: k.MemoryPath, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	s.process = amqptest.StartProcess(t, []string{taskVariable + "=" + string(text), "GOGC=" + gogc})
	_, s.url, _ = strings.Cut(s.process.Await("serves ", time.Minute), "serves ")
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		s.process.Terminate()
		if code := s.process.Wait(time.Minute); code != 0 {
			t.Errorf("the console has ended with code %d", code)
		}
	})
	return s
}

// heap collects garbage in the console, and measures.
func (s *site) heap() (h heap) {
	s.t.Helper()
	if err := json.Unmarshal(s.get(s.memory).body, &h); err != nil {
		s.t.Fatal(err)
	}
	return h
}

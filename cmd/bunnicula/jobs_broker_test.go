package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// mill is an app of the test's with a pipeline of two stages. Each of its words has two letters.
type mill struct {
	*pipeline.Pipeline
	name, words, letters string
	bad                  atomic.Bool // a letter x is parked
	closed               chan struct{}
}

func startMill(t *testing.T) *mill {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	conn := connecttest.New(t, connection.Config{})
	m := &mill{name: amqptest.Queue(t, "mill"), closed: make(chan struct{})}
	m.words, m.letters = m.name+".words", m.name+".letters"
	amqptest.Cleanup(t, pipeline.StreamOf(m.name))
	pub, err := publisher.New(conn, publisher.Config{}, log)
	if err != nil {
		t.Fatal(err)
	}
	if m.Pipeline, err = pipeline.New(conn, pub, pipeline.Config{Name: m.name, Logger: log}); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stops := []func(context.Context) error{pub.Stop, m.Stop}
	start := func(queue string, h consumer.Handler) {
		amqptest.Cleanup(t, queue, queue+"-error", queue+"-quarantine", queue+"-1000")
		spec := consumer.Spec{Queue: queue, Handler: h, MaxRetries: consumer.NoRetries, Backoff: []time.Duration{time.Second}}
		c, err := consumer.New(conn, spec, nil, log)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		stops = append(stops, c.Stop)
	}
	start(m.letters, pipeline.Sink(m.Pipeline, func(_ context.Context, in consumer.Message[string]) consumer.Result {
		if in.Payload == "x" && m.bad.Load() {
			return consumer.Error(errors.New("x is no letter"))
		}
		return consumer.Ack()
	}))
	start(m.words, pipeline.Stage(m.Pipeline, m.letters, func(_ context.Context, in consumer.Message[string], emit pipeline.Emit[string]) consumer.Result {
		for _, letter := range in.Payload {
			if err := emit(string(letter)); err != nil {
				return consumer.Retry(err)
			}
		}
		return consumer.Ack()
	}))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		for _, stop := range slices.Backward(stops) {
			if err := stop(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	return m
}

func (m *mill) start(t *testing.T, job string, words ...string) {
	t.Helper()
	if _, err := pipeline.Start(t.Context(), m.Pipeline, m.words, slices.Values(words), pipeline.JobID(job)); err != nil {
		t.Fatal(err)
	}
}

// jobs returns the arguments of a command of jobs.
func (m *mill) jobs(args ...string) []string {
	return append(append([]string{"jobs"}, args...), "--name", m.name)
}

func TestJobsAreWatchedUntilTheyAreComplete(t *testing.T) {
	m := startMill(t)
	m.start(t, "first", "ab", "cd", "ef")
	online(t).run(m.jobs("watch", "first")...).want(t, exitOK, "first of "+m.name+": complete",
		m.letters+"        6     6\n", m.words+"          3     3\n")
	online(t).run(m.jobs("show", "first")...).want(t, exitOK, "complete", "s ago)")

	m.start(t, "second")
	online(t).run(m.jobs("watch", "second")...).want(t, exitOK, "second of "+m.name+": complete")
	online(t).run(m.jobs("ls")...).want(t, exitOK, "JOB", "first   complete", "second  complete", m.words+" 3/3, "+m.letters+" 6/6")

	r := online(t).run(m.jobs("ls", "--json", "--limit", "1")...).want(t, exitOK)
	var shown jobsShown
	if err := json.Unmarshal([]byte(r.out), &shown); err != nil {
		t.Fatal(err)
	}
	if len(shown.Jobs) != 1 || shown.Jobs[0].Job != "second" || shown.Jobs[0].Stages == nil || shown.More != 1 || shown.Pipeline != m.name {
		t.Errorf("%s", r.out)
	}
}

func TestAWatchedJobSaysWhatIsParked(t *testing.T) {
	amqptest.Long(t)
	m := startMill(t)
	m.bad.Store(true)
	m.start(t, "import", "ax", "by")
	amqptest.Eventually(t, 30*time.Second, func() bool {
		r := online(t).run(m.jobs("show", "import", "--parked", "--json")...).want(t, exitOK)
		var shown jobShown
		if err := json.Unmarshal([]byte(r.out), &shown); err != nil {
			t.Fatal(err)
		}
		return len(shown.Stages) == 2 && parkedOf(&shown.Progress) == 1 && shown.Stages[1].Done == 3
	}, "one message is not parked")
	online(t).run(m.jobs("show", "import", "--parked")...).want(t, exitOK, "import of "+m.name+": running", "EMITTED  DONE  PARKED",
		m.letters+"        4     3       1\n", "1 message of "+m.letters+" parked: bunnicula errors groups "+m.letters+" header.job=import\n")
	online(t).run("errors", "groups", m.letters, "header.job=import").want(t, exitOK, "x is no letter")

	// It gives up when it is asked to, and says what it knows.
	online(t).run(m.jobs("watch", "import", "--timeout", "8s")...).want(t, exitFailed, "not done within --timeout 8s",
		"1 message of "+m.letters+" parked", "running", "PARKED")

	watched := make(chan result)
	go func() { watched <- online(t).run(m.jobs("watch", "import", "--json")...) }()
	m.bad.Store(false)
	online(t).run("errors", "redrive", m.letters, "--all", "--yes").want(t, exitOK, "1 message of")
	r := (<-watched).want(t, exitOK)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	var last jobShown
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || !last.Complete || last.Stages[1].Done != 4 {
		t.Errorf("the last line is %s: %v", lines[len(lines)-1], err)
	}
}

func TestAnInterruptedWatchSaysHowFarTheJobIs(t *testing.T) {
	m := startMill(t)
	m.bad.Store(true)
	m.start(t, "import", "ax")
	amqptest.Eventually(t, 30*time.Second, func() bool {
		p, err := m.Progress(t.Context(), "import")
		return err == nil && len(p.Stages) == 2 && p.Stages[1].Done == 1
	}, "one letter is not done")
	s := online(t)
	ctx, interrupt := context.WithCancel(t.Context())
	s.ctx = ctx
	time.AfterFunc(500*time.Millisecond, interrupt)
	r := s.run(m.jobs("watch", "import")...).want(t, exitInterrupted, "interrupted")
	if r.out != "" && !strings.Contains(r.out, m.letters) {
		t.Errorf("%s", r.out)
	}
}

func TestJobsOfNoPipelineAreSaidToBeNone(t *testing.T) {
	name := amqptest.Queue(t, "none")
	none := `there is no stream "` + name + `-progress"`
	online(t).run("jobs", "ls", "--name", name).want(t, exitOK, "no job: "+none)
	online(t).run("jobs", "ls", "--name", name, "--json").want(t, exitOK, `"jobs": []`)
	online(t).run("jobs", "show", "import", "--name", name).want(t, exitFailed, none)
	online(t).run("jobs", "watch", "import", "--name", name).want(t, exitFailed, none)
	online(t).run("jobs", "ls", "--name", "a b").want(t, exitUsage, "--name", `"a b"`)

	m := startMill(t)
	online(t).run(m.jobs("ls")...).want(t, exitOK, "knows no job")
	online(t).run(m.jobs("show", "import")...).want(t, exitFailed, "there is no such job", "import")
	online(t).run(m.jobs("watch", "import")...).want(t, exitFailed, "there is no such job")
}

func TestTheOnlyPipelineNeedsNoName(t *testing.T) {
	m := startMill(t)
	m.start(t, "import", "ab")
	s := online(t)
	streams := func(names ...string) {
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/api/queues") {
				fmt.Fprint(w, "[]")
				return
			}
			queues := []string{`{"name": "slow-progress", "type": "quorum"}`}
			for _, name := range names {
				queues = append(queues, fmt.Sprintf(`{"name": %q, "type": "stream"}`, name))
			}
			fmt.Fprintf(w, "[%s]", strings.Join(queues, ","))
		}))
		t.Cleanup(api.Close)
		s.env["RABBITMQ_MANAGEMENT_URL"] = strings.Replace(api.URL, "://", "://watcher:hunter2@", 1)
	}
	streams("bunnicula-control", m.name+"-progress")
	s.run("jobs", "watch", "import").want(t, exitOK, "import of "+m.name+": complete")
	s.run("jobs", "ls").want(t, exitOK, "import")
	streams("bunnicula-control")
	s.run("jobs", "ls").want(t, exitUsage, "--name is missing, and no stream has a name that ends in -progress")
	streams("mails-progress", "bank-progress")
	s.run("jobs", "ls").want(t, exitUsage, "--name is missing, want one of bank, mails")
}

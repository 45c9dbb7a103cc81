package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/redistest"
)

func TestEveryRequestIsDoneOrParkedByWorkersThatMayConfigureNothing(t *testing.T) {
	t.Parallel()
	p := newPainting(t, "-n", "20", "-crash=false", "-keep").apply(t)
	user := p.addWorker(t)
	code, out, said := p.run(t, t.Context(), "-worker-user", user)
	if code != drill.ExitOK {
		t.Errorf("exit code %d", code)
	}
	drilltest.MustContain(t, said, `they connect as "`+user+`"`)
	drilltest.MustContain(t, out, "20 done + 5 parked = 25 published: every request is accounted for",
		"too many pixels: 20000 x 20000", "not a picture that can be read", "the disk does not answer",
		"refused   2", "killed   0")
	exhausted := 0
	for id, reason := range p.accounted(t) {
		if reason == "retries-exhausted" {
			exhausted++
		}
		if _, err := os.Stat(p.Out + "/parked/" + id); err != nil {
			t.Errorf("what is parked was not saved: %v", err)
		}
	}
	if exhausted != 1 {
		t.Errorf("%d requests are parked after their five tries, want 1", exhausted)
	}
}

func TestNothingIsLostWhenWorkersAreKilled(t *testing.T) {
	for seed := 1; seed <= 2; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			p := newPainting(t, "-n", "24", "-crash=false", "-kills", "4", "-seed", fmt.Sprint(seed), "-keep").apply(t)
			code, out, _ := p.run(t, t.Context())
			if code != drill.ExitOK {
				t.Errorf("exit code %d", code)
			}
			drilltest.MustContain(t, out, "every request is accounted for")
			if strings.Contains(out, "killed   0") {
				t.Error("no worker was killed")
			}
			p.accounted(t)
		})
	}
}

func TestAPictureThatKillsItsWorkersIsParked(t *testing.T) {
	amqptest.Long(t) // its hearing takes 10 s
	t.Parallel()
	p := newPainting(t, "-n", "20", "-kills", "3", "-keep").apply(t)
	code, out, _ := p.run(t, t.Context())
	if code != drill.ExitOK {
		t.Errorf("exit code %d", code)
	}
	drilltest.MustContain(t, out, "1 crashed, 4 error, 1 retries-exhausted", "every request is accounted for")
	p.accounted(t)
}

func TestTheCommandDeclaresWhatTheWorkersNeedAndNothingIsLeftBehind(t *testing.T) {
	amqptest.Long(t) // the command is built
	t.Parallel()
	p := newPainting(t, "-n", "10", "-crash=false", "-fresh")
	others, old := filepath.Join(p.Out, "of-others.txt"), filepath.Join(string(p.Results()), "old.png")
	if err := errors.Join(os.MkdirAll(string(p.Results()), 0o700), os.WriteFile(others, nil, 0o600), os.WriteFile(old, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	code, out, _ := p.run(t, t.Context())
	if code != drill.ExitOK {
		t.Errorf("exit code %d", code)
	}
	drilltest.MustContain(t, out, "every request is accounted for")
	if _, err := os.Stat(others); err != nil || p.Results().Has("old.png") {
		t.Errorf("-fresh deletes what is not the example's, or keeps results: %v", err)
	}
	for _, name := range p.queues(t) {
		if amqptest.Exists(t, name) {
			t.Errorf("queue %s is still there", name)
		}
	}
}

func TestWithRedisNoWorkerDoesAgainWhatAnotherHasDone(t *testing.T) {
	amqptest.Long(t) // it starts a Redis
	t.Parallel()
	p := newPainting(t, "-n", "100", "-crash=false", "-workers", "3", "-redis", redistest.Start(t).Addr).apply(t)
	code, out, _ := p.run(t, t.Context())
	if code != drill.ExitOK {
		t.Errorf("exit code %d", code)
	}
	drilltest.MustContain(t, out, "100 done + 5 parked", "and 0 more notices of the same", "again    0")
	if strings.Contains(out, "and 0 of them twice") {
		t.Error("no request was sent twice")
	}
}

func TestWithRedisNothingIsLostWhenWorkersAreKilled(t *testing.T) {
	amqptest.Long(t) // what a dead worker has claimed waits for some seconds
	t.Parallel()
	p := newPainting(t, "-n", "60", "-crash=false", "-kills", "4", "-keep", "-redis", redistest.Start(t).Addr).apply(t)
	code, out, _ := p.run(t, t.Context())
	if code != drill.ExitOK {
		t.Errorf("exit code %d", code)
	}
	drilltest.MustContain(t, out, "every request is accounted for")
	p.accounted(t)
}

func TestWithTheManagementAPIWorkersGetAUserOfTheirOwn(t *testing.T) {
	amqptest.Long(t) // it starts a broker
	b, api := amqptest.StartManaged(t)
	b.Ctl("set_user_tags", "bunnicula", "administrator")
	t.Setenv("RABBITMQ_MANAGEMENT_URL", api)
	var out, said drilltest.Output
	args := []string{"-url", b.URL, "-out", t.TempDir(), "-n", "10", "-crash=false"}
	if code := run(t.Context(), args, strings.NewReader(""), &out, &said); code != drill.ExitOK {
		t.Errorf("exit code %d: %s%s", code, said.String(), out.String())
	}
	drilltest.MustContain(t, said.String(), `they connect as "example-images-worker", who may configure nothing`)
	drilltest.MustContain(t, out.String(), "10 done + 5 parked")
	if users := b.Ctl("list_users"); strings.Contains(users, "example-images") {
		t.Errorf("the user is still there: %s", users)
	}
}

func TestWithoutItsQueuesNoWorkerStarts(t *testing.T) {
	t.Parallel()
	p := newPainting(t, "-n", "1")
	var out, said drilltest.Output
	code := run(t.Context(), append([]string{"worker"}, p.args...), strings.NewReader(""), &out, &said)
	if code != drill.ExitFailed || strings.Contains(out.String(), ready) || amqptest.Exists(t, p.Queue()) {
		t.Errorf("exit code %d, %q", code, out.String())
	}
	drilltest.MustContain(t, said.String(), p.Queue())
}

func TestAWorkerStopsWhenItsParentIsGone(t *testing.T) {
	t.Parallel()
	p := newPainting(t, "-n", "1").apply(t)
	stdin, parent := io.Pipe()
	var out, said drilltest.Output
	ended := make(chan int)
	go func() {
		ended <- run(t.Context(), append([]string{"worker", "-until-eof"}, p.args...), stdin, &out, &said)
	}()
	amqptest.Eventually(t, 20*time.Second, func() bool { return strings.Contains(out.String(), ready) }, "the worker does not start: %s", said.String())
	_ = parent.Close()
	select {
	case code := <-ended:
		if code != drill.ExitOK {
			t.Errorf("exit code %d: %s", code, said.String())
		}
	case <-time.After(20 * time.Second):
		t.Error("it runs on")
	}
}

func TestQueuesOfAnotherRunAreNotTouched(t *testing.T) {
	t.Parallel()
	p := newPainting(t, "-n", "1").apply(t)
	amqptest.Publish(t, p.Exchange(), "images.png.bw", messageOfAnotherRun)
	amqptest.Eventually(t, 5*time.Second, func() bool { return amqptest.Depth(t, p.Queue()) == 1 }, "the message is not there")
	code, _, said := p.run(t, t.Context())
	if code != drill.ExitFailed || amqptest.Depth(t, p.Queue()) != 1 {
		t.Errorf("exit code %d, and %d messages in the queue", code, amqptest.Depth(t, p.Queue()))
	}
	drilltest.MustContain(t, said, "hold 1 messages of another run: -fresh deletes them")
}

func TestAStoppedRunSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	p := newPainting(t, "-n", "2000", "-crash=false").apply(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		code, _, said := p.run(t, ctx)
		if code != drill.ExitStopped {
			t.Errorf("exit code %d", code)
		}
		drilltest.MustContain(t, said, "stopped; -fresh begins anew")
	}()
	amqptest.Eventually(t, 20*time.Second, func() bool { ids, _ := p.Results().IDs(); return len(ids) > 3 }, "no picture is done")
	stop()
	<-ended
}

func TestWorkersThatCannotStartEndTheRun(t *testing.T) {
	t.Parallel()
	p := newPainting(t, "-n", "1").apply(t)
	code, _, said := p.run(t, t.Context(), "-worker-user", "nobody")
	if code != drill.ExitFailed {
		t.Errorf("exit code %d", code)
	}
	drilltest.MustContain(t, said, "no worker starts", "nobody")
}

func TestWhatIsNotThereEndsTheRunAndIsNamed(t *testing.T) {
	t.Parallel()
	p := newPainting(t, "-n", "1", "-redis", "127.0.0.1:1").apply(t)
	code, _, said := p.run(t, t.Context())
	if code != drill.ExitFailed {
		t.Errorf("exit code %d", code)
	}
	drilltest.MustContain(t, said, "-redis 127.0.0.1:1: dial tcp 127.0.0.1:1")

	o := p.Options
	o.URL = "amqp://127.0.0.1:1/"
	cfg, err := config(o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBroker(o, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := b.Reach(ctx); err == nil {
		t.Error("it reaches what is not there")
	} else {
		drilltest.MustContain(t, err.Error(), "the broker: ", "127.0.0.1:1")
	}
}

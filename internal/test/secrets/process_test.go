package secrets_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// process is a worker in its own process, with its output by destination.
type process struct {
	t *testing.T
	secret
	queue   string
	env     []string
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers chan string

	mu    sync.Mutex
	sinks map[string]*bytes.Buffer
}

// key is the key of Sentry, which must be secret too. Only requests to Sentry have it.
var key = secret{"", "5ecre75ecre75ecre75ecre75ecre7aa", []string{"5ecre75ecre75ecre75ecre75ecre7aa"}}

func newProcess(t *testing.T, s secret, user string) *process {
	t.Helper()
	p := &process{t: t, secret: s, queue: amqptest.Queue(t, "secrets"), answers: make(chan string, 100), sinks: map[string]*bytes.Buffer{}}
	p.user = user
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AMQP_") && !strings.HasPrefix(v, "AMQPS_") {
			p.env = append(p.env, v)
		}
	}
	p.set("BUNNICULA_SECRETS_WORKER", "true")
	p.set("GOTRACEBACK", "all")
	// A race is no failure: fmt takes no locks when it prints the fields of other values.
	p.set("GORACE", "exitcode=0")
	p.set("WORKER_QUEUE", p.queue)
	p.set("WORKER_SECRET", p.password)
	p.set("WORKER_STATSD", p.listenUDP())
	p.set("WORKER_SENTRY", p.serveSentry())
	return p
}

func (p *process) set(name, value string) { p.env = append(p.env, name+"="+value) }

// keep adds text to the output of a destination.
func (p *process) keep(sink, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sinks[sink] == nil {
		p.sinks[sink] = new(bytes.Buffer)
	}
	p.sinks[sink].WriteString(text)
}

func (p *process) seen(sink string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sinks[sink] == nil {
		return ""
	}
	return p.sinks[sink].String()
}

func (p *process) listenUDP() string {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for packet := make([]byte, 1<<16); ; {
			n, err := conn.Read(packet)
			if err != nil {
				return
			}
			p.keep("statsd", string(packet[:n])+"\n")
		}
	}()
	p.t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	return conn.LocalAddr().String()
}

func (p *process) serveSentry() string {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.keep("sentry", r.URL.String()+"\n"+string(body)+"\n")
	}))
	p.t.Cleanup(server.Close)
	return "http://" + key.password + "@" + strings.TrimPrefix(server.URL, "http://") + "/42"
}

// stream keeps the output of the process on one of its files, and passes answers on.
type stream struct {
	*process
	sink string
	rest string
}

func (s *stream) Write(b []byte) (int, error) {
	s.keep(s.sink, string(b))
	lines := strings.Split(s.rest+string(b), "\n")
	for _, line := range lines[:len(lines)-1] {
		if answer, ok := strings.CutPrefix(line, done); ok && s.sink == "stdout" {
			s.answers <- answer
		}
	}
	s.rest = lines[len(lines)-1]
	return len(b), nil
}

// run makes the worker do these steps, one after the other. The first step starts it.
func (p *process) run(steps ...string) {
	p.t.Helper()
	if p.cmd == nil {
		p.begin()
	}
	for _, step := range steps {
		p.order(step)
		select {
		case answer := <-p.answers:
			if answer != step+" true" {
				p.t.Fatalf("step %q: %s; the end of what it says:\n%s", step, answer, p.tail())
			}
		case <-time.After(time.Minute):
			p.t.Fatalf("step %q does not end; the end of what it says:\n%s", step, p.tail())
		}
	}
}

func (p *process) begin() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	p.cmd = exec.CommandContext(ctx, os.Args[0])
	p.cmd.Env = p.env
	p.cmd.Stdout, p.cmd.Stderr = &stream{process: p, sink: "stdout"}, &stream{process: p, sink: "stderr"}
	var err error
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		cancel()
		_ = p.cmd.Wait() // this is the second Wait unless the test has failed
	})
}

func (p *process) order(step string) {
	p.t.Helper()
	if _, err := io.WriteString(p.orders, step+"\n"); err != nil {
		p.t.Fatalf("step %q: %v; the end of what it says:\n%s", step, err, p.tail())
	}
}

// ends makes the worker do its last step, and waits for its end.
func (p *process) ends(step string, code int) {
	p.t.Helper()
	if step != "" {
		p.order(step)
	}
	p.orders.Close()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if got := p.cmd.ProcessState.ExitCode(); got != code || err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("it ends with %d, %v; want %d; the end of what it says:\n%s", got, err, code, p.tail())
	}
	if !amqptest.Exists(p.t, p.queue+"-error") {
		return // the process did not reach that
	}
	for _, d := range amqptest.Drain(p.t, p.queue+"-error") {
		p.keep("the error queue", fmt.Sprintf("%+v %s\n", d, d.Body))
	}
}

func (p *process) tail() string {
	err := p.seen("stderr")
	out := p.seen("stdout")
	return out[max(0, len(out)-2000):] + "\n" + err[max(0, len(err)-4000):]
}

// await waits until all of these texts are in the output of a destination, which proves that the
// test sees it.
func (p *process) await(sink string, texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		amqptest.Eventually(p.t, 20*time.Second, func() bool { return strings.Contains(p.seen(sink), text) }, "%q is not in %s", text, sink)
	}
}

// search looks for the password in all output, and for Sentry's key in all output but Sentry's.
func (p *process) search() {
	p.t.Helper()
	for sink := range p.sinks {
		for form, where := range p.find(p.seen(sink)) {
			p.t.Errorf("%s: the password is there, %s:\n%s", sink, form, where)
		}
		if sink == "sentry" {
			continue
		}
		for form, where := range key.find(p.seen(sink)) {
			p.t.Errorf("%s: Sentry's key is there, %s:\n%s", sink, form, where)
		}
	}
}

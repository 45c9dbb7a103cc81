package amqptest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// environment is the output of "scripts/broker env" for a broker.
type environment map[string]string

// variables are the names in an environment.
var variables = []string{
	"AMQP_URL", "AMQPS_URL", "BROKER", "BROKER_NODE",
	"BUNNICULA_BROKER", "BUNNICULA_RABBITMQCTL", "BUNNICULA_TLS_DIR",
}

const howToStart = "no broker to test with: run make broker-up, or make test"

// shared is the environment of the broker that all tests share.
var shared = sync.OnceValues(lookUp)

func lookUp() (environment, error) {
	env := environment{}
	for _, name := range variables {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	if env["AMQP_URL"] != "" && env["BUNNICULA_BROKER"] != "" {
		return env, nil // make test sets it like this
	}
	found, err := script(nil, "env")
	if err != nil {
		return nil, fmt.Errorf("%s (%w)", howToStart, err)
	}
	return parse(found), nil
}

// parse reads the lines that script("env") has printed.
func parse(out string) environment {
	env := environment{}
	for line := range strings.Lines(out) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if ok {
			env[name] = value
		}
	}
	return env
}

// script runs scripts/broker with env added to the process's environment, and returns its output.
// For "env" that is one name=value per line, without shell quotes.
func script(env environment, args ...string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(root, "scripts", "broker"), args...)
	if len(args) == 1 && args[0] == "env" {
		names := strings.Join(variables, " ")
		cmd = exec.Command("bash", "-c",
			`vars=$("$0" env) && eval "$vars" && for v in `+names+`; do echo "$v=${!v-}"; done`, cmd.Path)
	}
	cmd.Env = os.Environ()
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return run(cmd)
}

// run returns a command's output. The error has what the command has written to stderr.
func run(cmd *exec.Cmd) (string, error) {
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, bytes.TrimSpace(complaint.Bytes()))
	}
	return out.String(), nil
}

// moduleRoot returns the nearest directory above the test's own that has scripts/broker.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "scripts", "broker")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("scripts/broker is in no directory above")
		}
		dir = parent
	}
}

// env returns the shared broker's environment. The test fails if there is none.
func env(t testing.TB) environment {
	t.Helper()
	e, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// ours skips the test, with the reason, if the broker is not a private node of scripts/broker. What
// such a broker lacks is not a fault of the test.
func ours(t testing.TB, what string) environment {
	t.Helper()
	e := env(t)
	if kind := e["BUNNICULA_BROKER"]; kind != "private" {
		t.Skipf("%s: only with a private node of scripts/broker, and this broker is %s", what, kind)
	}
	return e
}

// URL is the broker's address: AMQP_URL, or that of scripts/broker.
func URL(t testing.TB) string {
	t.Helper()
	return env(t)["AMQP_URL"]
}

// Ctl runs rabbitmqctl on the shared broker and returns its output. Tests of other packages may
// notice a change: see [StartBroker].
func Ctl(t testing.TB, args ...string) string {
	t.Helper()
	e := env(t)
	if e["BUNNICULA_BROKER"] == "external" {
		t.Skip("rabbitmqctl: not for the broker in AMQP_URL, which is somebody else's")
	}
	// The variable is a command line for a shell.
	cmd := exec.Command("bash", append([]string{"-c", e["BUNNICULA_RABBITMQCTL"] + ` "$@"`, "rabbitmqctl"}, args...)...)
	out, err := run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// login is the user, the password and the vhost of private nodes.
const login = "bunnicula"

// Broker is a private node for one test, which may kill it.
type Broker struct {
	t     testing.TB
	node  environment  // selects the node for scripts/broker
	state atomic.Int32 // the last action of the test on the node
	tls   TLS

	// URL stays the same when the node is restarted.
	URL string
}

const (
	ended int32 = iota // or never started
	running
	frozen
)

// StartBroker starts a broker that nobody else uses, of the same version as the shared one. It is
// wiped at cleanup. Starting takes some seconds. The settings apply from the boot, and over
// restarts.
func StartBroker(t testing.TB, settings ...Setting) *Broker {
	t.Helper()
	b := newBroker(t, settings)
	b.Start()
	b.started()
	return b
}

// newBroker returns a node that is not started.
func newBroker(t testing.TB, settings []Setting) *Broker {
	t.Helper()
	common := ours(t, "a broker to kill")
	clock, settings := takeOwnClock(t, settings)
	b := &Broker{t: t, node: environment{
		"AMQP_URL":         "",
		"BUNNICULA_BROKER": "private",
		"BROKER":           common["BROKER"],
		"BROKER_NODE":      "test-" + strconv.Itoa(os.Getpid()) + "-" + unique(),
		"BROKER_JOIN":      "",
		"BROKER_SETTINGS":  erlang(settings),
		"BROKER_CLOCK":     clock,
	}}
	dismiss, err := guard(b.node)
	if err != nil {
		t.Fatalf("amqptest: broker: %v", err)
	}
	t.Cleanup(func() {
		b.script("wipe") // the guard wipes the node too if this fails
		if err := dismiss(); err != nil {
			t.Errorf("amqptest: broker: its guard: %v", err)
		}
	})
	return b
}

// started reads facts that only a running node knows.
func (b *Broker) started() {
	b.t.Helper()
	b.state.Store(running)
	e := parse(b.script("env"))
	b.URL = e["AMQP_URL"]
	b.tls = tlsOf(e)
}

// Start starts a broker that was stopped or killed. It returns when the broker answers.
func (b *Broker) Start() { b.t.Helper(); b.script("up"); b.state.Store(running) }

// Stop stops the broker cleanly.
func (b *Broker) Stop() { b.t.Helper(); b.script("down"); b.state.Store(ended) }

// Settle makes the broker write its declarations to disk. Otherwise it writes them later. A kill
// just after a declaration may lose a queue with its messages; a quorum queue may still exist, but
// answer nobody.
func (b *Broker) Settle() {
	b.t.Helper()
	b.eval("mnesia:sync_log(), lists:foreach(fun dets:sync/1, dets:all())")
}

// Kill is kill -9. See [Broker.Settle].
func (b *Broker) Kill() { b.t.Helper(); b.script("kill"); b.state.Store(ended) }

// Ctl runs rabbitmqctl on the broker. Each call takes about a second.
func (b *Broker) Ctl(args ...string) string {
	b.t.Helper()
	if b.state.Load() == frozen {
		b.t.Fatal("amqptest: rabbitmqctl: the broker is frozen, and would not answer")
	}
	return b.script("ctl", args...)
}

func (b *Broker) script(verb string, args ...string) string {
	b.t.Helper()
	out, err := script(b.node, append([]string{verb}, args...)...)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

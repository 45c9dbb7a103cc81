package languages

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

const imageWorker = "../../../examples/images/node/worker.js"

// images builds the example.
func images(t *testing.T) (program string) {
	t.Helper()
	if !slices.Contains(chosen(t), "node") {
		t.Skip("LANGUAGES does not name node")
	}
	t.Parallel()
	program = filepath.Join(t.TempDir(), "images")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../../examples/images").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// imageQueues returns what the names of the example's exchange and queues begin with.
func imageQueues(t *testing.T) (prefix string) {
	t.Helper()
	prefix = amqptest.Queue(t, "images")
	var names []string
	for _, queue := range []string{prefix + "-bw", prefix + "-notices"} {
		its, err := topology.New(topology.Plan{Queue: queue, Delays: append([]time.Duration{
			100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond,
		}, topology.Ladder...)})
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, its.Names()...)
	}
	amqptest.Cleanup(t, append(names, prefix)...)
	return prefix
}

// The example kills its workers, has one picture that kills them, and accounts for each request.
func TestTheWorkerInNodeSharesTheQueueOfTheImages(t *testing.T) {
	program, prefix := images(t), imageQueues(t)
	cmd := exec.CommandContext(t.Context(), program, "-workers", "1", "-node", imageWorker, "-kills", "5",
		"-queue-prefix", prefix, "-out", t.TempDir())
	cmd.Env = append(os.Environ(), "AMQP_URL="+amqptest.URL(t))
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s%s", err, said.String(), out.String())
	}
	if !strings.Contains(out.String(), "every request is accounted for") || !regexp.MustCompile(`[1-9]\d* in Go, [1-9]\d* in Node`).MatchString(out.String()) {
		t.Errorf("not both have worked, or it does not add up:\n%s", out.String())
	}
}

func TestWhatTheWorkerInNodeCannotDecodeIsLeftToGo(t *testing.T) {
	program := images(t)
	prefix := imageQueues(t)
	declare := exec.CommandContext(t.Context(), program, "topology", "-queue-prefix", prefix)
	text, err := declare.Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := topologyfile.Read("the example's", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, its := range file.Topologies() {
		if err := its.Declare(amqptest.Channel(t)); err != nil {
			t.Fatal(err)
		}
	}
	results := t.TempDir()
	env := []string{"AMQP_URL=" + amqptest.URL(t)}
	node := amqptest.StartProcess(t, env, amqptest.Program("node", imageWorker, prefix+"-bw", results))
	node.Await("ready", 20*time.Second)
	amqptest.Publish(t, prefix, "images.gif.bw", amqp.Publishing{MessageId: "one.gif", ContentType: "image/gif", Body: []byte("GIF89a")})
	const more = 7 // than it has tries
	amqptest.Eventually(t, 20*time.Second, func() bool { return strings.Count(node.Output(), "left to Go: image/gif") >= more },
		"it does not come again: %s", node.Output())
	stop(t, node)

	worker := amqptest.StartProcess(t, env, amqptest.Program(program, "worker", "-queue-prefix", prefix, "-out", results))
	conn := connecttest.New(t, connection.Config{})
	amqptest.Eventually(t, 20*time.Second, func() bool { return amqptest.Depth(t, prefix+"-bw-error") == 1 }, "Go has not parked it")
	queue, err := errorqueue.Open(t.Context(), conn, errorqueue.Config{Queue: prefix + "-bw"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close(t.Context())
	var parked []errorqueue.Message
	for m, err := range queue.List(t.Context(), errorqueue.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		parked = append(parked, m)
	}
	if len(parked) != 1 || parked[0].ID != "one.gif" || parked[0].Reason != "error" || parked[0].Attempts != 1 || !strings.Contains(parked[0].Error, "image/gif") {
		t.Errorf("parked as %+v", parked)
	}
	stop(t, worker)
}

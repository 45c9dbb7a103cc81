package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

const workerPassword = "a-password" // of the user that a test makes

func TestMain(m *testing.M) {
	_ = os.Setenv("WORKER_PASSWORD", workerPassword)
	drilltest.Main(m, main)
}

// painting is one run of a test, with queues and a folder of its own.
type painting struct {
	Options

	args []string
}

// newPainting makes a run whose queues the test has declared.
func newPainting(t *testing.T, args ...string) painting {
	t.Helper()
	args = append([]string{"-url", amqptest.URL(t), "-queue-prefix", amqptest.Queue(t, "images"), "-out", t.TempDir()}, args...)
	o, err := parse(args, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	p := painting{o, args}
	amqptest.Cleanup(t, append(p.queues(t), o.Exchange())...)
	return p
}

func (p painting) queues(t *testing.T) []string {
	t.Helper()
	b, err := NewBroker(p.Options, connection.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return b.Names()
}

// apply declares what the file says, as the command would.
func (p painting) apply(t *testing.T) painting {
	t.Helper()
	var text bytes.Buffer
	if err := writeTopology(&text, p.Options); err != nil {
		t.Fatal(err)
	}
	file, err := topologyfile.Read("the example's", &text)
	if err != nil {
		t.Fatal(err)
	}
	for _, its := range file.Topologies() {
		if err := its.Declare(amqptest.Channel(t)); err != nil {
			t.Fatal(err)
		}
	}
	p.args = append(p.args, "-applied")
	return p
}

// addWorker makes a user who may do what the example's workers may.
func (p painting) addWorker(t *testing.T) (user string) {
	t.Helper()
	may, user := workerMay(p.Options), p.Prefix+"-worker"
	vhost, err := vhostOf(connection.Config{URL: amqptest.URL(t)})
	if err != nil {
		t.Fatal(err)
	}
	// One call, because each starts an Erlang.
	text := func(s string) string { return `<<"` + strings.ReplaceAll(s, `\`, `\\`) + `">>` }
	t.Cleanup(func() {
		amqptest.Ctl(t, "eval", fmt.Sprintf(`rabbit_auth_backend_internal:delete_user(%s, <<"test">>).`, text(user)))
	})
	amqptest.Ctl(t, "eval", fmt.Sprintf(`ok = rabbit_auth_backend_internal:add_user(%s, %s, <<"test">>),
		ok = rabbit_auth_backend_internal:set_permissions(%[1]s, %[3]s, %s, %s, %s, <<"test">>).`,
		text(user), text(workerPassword), text(vhost), text(may.Configure), text(may.Write), text(may.Read)))
	return user
}

// run runs it in this process, with workers in others, and returns the exit code and what it
// printed.
func (p painting) run(t *testing.T, ctx context.Context, more ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaint drilltest.Output
	code = run(ctx, slices.Concat(p.args, more), strings.NewReader(""), &out, &complaint)
	t.Logf("exit code %d\n%s%s", code, complaint.String(), out.String())
	return code, out.String(), complaint.String()
}

// accounted checks by the folder and the error queue, and not by what the program says, that each
// picture is done and the rest is parked. The queues must have been kept.
func (p painting) accounted(t *testing.T) (reasons map[string]string) {
	t.Helper()
	ids, err := p.Results().IDs()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, id := range ids {
		seen[id] = true
	}
	reasons = map[string]string{}
	for _, d := range amqptest.Drain(t, topology.ErrorQueue(p.Queue())) {
		reasons[d.MessageId], _ = d.Headers["bunnicula-reason"].(string)
		seen[d.MessageId] = true
	}
	want := 0
	for _, r := range requests(p.Options, "run") {
		if r.Want != refused {
			want++
		}
	}
	if len(seen) != want || len(ids) > p.N {
		t.Errorf("%d requests are done and %d parked, %d together; want %d and %d", len(ids), len(reasons), len(seen), p.N, want)
	}
	return reasons
}

var messageOfAnotherRun = amqp.Publishing{MessageId: "another", ContentType: "image/png", Body: []byte("picture")}

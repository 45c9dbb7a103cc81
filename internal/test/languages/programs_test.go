package languages

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

const folder = "../../../examples/languages"

// language is how its programs are run.
type language struct {
	publish []string // the program that publishes, in folder
	declare []string // declares the queue that is the last argument, as its users do at first
}

var languages = map[string]language{
	"node": {
		publish: []string{"node", "node/publish.js"},
		declare: []string{"node", "--input-type=module", "-e", `
			import amqp from './node/node_modules/amqplib/channel_api.js';
			const connection = await amqp.connect(process.env.AMQP_URL);
			const channel = await connection.createChannel();
			channel.on('error', () => {});
			await channel.assertQueue(process.argv[1]);`},
	},
	"ruby": {
		publish: []string{"ruby", "ruby/publish.rb"},
		declare: []string{"ruby", "-e", `
			require 'bunny'
			channel = Bunny.new(ENV['AMQP_URL']).start.create_channel
			channel.queue(ARGV[0], durable: true)`},
	},
	"python": {
		publish: []string{"/usr/bin/python3", "python/publish.py"}, // Debian's, which has its python3-pika
		declare: []string{"/usr/bin/python3", "-c", `
import os, sys, pika
channel = pika.BlockingConnection(pika.URLParameters(os.environ['AMQP_URL'])).channel()
channel.queue_declare(sys.argv[1], durable=True)`},
	},
	"php":  {publish: []string{"php", "php/publish.php"}},
	"java": {publish: []string{"java", "-cp", "/usr/share/java/amqp-client.jar:/usr/share/java/slf4j-api.jar", "java/Publish.java"}},
}

// each runs a test for each language that LANGUAGES names.
func each(t *testing.T, test func(t *testing.T, l language)) {
	chosen(t)
	for name, l := range languages {
		if slices.Contains(chosen(t), name) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, l)
			})
		}
	}
}

// chosen returns the languages that are to be run. Without any it skips the test.
func chosen(t *testing.T) []string {
	t.Helper()
	names := strings.Fields(os.Getenv("LANGUAGES"))
	if len(names) == 0 {
		t.Skip("LANGUAGES names no language (make languages)")
	}
	for _, name := range names {
		if _, known := languages[name]; !known {
			t.Fatalf("LANGUAGES has %q, which is none of ours", name)
		}
	}
	return names
}

// needsNode skips a test if Node is not to be run.
func needsNode(t *testing.T) {
	t.Helper()
	if !slices.Contains(chosen(t), "node") {
		t.Skip("LANGUAGES does not name node")
	}
}

// run runs a program to its end, and returns what it said and its exit code.
func run(t *testing.T, command []string, args ...string) (said string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], slices.Concat(command[1:], args)...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, &out, &out
	cmd.Env = append(os.Environ(), "AMQP_URL="+amqptest.URL(t))
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", command[0], err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// nodeConsumer starts the example's consumer of a queue, and waits until it consumes.
func nodeConsumer(t *testing.T, queue string, delays ...string) *amqptest.Process {
	t.Helper()
	p := amqptest.StartProcess(t, []string{"AMQP_URL=" + amqptest.URL(t)},
		amqptest.Program("node", filepath.Join(folder, "node", "consume.js"), queue, strings.Join(delays, ",")))
	p.Await("consuming "+queue, 20*time.Second)
	return p
}

// stop asks a Node consumer to stop, and waits until it has.
func stop(t *testing.T, p *amqptest.Process) {
	t.Helper()
	p.Terminate()
	if code := p.Wait(20 * time.Second); code != 0 {
		t.Errorf("the Node consumer ended with code %d", code)
	}
}

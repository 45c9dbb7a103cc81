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
	consume []string // the program that consumes, in folder; none if the page has none
	delays  bool     // the program that publishes takes DELAY, in seconds
	inflate []string // inflates standard input to at most 1000 bytes, as the page says
	deflate []string // compresses standard input

	// partition reads the vectors in standard input, and prints where each key goes as JSON. Such a
	// language's program that publishes takes PARTITIONS.
	partition []string
}

var languages = map[string]language{
	"node": {
		publish: []string{"node", "node/publish.js"},
		consume: []string{"node", "node/consume.js"},
		delays:  true,
		declare: []string{"node", "--input-type=module", "-e", `
			import amqp from './node/node_modules/amqplib/channel_api.js';
			const connection = await amqp.connect(process.env.AMQP_URL);
			const channel = await connection.createChannel();
			channel.on('error', () => {});
			await channel.assertQueue(process.argv[1]);`},
		inflate: []string{"node", "-e", `
			const body = require('fs').readFileSync(0);
			process.stdout.write(require('zlib').gunzipSync(body, { maxOutputLength: 1000 }));`},
		deflate: []string{"node", "-e", `process.stdout.write(require('zlib').gzipSync(require('fs').readFileSync(0)))`},
		partition: []string{"node", "--input-type=module", "-e", `
			import { readFileSync } from 'node:fs';
			import { partition } from './node/partition.js';
			console.log(JSON.stringify(JSON.parse(readFileSync(0)).map((v) => partition(v.queue, v.key, v.partitions))));`},
	},
	"ruby": {
		publish: []string{"ruby", "ruby/publish.rb"},
		declare: []string{"ruby", "-e", `
			require 'bunny'
			channel = Bunny.new(ENV['AMQP_URL']).start.create_channel
			channel.queue(ARGV[0], durable: true)`},
	},
	"python": {
		publish: []string{"/usr/bin/python3", "-B", "python/publish.py"}, // Debian's, which has its python3-pika
		consume: []string{"/usr/bin/python3", "-B", "python/consume.py"},
		delays:  true,
		declare: []string{"/usr/bin/python3", "-c", `
import os, sys, pika
channel = pika.BlockingConnection(pika.URLParameters(os.environ['AMQP_URL'])).channel()
channel.queue_declare(sys.argv[1], durable=True)`},
		inflate: []string{"/usr/bin/python3", "-c", `
import sys, zlib
z = zlib.decompressobj(wbits=31)
out = z.decompress(sys.stdin.buffer.read(), 1000)
sys.exit('too large') if not z.eof else sys.stdout.buffer.write(out)`},
		deflate: []string{"/usr/bin/python3", "-c", `
import gzip, sys
sys.stdout.buffer.write(gzip.compress(sys.stdin.buffer.read()))`},
		partition: []string{"/usr/bin/python3", "-B", "-c", `
import json, sys
sys.path.insert(0, 'python')
from partition import partition
print(json.dumps([partition(v['queue'], v['key'], v['partitions']) for v in json.load(sys.stdin)]))`},
	},
	"php":  {publish: []string{"php", "php/publish.php"}},
	"java": {publish: []string{"java", "-cp", "/usr/share/java/amqp-client.jar:/usr/share/java/slf4j-api.jar", "java/Publish.java"}},
}

// each runs a test for each language that LANGUAGES names and that has the program which the test
// needs.
func each(t *testing.T, needs func(language) []string, test func(t *testing.T, l language)) {
	names := chosen(t)
	for name, l := range languages {
		if slices.Contains(names, name) && needs(l) != nil {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, l)
			})
		}
	}
}

func publishes(l language) []string { return l.publish }

// delays is the program that publishes orders to be handled in 1.3 seconds.
func delays(l language) []string {
	if !l.delays {
		return nil
	}
	return append([]string{"env", "DELAY=1.3"}, l.publish...)
}
func declares(l language) []string   { return l.declare }
func consumes(l language) []string   { return l.consume }
func partitions(l language) []string { return l.partition }

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

// start starts the program that consumes a queue, and waits until it does.
func (l language) start(t *testing.T, queue string, delays ...string) *amqptest.Process {
	t.Helper()
	const timeout = "0.3" // seconds
	args := append(slices.Clone(l.consume[1:]), queue, strings.Join(delays, ","), timeout)
	program := len(l.consume) - 2 // of args
	args[program] = filepath.Join(folder, args[program])
	p := amqptest.StartProcess(t, []string{"AMQP_URL=" + amqptest.URL(t)}, amqptest.Program(l.consume[0], args...))
	p.Await("consuming "+queue, 20*time.Second)
	return p
}

// stop asks a consumer to stop, and waits until it has.
func stop(t *testing.T, p *amqptest.Process) {
	t.Helper()
	p.Terminate()
	if code := p.Wait(20 * time.Second); code != 0 {
		t.Errorf("the consumer ended with code %d", code)
	}
}

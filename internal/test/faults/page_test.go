//go:build unix

package faults_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

const page = "../../../docs/RELIABILITY.md"

// TestPage makes the page if -update -results FILE is given. Otherwise it checks that the page fits
// the matrix.
func TestPage(t *testing.T) {
	if *updatePage {
		rows, err := readRows(*resultsFile)
		if err != nil {
			t.Fatal(err)
		}
		text, err := render(matrix, rows)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, complaint := range checkPage(matrix, string(text)) {
		t.Error(complaint)
	}
}

// line matches a row of the page's table: one scenario and queue type, measured on each broker.
var line = regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\| (.*) \\| (quorum|classic) \\| (.*) \\| (.*) \\| (.*) \\| (.*) \\| (.*) \\|$")

// nothingLost matches that cell of a line if no broker has lost a message. A scenario that a broker
// does not run has a dash.
var nothingLost = regexp.MustCompile("^(0|–)( · (0|–))*$")

// checkPage returns how the page differs from the matrix.
func checkPage(matrix []scenario, text string) (complaints []string) {
	listed := map[string]bool{}
	for _, m := range line.FindAllStringSubmatch(text, -1) {
		name, breaks, queue, lost := m[1], m[2], m[3], m[5]
		key := name + " " + queue
		if listed[key] {
			complaints = append(complaints, key+": stands there twice")
		}
		listed[key] = true
		i := slices.IndexFunc(matrix, func(sc scenario) bool { return sc.name == name })
		switch {
		case i < 0 || !slices.Contains(matrix[i].withDefaults().types, topology.QueueType(queue)):
			complaints = append(complaints, key+": is not in the matrix")
		case matrix[i].breaks != breaks:
			complaints = append(complaints, key+": the matrix says that it breaks something else")
		}
		if !nothingLost.MatchString(lost) {
			complaints = append(complaints, key+": lost is "+lost)
		}
	}
	for _, sc := range matrix {
		for _, queue := range sc.withDefaults().types {
			if key := sc.name + " " + string(queue); !listed[key] {
				complaints = append(complaints, key+": is not on the page; see internal/test/faults/doc.go for how it is made")
			}
		}
	}
	return complaints
}

func readRows(file string) ([]row, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("-results: %w", err)
	}
	var rows []row
	for line := range bytes.Lines(text) {
		var r row
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", file, line, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// brokers are the versions that the page can show, in the order of its cells. The page shows those
// that were measured.
var brokers = []string{"3.10", "4.0", "4.3"}

// render makes the page from the last run of each scenario on each broker. It returns an error if a
// run is missing or has failed.
func render(matrix []scenario, rows []row) (string, error) {
	last := map[string]row{}
	versions := map[string]string{}
	var at time.Time
	for _, r := range rows {
		for _, b := range brokers {
			if strings.HasPrefix(r.Broker, b+".") {
				last[r.Scenario+" "+string(r.Queue)+" "+b] = r
				versions[b] = r.Broker
			}
		}
		if r.At.After(at) {
			at = r.At
		}
	}
	measured := slices.DeleteFunc(slices.Clone(brokers), func(b string) bool { return versions[b] == "" })
	if len(measured) < 2 {
		return "", fmt.Errorf("results of %q, want those of two brokers at least", measured)
	}
	var table strings.Builder
	var total row
	for _, sc := range matrix {
		for _, queue := range sc.withDefaults().types {
			var cells []*row // nil for a broker that does not run the scenario
			for _, b := range measured {
				if is43(versions[b]) && !slices.Contains(sc.on43().withDefaults().types, queue) {
					cells = append(cells, nil)
					continue
				}
				r, ok := last[sc.name+" "+string(queue)+" "+b]
				if !ok {
					return "", fmt.Errorf("no result of %s on %s queues with RabbitMQ %s", sc.name, queue, b)
				}
				if r.Failed || r.Lost > 0 {
					return "", fmt.Errorf("%s on %s queues failed with RabbitMQ %s", sc.name, queue, b)
				}
				cells = append(cells, &r)
				total.Confirmed += r.Confirmed
				total.Duplicates += r.Duplicates
				total.Faults += r.Faults
				total.Recovered = max(total.Recovered, r.Recovered)
			}
			fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s | %s | %s | %s |\n", sc.name, sc.breaks, queue,
				each(cells, func(r row) string { return fmt.Sprint(r.Confirmed) }),
				each(cells, func(r row) string { return fmt.Sprint(r.Lost) }),
				each(cells, func(r row) string { return fmt.Sprintf("%d of %d", r.Duplicates, r.Bound) }),
				each(cells, func(r row) string { return fmt.Sprint(r.Parked) }),
				each(cells, again))
		}
	}
	var names []string
	for _, b := range measured {
		names = append(names, versions[b])
	}
	return fmt.Sprintf(pageText, at.Format(time.DateOnly), strings.Join(names[:len(names)-1], ", "), names[len(names)-1],
		len(matrix), total.Confirmed, total.Duplicates, again(total), table.String()), nil
}

func each(rows []*row, cell func(row) string) string {
	var cells []string
	for _, r := range rows {
		if r == nil {
			cells = append(cells, "–")
		} else {
			cells = append(cells, cell(*r))
		}
	}
	return strings.Join(cells, " · ")
}

// again returns the longest recovery time of a row.
func again(r row) string {
	if r.Faults == 0 {
		return "–"
	}
	return r.Recovered.Round(10 * time.Millisecond).String()
}

const pageText = `# What was broken, and what was lost

At least once: a message that the broker confirmed to its publisher is in the end acked after its handler said so,
waiting in its main or a retry queue, or parked in its error queue. [internal/test/faults](../internal/test/faults/doc.go) breaks what a real system
breaks, with a real broker and workers that are processes of their own, and counts the messages afterwards. Beside "nothing is lost" it
checks that

- what is there twice is at most what was in flight when something broke, and there is nothing twice where nothing broke,
- no handler sees an attempt above the limit, and each message is parked for the reason that it has,
- only messages that kill their process are parked as crashed,
- bodies, message ids and headers arrive as they were published,
- after each fault a message published then reaches its handler within a bounded time, 5 s unless the scenario says otherwise,
- every worker stops on SIGTERM in its time, and no goroutine, consumer or connection is left.

Measured on %s with RabbitMQ %s and %s; cells with dots show all of them, in this order. Workers and publishers notice silence after 3 s here (a heartbeat of
2 s); with the default of 10 s they do after 15 s. All %d scenarios together: %d messages confirmed, 0 lost, %d handled or parked
twice, and at work again after %s at the latest.

| Scenario | What breaks | Queues | Confirmed | Lost | Twice (allowed) | Parked | At work again after |
| --- | --- | --- | --- | --- | --- | --- | --- |
%s
Parked are messages that ask for it, such as those that always fail, and they are among those that flow in most scenarios. Where nothing
is a fault, as in a deploy, nothing is allowed to happen twice.

## How to run it

` + "```" + `sh
make faults            # the whole matrix, against the broker that make test uses; BROKER=4.3 for RabbitMQ 4.3
make soak FOR=30m      # random faults, side by side with traffic; SEED=n plays the same again
` + "```" + `

This page is made from such runs: [internal/test/faults/doc.go](../internal/test/faults/doc.go) says how. A test checks that it lists every scenario, and none that
is not there.

## How some of it is simulated

- A broker that is killed or stands still is a process that gets SIGKILL or SIGSTOP, on a machine that goes on. While it is away its port
  refuses connections.
- An alarm is a limit of memory or disk space that is set where it is exceeded. Neither is full.
- Nobody touches the machine's clock. A worker with another clock is the same program with a time.Now that is an hour off, from its start or
  from its fourth second on; its timers go on, as they do when a clock is set. A broker with another clock is given its time of day by
  libfaketime.
- RabbitMQ tries a dead letter that its target did not take again after three minutes. One scenario waits for that; in those that say so it is set to
  4 s. Retries that are due while a broker starts can be that late, with a single node as in a cluster, on each version; on 3.10 those of a cluster also
  when a node is killed. [OPERATIONS.md](OPERATIONS.md#retries-come-late) has the setting for that.

## What is not covered

- Disks that lose what they have confirmed, and machines that lose power: the broker is killed, its machine is not.
- Brokers other than those versions, and networks other than this machine's own.
- Two nodes of a cluster lost at the same time for good. A quorum queue needs the majority of its nodes.
- Exactly once. Handlers that run twice after a fault are counted, not prevented.
- Classic queues where they can lose messages: their scenarios are those that they are promised for.
`

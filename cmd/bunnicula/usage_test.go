package main

import (
	"context"
	"strings"
	"testing"
)

const twoConsumers = `consumers:
  - queue: orders
    delays: [10s, 1m]
    bindings:
      - exchange: events
        kind: topic
        keys: [order.*]
  - queue: refunds
    type: classic
    error_queue: failed
`

func TestWrongUsageIsSaidByNameAndValue(t *testing.T) {
	good := file(t, twoConsumers)
	for _, test := range []struct {
		want string
		args []string
	}{
		{`unknown command "stats"`, []string{"stats"}},
		{`unknown command "shwo" for "bunnicula topology"`, []string{"topology", "shwo"}},
		{"unknown flag: --nope", []string{"status", "--nope"}},
		{`invalid argument "soon" for "--timeout" flag`, []string{"status", "q", "--timeout", "soon"}},
		{"--timeout is 0s", []string{"status", "q", "--timeout", "0s"}},
		{"--url has the scheme \"http\"", []string{"status", "q", "--url", "http://u:hunter2@h"}},
		{"--url is not a URL", []string{"status", "q", "--url", "hunter2"}},
		{"--management-url: management API: the URL is not one", []string{"status", "--management-url", "u:hunter2@h:15672"}},
		{"which consumers?", []string{"status"}},
		{"an argument is empty", []string{"status", ""}},
		{"--delays: 0s is not a delay", []string{"status", "q", "--delays", "0s"}},
		{"--delays: 1.5µs is not a delay", []string{"status", "q", "--delays", "1500ns"}},
		{"--file is missing", []string{"topology", "show"}},
		{"--file is missing", []string{"topology", "plan"}},
		{"no such file", []string{"topology", "show", "--file", "none.yml"}},
		{"line 3: there is no field \"delay\"", []string{"topology", "graph", "--file", file(t, "consumers:\n  - queue: q\n    delay: 1s\n")}},
		{"which queues?", []string{"topology", "prune", "--file", good}},
		{"--old wants --management-url too", []string{"topology", "prune", "--file", good, "--old", "q"}},
		{"--old is empty", []string{"topology", "prune", "--file", good, "--old", ""}},
		{`--kinds: "all" is no kind`, []string{"topology", "prune", "--file", good, "--old", "q", "--kinds", "all"}},
		{"--old is missing", []string{"topology", "prune", "--file", good, "--delays", "1s", "--kinds", "main"}},
		{"1 argument is given, want bunnicula move OLD NEW", []string{"move", "q"}},
		{`OLD and NEW are both "q"`, []string{"move", "q", "q"}},
		{"OLD or NEW is empty", []string{"move", "q", ""}},
		{"which retry queues has OLD?", []string{"move", "q", "orders", "--file", good}},
		{`NEW is "r", want one that `, []string{"move", "q", "r", "--file", good}},
		{`OLD is "q", want one that `, []string{"move", "q", "r", "--old-file", good}},
		{`--old-delays: "soon" is not a delay`, []string{"move", "q", "r", "--old-delays", "1s,soon"}},
		{"--old-delays is empty", []string{"move", "q", "r", "--old-delays", ""}},
		{`--old-scheme is "clojure"`, []string{"move", "q", "r", "--old-scheme", "clojure"}},
		{"where to?", []string{"publish", "--body", "x"}},
		{"--key is missing", []string{"publish", "--exchange", "e", "--body", "x"}},
		{"both the queue \"q\"", []string{"publish", "q", "--key", "k", "--body", "x"}},
		{"--body is missing", []string{"publish", "q"}},
		{"--count is 0", []string{"publish", "q", "--body", "x", "--count", "0"}},
		{"--message-id \"i\" is for one message", []string{"publish", "q", "--body", "x", "--count", "2", "--message-id", "i"}},
		{"--header is \"x\", want NAME=TEXT", []string{"publish", "q", "--body", "x", "--header", "x"}},
		{"2 arguments are given, want bunnicula publish QUEUE | --exchange", []string{"publish", "q", "r", "--body", "x"}},
		{"queue \"orders\" is given twice", []string{"doctor", "orders", "--file", good}},
		{"queue \"q\" is given twice", []string{"doctor", "q", "q"}},
		{"--delays is for queues that are named", []string{"doctor", "--delays", "1s"}},
		{"0 arguments are given, want bunnicula errors groups QUEUE", []string{"errors", "groups"}},
		{"QUEUE is empty", []string{"errors", "groups", ""}},
		{`a term is "colour", want one of reason`, []string{"errors", "groups", "q", "colour=red"}},
		{`older is "soon", want a duration`, []string{"errors", "ls", "q", "older=soon"}},
		{`a term is "reason=timeout older=2h", want each term as an argument`, []string{"errors", "redrive", "q", "reason=timeout older=2h"}},
		{"which messages?", []string{"errors", "redrive", "q"}},
		{"which messages?", []string{"errors", "discard", "q", "--delete"}},
		{"--id is empty", []string{"errors", "redrive", "q", "--id", ""}},
		{"--group is empty", []string{"errors", "discard", "q", "--group", ""}},
		{"--to is empty", []string{"errors", "redrive", "q", "--all", "--yes", "--to", ""}},
		{"--archive is empty", []string{"errors", "discard", "q", "--all", "--yes", "--archive", ""}},
		{"--url is empty", []string{"errors", "groups", "q", "--url", ""}},
		{`group is "", want a value`, []string{"errors", "discard", "q", "group=a,", "--yes"}},
		{"--all and a choice (reason=panic) are given", []string{"errors", "redrive", "q", "--all", "reason=panic"}},
		{"1 argument is given, want bunnicula errors import QUEUE FILE", []string{"errors", "import", "q"}},
		{"no such file", []string{"errors", "import", "q", "none.jsonl"}},
		{"--output is missing", []string{"errors", "export", "q"}},
		{"no such file", []string{"errors", "groups", "q", "--file", "none.yml"}},
		{`--delivery-limit is "-1", want above 0`, []string{"errors", "groups", "q", "--delivery-limit", "-1"}},
		{"Queue: names that start with \"amq.\"", []string{"doctor", "amq.q"}},
	} {
		offline(t).run(test.args...).want(t, exitUsage, "bunnicula: ", test.want)
	}
	s := offline(t)
	s.env["AMQP_URL"] = "http://u:hunter2@h"
	s.run("status", "q").want(t, exitUsage, "AMQP_URL has the scheme")
	s.env = map[string]string{"RABBITMQ_MANAGEMENT_URL": "hunter2"}
	s.run("status").want(t, exitUsage, "RABBITMQ_MANAGEMENT_URL: management API: the URL is not one")
}

func TestReadOnlyRefusesEachChange(t *testing.T) {
	good := file(t, twoConsumers)
	for _, args := range [][]string{
		{"topology", "apply", "--file", good, "--yes"},
		{"topology", "prune", "--file", good, "--delays", "1h", "--yes"},
		{"publish", "q", "--body", "x"},
		{"move", "q", "r", "--old-delays", "none", "--yes"},
		{"errors", "redrive", "q", "--all", "--yes"},
		{"errors", "discard", "q", "--all", "--yes"},
		{"errors", "import", "q", good},
	} {
		offline(t).run(append(args, "--read-only")...).want(t, exitRefused, "refused, because of --read-only")
	}
}

func TestABrokerThatIsNotThereIsFailureAndNotWaitedForLong(t *testing.T) {
	good := file(t, twoConsumers)
	for _, args := range [][]string{
		{"status", "q"}, {"topology", "plan", "--file", good}, {"topology", "apply", "--file", good},
		{"topology", "prune", "--file", good, "--delays", "1h"}, {"publish", "q", "--body", "x"}, {"doctor"},
		{"errors", "groups", "q"}, {"errors", "redrive", "q", "--all", "--yes"}, {"move", "q", "r", "--old-delays", "none", "--yes"},
	} {
		offline(t).run(append(args, "--timeout", "300ms")...).want(t, exitFailed, "not connected", "127.0.0.1:1", "no answer within 300ms")
	}
}

func TestItIsSaidThatNobodyHasSaidWhichBroker(t *testing.T) {
	s := offline(t)
	s.env = map[string]string{"AMQP_USERNAME": "somebody"}
	for _, args := range [][]string{{"status", "q"}, {"publish", "q", "--body", "x"}, {"errors", "groups", "q"}} {
		if r := s.run(append(args, "--timeout", "300ms")...); r.code != exitFailed || !strings.Contains(r.err, "neither AMQP_URL nor --url is set") {
			t.Errorf("%v: exit code %d, %s", args, r.code, r.err)
		}
	}
	if r := offline(t).run("status", "q", "--timeout", "300ms"); strings.Contains(r.err, "AMQP_URL") {
		t.Errorf("it was set, and %s", r.err)
	}
}

func TestAnInterruptEndsItCleanly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := offline(t)
	s.ctx = ctx
	s.run("status", "q").want(t, exitInterrupted, "bunnicula: interrupted")
}

func TestShowAndGraphTakeNoBroker(t *testing.T) {
	good := file(t, twoConsumers)
	compare(t, "show.txt", offline(t).run("topology", "show", "--file", good).want(t, exitOK).out)
	compare(t, "show.json", offline(t).run("topology", "show", "--file", good, "--json").want(t, exitOK).out)
	compare(t, "graph.txt", offline(t).run("topology", "graph", "--file", good).want(t, exitOK).out)
	s := offline(t)
	s.in = twoConsumers
	compare(t, "show.txt", s.run("topology", "show", "--file", "-").want(t, exitOK).out)
}

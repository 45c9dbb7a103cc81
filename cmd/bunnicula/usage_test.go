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
		{`invalid argument "0s" for "--delays" flag: "0s" is not a delay, want whole milliseconds above 0`, []string{"status", "q", "--delays", "0s"}},
		{`"1500ns" is not a delay`, []string{"status", "q", "--delays", "1500ns"}},
		{`"none" is not a delay`, []string{"status", "q", "--delays", "none"}},
		{`invalid argument "" for "--delays" flag`, []string{"doctor", "q", "--delays", ""}},
		{`"Ladder" is not a delay`, []string{"topology", "prune", "--delays", "1s,Ladder"}},
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
		{`invalid argument "1s,soon" for "--old-delays" flag: "soon" is not a delay, want whole milliseconds above 0 such as 10s,1m, or ladder, or none`, []string{"move", "q", "r", "--old-delays", "1s,soon"}},
		{`invalid argument "" for "--old-delays" flag`, []string{"move", "q", "r", "--old-delays", ""}},
		{`--old-scheme is "clojure"`, []string{"move", "q", "r", "--old-scheme", "clojure"}},
		{"where to?", []string{"publish", "--body", "x"}},
		{"--key is missing", []string{"publish", "--exchange", "e", "--body", "x"}},
		{"both the queue \"q\"", []string{"publish", "q", "--key", "k", "--body", "x"}},
		{"--body is missing", []string{"publish", "q"}},
		{"--count is 0", []string{"publish", "q", "--body", "x", "--count", "0"}},
		{"--message-id \"i\" is for one message", []string{"publish", "q", "--body", "x", "--count", "2", "--message-id", "i"}},
		{"--header is \"x\", want NAME=TEXT", []string{"publish", "q", "--body", "x", "--header", "x"}},
		{"2 arguments are given, want bunnicula publish QUEUE | --exchange", []string{"publish", "q", "r", "--body", "x"}},
		{`--delay is "soon", want a duration`, []string{"publish", "q", "--body", "x", "--delay", "soon"}},
		{`--at is "00:00", and `, []string{"publish", "q", "--body", "x", "--at", "00:00"}},
		{`--delay "1s" and --at "15:04" are given`, []string{"publish", "q", "--body", "x", "--delay", "1s", "--at", "15:04"}},
		{`--delay is "1s", and --exchange or --key is given`, []string{"publish", "--exchange", "e", "--key", "k", "--body", "x", "--delay", "1s"}},
		{"an argument is empty", []string{"events", ""}},
		{`--what has "acked", want some of retried,parked,redriven,recovered`, []string{"events", "--what", "parked,acked"}},
		{`--reason has "late", want some of retry,error,`, []string{"events", "--reason", "late"}},
		{"--count is -1", []string{"events", "--count", "-1"}},
		{`--for is "soon", want a duration above 0`, []string{"events", "--for", "soon"}},
		{`--for is "0s"`, []string{"events", "--for", "0s"}},
		{"--exchange is 0 bytes long", []string{"events", "--exchange", ""}},
		{"0 arguments are given, want bunnicula control pause CONSUMER...", []string{"control", "pause"}},
		{"--name is missing, want the Name of the app's pipeline.Config", []string{"jobs", "ls"}},
		{"--limit is -1", []string{"jobs", "ls", "--name", "bank", "--limit", "-1"}},
		{"0 arguments are given, want bunnicula jobs show JOB", []string{"jobs", "show", "--name", "bank"}},
		{"JOB is empty, want the id of a job", []string{"jobs", "watch", "", "--name", "bank"}},
		{"an argument is empty, want the name of a consumer", []string{"control", "pause", "orders", "", "--yes"}},
		{`--for is "soon", want a duration of 1s to 3650d`, []string{"control", "pause", "orders", "--for", "soon"}},
		{`--for is "500ms", want`, []string{"control", "limit", "orders", "2", "--for", "500ms"}},
		{"--for is empty", []string{"control", "pause", "orders", "--for", ""}},
		{`--for "2h" and --until-resumed are given`, []string{"control", "pause", "orders", "--for", "2h", "--until-resumed"}},
		{"--why is 501 bytes long, want at most 500", []string{"control", "pause", "orders", "--why", strings.Repeat("x", 501)}},
		{"--by is 256 bytes long, want at most 255", []string{"control", "resume", "orders", "--by", strings.Repeat("x", 256)}},
		{"--wait is 0s", []string{"control", "ls", "--wait", "0s"}},
		{"--stream is 0 bytes long", []string{"control", "running", "--stream", ""}},
		{"is 256 bytes long, want a name of at most 255", []string{"control", "running", strings.Repeat("x", 256)}},
		{`N is "orders", want a number of handlers`, []string{"control", "limit", "2", "orders"}},
		{`N is "0", want a number of handlers of 1 or more, behind the consumers (0 is for pause)`, []string{"control", "limit", "orders", "0"}},
		{"1 argument is given, want bunnicula control limit CONSUMER... N", []string{"control", "limit", "orders"}},
		{`unknown flag: --for`, []string{"control", "resume", "orders", "--for", "1h"}},
		{"1 argument is given, want bunnicula control ls", []string{"control", "ls", "orders"}},
		{"0 arguments are given, want bunnicula partitions QUEUE", []string{"partitions"}},
		{"QUEUE is empty", []string{"partitions", ""}},
		{`QUEUE is "orders.p07", which is partition 7: want the queue that it is of, "orders"`, []string{"partitions", "orders.p07"}},
		{"--of is 0, want 1 to 1024", []string{"partitions", "orders", "--of", "0"}},
		{"--of is 1025, want 1 to 1024", []string{"partitions", "orders", "--of", "1025"}},
		{`has no partition of "orders", such as orders.p00`, []string{"partitions", "orders", "--file", good}},
		{"queue \"orders\" is given twice", []string{"doctor", "orders", "--file", good}},
		{"queue \"q\" is given twice", []string{"doctor", "q", "q"}},
		{"--delays is for queues that are named", []string{"doctor", "--delays", "1s"}},
		{"0 arguments are given, want bunnicula errors groups QUEUE", []string{"errors", "groups"}},
		{"QUEUE is empty", []string{"errors", "groups", ""}},
		{`a term is "colour", want one of reason`, []string{"errors", "groups", "q", "colour=red"}},
		{`older is "soon", want a duration`, []string{"errors", "ls", "q", "older=soon"}},
		{`before is "noon", want a time such as 2026-11-01T10:31:00Z, or a date`, []string{"errors", "discard", "q", "before=noon"}},
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
		{"which database? Want --dsn or BUNNICULA_DSN", []string{"outbox", "ls"}},
		{"--dsn is empty", []string{"outbox", "ls", "--dsn", ""}},
		{"--dsn is empty", []string{"doctor", "--dsn", ""}},
		{"--dsn is no URL of PostgreSQL, want", []string{"outbox", "ls", "--dsn", "postgres://u:hunter2@h:1x/db"}},
		{`--dsn has the scheme "mysql", want postgres://`, []string{"outbox", "stats", "--dsn", "mysql://u:hunter2@h/db"}},
		{`a term is "colour=red", want one of state, queue`, []string{"outbox", "ls", "colour=red"}},
		{`a term is "=x", want one of state`, []string{"outbox", "ls", "=x"}},
		{`a term is "state", want state= and a value, such as state=failed`, []string{"outbox", "ls", "state"}},
		{`a term is "queue~x", want queue= and a value`, []string{"outbox", "ls", "queue~x"}},
		{`state has "lost", want some of waiting,held,sent,done,parked,failed`, []string{"outbox", "ls", "state=lost"}},
		{`queue is "", want a value`, []string{"outbox", "retry", "queue="}},
		{`id is "a,", want a value`, []string{"outbox", "discard", "id=a,"}},
		{`a term is "state=failed queue=x", want each term as an argument`, []string{"outbox", "discard", "state=failed queue=x"}},
		{`a term is "error=x", want error~ and a part`, []string{"outbox", "ls", "error=x"}},
		{`error is "", want a part of the text`, []string{"outbox", "retry", "error~"}},
		{`error is "b", want it once`, []string{"outbox", "ls", "error~a", "error~b"}},
		{`older is "soon", want a duration above 0`, []string{"outbox", "ls", "older=soon"}},
		{`newer is "0s", want a duration above 0`, []string{"outbox", "ls", "newer=0s"}},
		{`older is "1h", want it once`, []string{"outbox", "ls", "older=2h", "older=1h"}},
		{`a term is "age", want older=2h or newer=2h: a shell takes`, []string{"outbox", "discard", "age"}},
		{`a term is "age=2h", want older=2h`, []string{"outbox", "ls", "age=2h"}},
		{`a term is "older>2h", want older=2h`, []string{"outbox", "ls", "older>2h"}},
		{"--limit is -1", []string{"outbox", "ls", "--limit", "-1"}},
		{"--limit is -1", []string{"outbox", "retry", "--all", "--limit", "-1"}},
		{"which rows?", []string{"outbox", "retry"}},
		{"which rows?", []string{"outbox", "discard", "--yes"}},
		{"--id is empty", []string{"outbox", "discard", "--id", ""}},
		{"--all and a choice are given", []string{"outbox", "discard", "--all", "state=failed"}},
		{"0 arguments are given, want bunnicula outbox show ID | TERM...", []string{"outbox", "show"}},
		{"ID is empty", []string{"outbox", "show", ""}},
		{"1 argument is given, want bunnicula outbox stats", []string{"outbox", "stats", "q"}},
		{"1 argument is given, want bunnicula outbox migrate", []string{"outbox", "migrate", "db"}},
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
		{"events", "--declare"},
		{"outbox", "retry", "--all", "--yes"},
		{"outbox", "discard", "--all", "--yes"},
		{"outbox", "migrate", "--yes"},
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
		{"events"}, {"events", "--wait"}, {"partitions", "q"},
		{"control", "pause", "q", "--yes"}, {"control", "limit", "q", "1", "--yes"}, {"control", "resume", "q", "--yes"}, {"control", "ls"}, {"control", "running"},
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

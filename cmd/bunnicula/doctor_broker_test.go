package main

import (
	"encoding/json"
	"slices"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/doctor"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func findings(t *testing.T, r result) []string {
	t.Helper()
	var report doctorReport
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatalf("%v:\n%s%s", err, r.out, r.err)
	}
	if report.Version != "RabbitMQ "+amqptest.Version(t) {
		t.Errorf("version %q", report.Version)
	}
	var found []string
	for _, f := range report.Findings {
		if f.Severity != doctor.Note {
			found = append(found, string(f.Severity)+" "+f.Check+" "+f.Subject)
		}
	}
	return found
}

func TestTheDoctorFindsWhatIsWrongAndTouchesNothing(t *testing.T) {
	t.Parallel()
	queue, topology := consumerOf(t)
	s := online(t)
	s.run("topology", "apply", "--file", topology, "--yes").want(t, exitOK)
	ch := amqptest.Channel(t)
	if _, err := ch.QueueDelete(queue+"-retry-1m", false, false, false); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(queue+"-retry-1m", true, false, false, false, amqp.Table{"x-queue-type": "quorum", "x-expires": int32(600000)}); err != nil {
		t.Fatal(err)
	}
	amqptest.Publish(t, "", queue, amqp.Publishing{Body: []byte("stays")})
	amqptest.Publish(t, "", queue+"-error", amqp.Publishing{Body: []byte("stays")})

	r := s.run("doctor", "--file", topology, "--json", "--read-only").want(t, exitFound)
	want := []string{"serious differs queue " + queue + "-retry-1m", "serious not-consumed queue " + queue, "warning parked queue " + queue + "-error"}
	if got := findings(t, r); !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	s.run("doctor", "--file", topology).want(t, exitFound, "serious  queue "+queue+": 1 message in it, and nobody consumes", "    do   ", "2 serious, 1 to be warned of")
	s.env["RABBITMQ_MANAGEMENT_URL"] = fakeAPI(t, queue)
	s.run("doctor", "--file", topology).want(t, exitFound, "2 serious")

	for _, name := range []string{queue, queue + "-error"} {
		if d := amqptest.Get(t, name); string(d.Body) != "stays" || d.Redelivered {
			t.Errorf("%s: %q was delivered to the doctor: %v", name, d.Body, d.Redelivered)
		}
	}
}

func TestTheDoctorFindsNothingSeriousWhereThereIsNothing(t *testing.T) {
	t.Parallel()
	queue, topology := consumerOf(t)
	s := online(t)
	s.run("topology", "apply", "--file", topology, "--yes").want(t, exitOK)
	if _, err := amqptest.Channel(t).Consume(queue, "", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--file", topology}, {queue, "--delays", "10s,1m"}, {}} {
		if got := findings(t, s.run(append([]string{"doctor", "--json"}, args...)...).want(t, exitOK)); len(got) != 0 {
			t.Errorf("%q: %q", args, got)
		}
	}
	if got := findings(t, s.run("doctor", "--json", queue+"-none").want(t, exitFound)); !slices.Equal(got, []string{"serious missing queue " + queue + "-none"}) {
		t.Errorf("a queue that is not there: %q", got)
	}
	if amqptest.Exists(t, queue+"-none") {
		t.Error("the doctor has declared it")
	}
}

func TestTheDoctorSaysWhatAUserMayNot(t *testing.T) {
	t.Parallel()
	queue, topology := consumerOf(t)
	s := online(t)
	s.run("topology", "apply", "--file", topology, "--yes").want(t, exitOK)
	user := amqptest.Queue(t, "user")
	amqptest.User(t, user, "hunter2", "^$", "^$", "^$")
	s.env["AMQP_USERNAME"], s.env["AMQP_PASSWORD"] = user, "hunter2"
	got := findings(t, s.run("doctor", "--json", "--file", topology).want(t, exitOK))
	for _, want := range []string{"warning may-not-publish user " + user, "warning may-not-consume user " + user} {
		if !slices.Contains(got, want) {
			t.Errorf("%q, want %q among them", got, want)
		}
	}
	s.run("topology", "plan", "--file", topology).want(t, exitOK, "5 unknown", "ACCESS_REFUSED")
	s.run("publish", queue, "--body", "x").want(t, exitFailed, "403")
}

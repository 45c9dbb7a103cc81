package main

import (
	"slices"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestTheDoctorFindsWhatIsWrongWithAnOutbox(t *testing.T) {
	t.Parallel()
	there, gone := amqptest.Queue(t, "there"), amqptest.Queue(t, "gone")
	if _, err := amqptest.Channel(t).QueueDeclare(there, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	o := newOrders(t)
	defer func() { _ = o.db.Close() }()
	s := online(t)
	s.env["BUNNICULA_DSN"] = o.file
	o.put("fine", there, "x")
	if got := findings(t, s.run("doctor", "--json", "--read-only").want(t, exitOK, `"database": "`+o.file+`"`)); len(got) != 0 {
		t.Errorf("%q", got)
	}
	o.put("nowhere", gone, "x", publisher.Delay(1e9))
	o.put("no-exchange", "k", "x", publisher.Exchange(gone), outbox.Key("k"))
	o.put("behind", there, "x", outbox.Key("k"))
	o.exec("UPDATE bunnicula_outbox SET state = 5, error = 'NOT_FOUND' WHERE id = 'no-exchange'", "UPDATE bunnicula_outbox SET due = due - 120000000 WHERE id = 'fine'")
	got := findings(t, s.run("doctor", "--json", "--read-only").want(t, exitFound))
	slices.Sort(got)
	subject := " outbox " + o.file
	want := []string{"serious outbox-failed" + subject, "serious outbox-key" + subject, "serious outbox-late" + subject, "serious outbox-target" + subject, "serious outbox-target" + subject}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	s.run("doctor", "--json").want(t, exitFound, "1 row for queue "+gone+", which the broker does not have", "1 row for exchange "+gone+",", "a row is due for 2m")
	s.run("doctor").want(t, exitFound, "\n"+o.file+"\n")
	if amqptest.Exists(t, gone) {
		t.Error("the doctor has declared it")
	}
	o.exec("DROP TABLE bunnicula_outbox")
	s.run("doctor", "--json", "--dsn", o.file).want(t, exitFound, "it has no tables", "bunnicula outbox migrate with this")
	s.run("doctor", "--dsn", o.file+"-none").want(t, exitFailed, "no such file")
}
